"""Real cameras through the whole pipeline: RTSP with a face, MJPEG untouched, and changes that
take effect while all runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import pytest
import simplejpeg

from inference.runtimes.boxes import iou
from sightline.kafka import topics
from sightline.messages import CameraState, CameraStatus
from tests.pipeline.conftest import Eyes
from tests.servers.login import Login
from tests.servers.mjpeg import MjpegServer
from tests.servers.rtsp import RtspServer
from tests.servers.stack import Stack
from tests.servers.video import FACE_BOX, scene

AddCamera = Callable[..., str]

# The way from the camera to Kafka is the same with each broker.
pytestmark = pytest.mark.parametrize("broker", ["kafka"], indirect=True)


def states(eyes: Eyes, camera: str) -> Iterator[CameraStatus]:
    """The camera's reports from now on."""
    for record in eyes.records(topics.status()):
        if record.key == f"camera/{camera}".encode() and record.value:
            yield CameraStatus.from_json(record.value)


def test_a_face_over_rtsp_gives_a_box_at_the_right_place(
    stack: Stack, eyes: Eyes, cameras: AddCamera, face_camera: RtspServer
) -> None:
    cameras("gate", "rtsp", face_camera.url)
    stack.operator().deploy_runtime("faces", "builtin-faces", "gate")
    prediction = next(
        item
        for item in eyes.predictions(topics.predictions("gate"), "faces", timeout=30)
        if item.predictions
    )
    face = prediction.predictions[0]
    assert face.label == "face"
    assert face.box
    assert iou(face.box, FACE_BOX) > 0.5


def test_mjpeg_pictures_pass_untouched(eyes: Eyes, cameras: AddCamera) -> None:
    pictures = [
        simplejpeg.encode_jpeg(scene(number), quality=85, colorspace="RGB") for number in range(5)
    ]
    with MjpegServer(pictures) as server:
        cameras("yard", "mjpeg", server.url)
        frames = list(islice(eyes.frames(topics.frames("yard"), "yard"), 5))
    assert {frame.jpeg for frame in frames} <= set(pictures)


def test_a_camera_that_is_disabled_says_so_and_comes_back(
    stack: Stack, eyes: Eyes, cameras: AddCamera
) -> None:
    cameras("shed", "demo", "demo:conveyor?line=3")
    reports = states(eyes, "shed")
    assert next(report for report in reports if report.state == CameraState.LIVE).codec == "demo"
    stack.operator().change_camera("shed", enabled=None)
    assert next(report for report in reports if report.state == CameraState.DISABLED).detail
    stack.operator().change_camera("shed", enabled="on")
    assert next(report for report in reports if report.state == CameraState.LIVE)


def test_a_wrong_password_is_named(eyes: Eyes, cameras: AddCamera) -> None:
    with MjpegServer(
        [simplejpeg.encode_jpeg(scene(0))], login=Login("root", "s3cret:@/ ü")
    ) as server:
        cameras("vault", "mjpeg", server.url, username="root", new_password="wrong-one")
        report = next(
            report for report in states(eyes, "vault") if report.state == CameraState.AUTH_FAILED
        )
        assert "password" in report.detail
        assert "wrong-one" not in report.detail


def test_an_unplugged_camera_says_so_and_comes_back(
    eyes: Eyes, cameras: AddCamera, face_camera: RtspServer
) -> None:
    cameras("dock", "rtsp", face_camera.url)
    reports = states(eyes, "dock")
    assert next(report for report in reports if report.state == CameraState.LIVE).codec == "h264"
    face_camera.stop()
    try:
        assert next(
            report
            for report in reports
            if report.state in (CameraState.UNREACHABLE, CameraState.STALLED)
        ).detail
    finally:
        face_camera.start()
    assert next(report for report in reports if report.state == CameraState.LIVE)
