from __future__ import annotations

from collections.abc import Sequence

from inference.frames.predict import PreparedFrame, predict, prepare
from inference.plans import CameraDeployment
from inference.runtimes.base import Picture
from inference.runtimes.errors import InferenceError, ServerUnavailable
from sightline.messages import Detection, Prediction
from tests.inference.fakes import FakeRuntime
from tests.inference.frames.test_latest import waiting
from tests.inference.pictures import blank, encode

JPEG = encode(blank(64, 36))
WHOLE = CameraDeployment("live", 0.0)
CROPS = CameraDeployment("live", 0.0, crops_of="faces@1")


def frames(deployment: CameraDeployment, count: int) -> list[PreparedFrame]:
    found = bool(deployment.crops_of)
    return [prepare(waiting("dock", seq, JPEG, found=found), deployment) for seq in range(count)]


def giving(*results: tuple[Detection, ...] | BaseException) -> FakeRuntime:
    """A model that gives the result of a picture's number, or raises it."""

    def detect(picture: Picture) -> tuple[Detection, ...]:
        result = results[picture.seq]
        if isinstance(result, BaseException):
            raise result
        return result

    return FakeRuntime(detect)


def kinds(results: Sequence[object]) -> list[type]:
    return [type(result) for result in results]


def test_a_box_that_cannot_be_placed_in_the_frame_costs_only_its_frame() -> None:
    good = (Detection("eye", 0.5, (0.0, 0.0, 1.0, 0.5)),)
    odd = (Detection("eye", 0.5, (0.0, 0.0, 1.0)),)  # type: ignore[arg-type]

    results = predict(giving(good, odd, good), frames(CROPS, 3), "mood", "1", 8)

    assert kinds(results) == [Prediction, ValueError, Prediction]


def test_a_frame_has_a_prediction_or_the_error_of_its_pictures() -> None:
    broken, good = InferenceError("Broken.", permanent=True), (Detection("qr", 0.5),)

    results = predict(giving(good, broken, good), frames(WHOLE, 3), "qr", "1", 8)

    assert kinds(results) == [Prediction, InferenceError, Prediction]


def test_frames_share_the_error_of_a_server_that_is_away() -> None:
    away = ServerUnavailable("Away.")

    results = predict(giving(away, away), frames(WHOLE, 2), "qr", "1", 1)

    assert results == [away, away]


def test_a_frame_in_which_a_first_stage_found_nothing_has_an_empty_prediction() -> None:
    runtime = FakeRuntime()

    (result,) = predict(runtime, [prepare(waiting("dock", 1, JPEG), CROPS)], "mood", "1", 8)

    assert isinstance(result, Prediction)
    assert result.predictions == ()
    assert runtime.pictures == []
