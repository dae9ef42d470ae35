from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet
from pytest_django import Settings

from cameras import probe as module
from cameras.models import Camera
from cameras.probe import probe
from inference.runtimes.base import jpeg_size
from tests.inference.pictures import blank, encode
from tests.servers.login import Login
from tests.servers.mjpeg import MjpegServer
from tests.servers.ports import free_port

JPEGS = [encode(blank(640, 360))]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WATCH_SECONDS", 0.3)


def camera(url: str, kind: str = "mjpeg", password: str = "", **fields: Any) -> Camera:
    made = Camera(slug="dock", name="Dock", kind=kind, url=url, **fields)
    made.password = password
    return made


def test_it_finds_what_a_camera_sends() -> None:
    with MjpegServer(JPEGS, fps=20) as server:
        finding = probe(camera(server.url))

    assert finding.error == ""
    assert (finding.codec, finding.width, finding.height) == ("mjpeg", 640, 360)
    assert finding.fps == pytest.approx(20, rel=0.4)
    assert jpeg_size(finding.thumbnail) == (320, 180)


def test_it_knows_the_demo() -> None:
    finding = probe(camera("demo:conveyor", kind="demo", fps=20))

    assert (finding.error, finding.codec, finding.width, finding.height) == ("", "demo", 1280, 720)


def test_it_says_in_plain_words_what_is_wrong() -> None:
    port = free_port()

    assert f"refuses connections on port {port}" in probe(camera(f"http://127.0.0.1:{port}/")).error


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"html": True}, "web page"),
        ({"status": 404}, "no pictures at this path"),
        ({"zero_frames": True}, "without a single picture"),
    ],
    ids=["page", "missing", "empty"],
)
def test_faults_are_explained(fault: dict[str, Any], said: str) -> None:
    with MjpegServer(JPEGS) as server:
        for name, value in fault.items():
            setattr(server.faults, name, value)

        assert said in probe(camera(server.url)).error


def test_a_wrong_password_is_said_without_it() -> None:
    with MjpegServer(JPEGS, login=Login("operator", "right")) as server:
        error = probe(camera(server.url, password="wr0ng", username="operator")).error

    assert error == "The camera refuses the user name or password."


def test_damaged_pictures_are_counted() -> None:
    with MjpegServer(JPEGS, fps=20) as server:
        server.faults.corrupt_every = 1

        assert "its pictures are unusable" in probe(camera(server.url)).error


def test_a_few_damaged_pictures_do_not_matter() -> None:
    with MjpegServer(lambda number: JPEGS[0] if number else JPEGS[0][:500], fps=20) as server:
        assert probe(camera(server.url)).width == 640


def test_a_lost_key_is_explained(settings: Settings) -> None:
    locked = camera("http://127.0.0.1/", password="s3cret")
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]

    assert "Enter it again" in probe(locked).error
