"""What all tests share: a data folder of their own, decided before Django reads its settings, and the embedded broker."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import django
import pytest
from pytest_django import Settings

# Nothing of the person's own environment or data may reach the tests, nor the tests it.
for _name in (
    "DATABASE_URL",
    "REDIS_URL",
    "KAFKA_BOOTSTRAP_SERVERS",
    "KAFKA_EMBEDDED",
    "TOPIC_PREFIX",
    "PORT",
    "BIND",
    "DEBUG",
    "HTTPS",
    "LOG_LEVEL",
    "PYTHON_MODELS",
    "SCHEMA_REGISTRY_URL",
):
    os.environ.pop(_name, None)
_scratch = tempfile.TemporaryDirectory(prefix="sightline-tests-")
os.environ["DATA_DIR"] = _scratch.name
os.environ["CAMERA_ALLOWED_NETWORKS"] = "127.0.0.0/8,::1/128"
os.environ["MODEL_ALLOWED_NETWORKS"] = "127.0.0.0/8,::1/128"
os.environ["DJANGO_SETTINGS_MODULE"] = "sightline.settings"
# Playwright's synchronous interface runs an event loop in the test's thread, in which Django would refuse to use the database.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
django.setup()

# Model servers that several test modules share, each started when the first of them asks for it.
pytest_plugins = ("tests.servers.models.fixtures",)

HOME = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def embedded_address() -> Iterator[str]:
    """The address of an embedded broker in this process, for the whole run."""
    from sightline.kafka import embedded_broker

    handle, address = embedded_broker()
    yield address
    del handle


@pytest.fixture
def embedded(embedded_address: str, settings: Settings, request: pytest.FixtureRequest) -> str:
    """Settings that point at the embedded broker, with a topic prefix of the test's own."""
    settings.KAFKA_BOOTSTRAP_SERVERS = embedded_address
    settings.KAFKA_EMBEDDED = True
    settings.TOPIC_PREFIX = f"test{abs(hash(request.node.nodeid)) % 10**9}"
    return embedded_address


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """For pytest-xdist: a file stays in one process, and so does the whole pipeline, which shares two running Sightlines."""
    for item in items:
        folder = item.path.relative_to(HOME / "tests").parts[0]
        item.add_marker(pytest.mark.xdist_group("pipeline" if folder == "pipeline" else str(item.path)))
