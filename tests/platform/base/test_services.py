"""The platform knows where its own services are."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from cameras.models import check_address
from cameras.sources.base import AddressError
from inference.runtimes.errors import ServerUnavailable
from inference.runtimes.servers.addresses import parse_grpc, parse_http, resolved
from sightline.base.services import own_services


@pytest.fixture(autouse=True)
def services(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    postgres = {"ENGINE": "django.db.backends.postgresql", "HOST": "10.0.0.1", "PORT": ""}
    monkeypatch.setitem(settings.DATABASES, "default", postgres)
    settings.REDIS_URL = "redis://:secret@10.0.0.2/0"
    settings.KAFKA_BOOTSTRAP_SERVERS = "10.0.0.3:9094, SASL_SSL://10.0.0.4:9093,[fd00::5]"
    settings.DATA_DIR = tmp_path


def test_every_broker_the_database_and_redis_are_found() -> None:
    assert own_services() == [
        ("10.0.0.1", 5432),
        ("10.0.0.2", 6379),
        ("10.0.0.3", 9094),
        ("10.0.0.4", 9093),
        ("fd00::5", 9092),
    ]


def test_what_has_no_port_is_no_destination(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = {"ENGINE": "django.db.backends.sqlite3", "NAME": "a.sqlite3"}
    monkeypatch.setitem(settings.DATABASES, "default", file)
    settings.REDIS_URL = "unix:///run/redis.sock"
    settings.KAFKA_BOOTSTRAP_SERVERS = ""
    assert own_services() == []
    (tmp_path / "broker.address").write_text("127.0.0.1:20100\n")
    assert own_services() == [("127.0.0.1", 20100)]


@pytest.mark.parametrize("host", ["10.0.0.4", "::ffff:10.0.0.4"])
def test_none_of_them_is_a_camera_or_a_model_server(host: str, settings: Settings) -> None:
    settings.CAMERA_ALLOWED_NETWORKS = settings.MODEL_ALLOWED_NETWORKS = ["0.0.0.0/0", "::/0"]
    shown = f"[{host}]" if ":" in host else host
    with pytest.raises(AddressError, match="is a service of this platform"):
        check_address(host, 9093)
    assert check_address(host, 554)
    for address in (*parse_http(f"http://{shown}:9093"), *parse_grpc(f"{shown}:9093")):
        with pytest.raises(ServerUnavailable, match="is a service of this platform"):
            resolved(address, 5)
