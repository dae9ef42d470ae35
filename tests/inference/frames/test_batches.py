from __future__ import annotations

from inference.runtimes.base import Picture
from sightline.messages import Detection, Frame, ModelState
from tests.inference.pipelines import SECONDS, Bench
from tests.inference.stub import Detections, Mind, Stub, one_thing
from tests.servers.waiting import wait_until


def predicted(bench: Bench, frame: Frame) -> bool:
    return frame.seq in {item.frame.seq for item in bench.predictions(frame.camera, "eye")}


def test_a_broken_frame_costs_only_itself_in_a_batch(bench: Bench) -> None:
    def see(picture: Picture) -> Detections:
        picture.gray(320)
        return one_thing(picture)

    Stub.minds["eye"] = Mind(see=see)
    cameras = ("dock", "gate", "yard")
    pipeline = bench.pipeline("eye", *cameras, batch=3, batch_ms=200)
    for camera in cameras:
        bench.predict(camera, "eye")
    broken = bench.show("gate", b"\xff\xd8 no picture")
    good = [bench.show("dock"), bench.show("yard")]
    wait_until(lambda: all(predicted(bench, frame) for frame in good), SECONDS, "the good frames")
    (dead_letter,) = wait_until(lambda: bench.errors("eye"), SECONDS, "a dead letter")
    assert dead_letter.value == broken.jpeg
    assert dead_letter.header_map["seq"] == str(broken.seq).encode()
    assert b"JPEG" in dead_letter.header_map["dlt-exception-message"]
    assert pipeline.failed == 1
    assert pipeline.status().state is ModelState.RUNNING, (
        "one broken frame says nothing about the model"
    )


def test_frames_of_several_cameras_go_into_one_call(bench: Bench) -> None:
    cameras = ("dock", "gate", "yard")
    bench.pipeline("eye", *cameras, batch=3, batch_ms=500)
    mind = Stub.minds["eye"]
    mind.see = lambda picture: (Detection(f"{picture.camera} {picture.seq}", 1.0),)
    wait_until(
        lambda: (
            [bench.show(camera) for camera in cameras]
            and any(len(call) == 3 for call in mind.calls)
        ),
        SECONDS,
        "a batch of three",
        interval=0.1,
    )
    for camera in cameras:
        for said in bench.predictions(camera, "eye"):
            assert [item.label for item in said.predictions] == [f"{camera} {said.frame.seq}"], (
                "each prediction belongs to its own camera"
            )


def test_a_single_camera_is_not_kept_waiting_for_others(bench: Bench) -> None:
    pipeline = bench.pipeline("eye", "gate", batch=8, batch_ms=1000)
    bench.predict("gate", "eye")
    said = bench.predict("gate", "eye")
    assert said.timing.finished_at - said.timing.consumed_at < 900_000_000
    assert {len(call) for call in Stub.minds["eye"].calls} == {1}
    assert pipeline.failed == 0
