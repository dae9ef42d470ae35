"""Single frames of the past."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from cameras.models import Camera as CameraRow
from streaming.mjpeg.frames import fetch_frame
from streaming.visitors import visitor as visitors
from tests.streaming.conftest import Broker, Camera

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def viewer() -> Client:
    CameraRow.objects.create(slug="gate", name="Gate", kind="demo", url="demo:conveyor")
    client = Client()
    client.force_login(User.objects.create_user("olga"))
    return client


def test_a_frame_is_found_by_its_offset(viewer: Client, gate: Camera) -> None:
    sent = [gate.show() for _ in range(5)]
    gate.producer.flush(5)
    found = fetch_frame("gate", 3)
    assert found is not None
    assert (found.seq, found.captured_at, found.jpeg) == (
        sent[3].seq,
        sent[3].captured_at,
        sent[3].jpeg,
    )
    answer = viewer.get("/cameras/gate/frames/3.jpg")
    assert (answer.status_code, answer["Content-Type"], answer.content) == (
        200,
        "image/jpeg",
        sent[3].jpeg,
    )


@pytest.mark.parametrize("offset", ["5", "9" * 30])
def test_a_frame_that_is_not_there_says_so(viewer: Client, gate: Camera, offset: str) -> None:
    gate.show()
    gate.producer.flush(5)
    answer = viewer.get(f"/cameras/gate/frames/{offset}.jpg")
    assert (answer.status_code, answer.content.decode()) == (
        404,
        "This picture is no longer kept: pictures stay for about 60 seconds.\n",
    )


def test_frames_are_for_those_who_see_the_camera(
    viewer: Client, kafka: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Client().get("/cameras/gate/frames/0.jpg").status_code == 401
    monkeypatch.setattr(visitors, "visible_cameras", lambda _user: CameraRow.objects.none())
    assert viewer.get("/cameras/gate/frames/0.jpg").status_code == 404
