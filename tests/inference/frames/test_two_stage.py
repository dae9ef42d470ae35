from __future__ import annotations

import numpy as np
import pytest

from inference.frames.crops import boxed, cut, placed
from inference.plans import CameraDeployment
from inference.runtimes.base import Picture
from inference.runtimes.errors import InferenceError
from sightline.messages import Detection, FrameRef, ModelState
from tests.inference.pictures import blank, encode, picture
from tests.inference.pipelines import LIVE, SECONDS, Bench
from tests.inference.stub import Detections, Mind, Stub
from tests.servers.waiting import wait_until

LEFT, RIGHT = (0.1, 0.2, 0.3, 0.6), (0.6, 0.2, 0.8, 0.6)
REF = FrameRef(1, 1, 640, 360, 0)


def scene() -> bytes:
    """A bright field at LEFT, a dark one at RIGHT, 640 x 360."""
    image = blank(640, 360, gray=120)
    image[72:216, 64:192] = 250
    image[72:216, 384:512] = 10
    return encode(image, quality=95)


def find(picture: Picture) -> Detections:
    """The first stage: knows where things are."""
    return (
        Detection("face", 0.9, LEFT, track=7),
        Detection("face", 0.8, RIGHT),
        Detection("hat", 0.7, (0.4, 0.4, 0.5, 0.5)),
    )


def judge(picture: Picture) -> Detections:
    """The second stage: bright or dark?"""
    return (Detection("bright" if picture.gray().mean() > 120 else "dark", 0.6),)


def test_two_models_and_a_second_stage_on_one_camera(bench: Bench) -> None:
    Stub.minds |= {"faces": Mind(see=find), "mood": Mind(see=judge), "third": Mind()}
    second = bench.plan(
        "mood",
        {"gate": CameraDeployment("live", 0.0, crops_of="faces@1", crop_label="face")},
        batch=8,
    )
    pipelines = bench.start_on_kafka(
        bench.plan("faces", {"gate": LIVE}), second, bench.plan("third", {"gate": LIVE})
    )
    said = bench.predict("gate", "mood", scene())
    assert [(item.label, item.score, item.box, item.track) for item in said.predictions] == [
        ("bright", 0.6, LEFT, 7),
        ("dark", 0.6, RIGHT, None),
    ]
    first = next(item for item in bench.predictions("gate", "faces") if item.frame == said.frame)
    assert [item.label for item in first.predictions] == ["face", "face", "hat"], (
        "the first stage speaks for itself, too"
    )
    assert {len(call) for call in Stub.minds["mood"].calls} == {2}, (
        "all crops of a frame in one call"
    )
    assert bench.predict("gate", "third", scene()).predictions[0].label == "thing"

    Stub.minds["faces"].see = lambda picture: (Detection("hat", 0.7, (0.4, 0.4, 0.5, 0.5)),)
    wait_until(
        lambda: (
            bench.show("gate", scene()) and bench.predictions("gate", "mood")[-1].predictions == ()
        ),
        SECONDS,
        "a frame without faces",
        interval=0.1,
    )
    assert all(
        pipeline.failed == 0 and pipeline.status().state is ModelState.RUNNING
        for pipeline in pipelines
    )

    def refuse(picture: Picture) -> Detections:
        raise InferenceError("No.", permanent=True)

    Stub.minds["faces"].see = refuse
    before = len(bench.predictions("gate", "mood"))
    wait_until(
        lambda: bench.show("gate", scene()) and pipelines[0].status().state is ModelState.FAILING,
        SECONDS,
        "the first stage to be failing",
        interval=0.1,
    )
    assert bench.predict("gate", "third", scene()).predictions[0].label == "thing"
    assert len(bench.predictions("gate", "mood")) <= before + 1, (
        "nothing is made up for frames that the first stage did not answer"
    )


def test_a_crop_is_the_box_and_a_little_more() -> None:
    (crop,) = cut(picture(scene()), REF, [Detection("face", 0.9, LEFT)])
    height, width = crop.picture.bgr().shape[:2]
    assert (width, height) == (round(128 * 1.2), round(144 * 1.2))
    assert crop.picture.bgr()[height // 2, width // 2].tolist() == pytest.approx(
        [250, 250, 250], abs=4
    )
    assert (crop.picture.camera, crop.picture.seq, crop.picture.captured_at) == ("dock", 1, 1)


@pytest.mark.parametrize(
    "box",
    [
        (-0.5, -0.5, 1.5, 1.5),
        (0.9999, 0.9999, 1.0, 1.0),
        (0.0, 0.0, 1e-9, 1e-9),
        (0.5, 0.0, 2.0, 0.1),
    ],
)
def test_a_crop_is_always_a_picture(box: tuple[float, float, float, float]) -> None:
    found = boxed([Detection("face", 0.9, box)], "")
    for crop in cut(picture(scene()), REF, found):
        assert min(crop.picture.bgr().shape) >= 1
        assert all(0 <= side <= 1 for side in crop.area)


def test_boxes_that_cannot_be_cut_are_left_out() -> None:
    nan = float("nan")
    found = [
        Detection("face", 0.9),
        Detection("face", 0.9, (0.5, 0.5, 0.5, 0.9)),
        Detection("face", 0.9, (nan, 0, 1, 1)),
        Detection("face", 0.9, (1.1, 0, 2, 1)),
    ]
    assert boxed(found, "") == []


def test_only_boxes_with_the_label_are_cut_and_of_many_the_best() -> None:
    found = [Detection("face", score / 100, LEFT) for score in range(90)] + [
        Detection("hat", 1.0, LEFT)
    ]
    kept = boxed(found, "face")
    assert len(kept) == 64
    assert min(item.score for item in kept) == pytest.approx(0.26)


def test_boxes_within_a_crop_become_boxes_of_the_frame() -> None:
    (crop,) = cut(picture(scene()), REF, [Detection("face", 0.9, LEFT)])
    (eye,) = placed([Detection("eye", 0.5, (0.0, 0.0, 1.0, 0.5))], crop)
    assert eye.box == pytest.approx((0.08, 0.16, 0.32, 0.40), abs=0.005)


def test_a_crop_becomes_a_jpeg_only_when_one_is_asked_for() -> None:
    (crop,) = cut(picture(scene()), REF, [Detection("face", 0.9, LEFT)])
    array = crop.picture.bgr()
    assert not array.flags.writeable
    decoded = picture(crop.picture.jpeg).bgr()
    assert decoded.shape == array.shape
    assert np.abs(decoded.astype(int) - array.astype(int)).mean() < 3
    assert crop.picture.gray(32).shape[1] == 32


def test_a_frame_that_cannot_be_cut_up_is_refused_but_only_when_there_is_something_to_cut() -> None:
    broken = picture(b"\xff\xd8 broken")
    assert cut(broken, REF, []) == []
    with pytest.raises(InferenceError):
        cut(broken, REF, [Detection("face", 0.9, LEFT)])
