"""The Prometheus metrics of frame pipelines. Of records: tests/inference/streams/test_worker.py."""

from __future__ import annotations

from inference.plans import FramePlan
from inference.runner.metrics import runner_metrics
from inference.runtimes.base import Picture
from inference.runtimes.errors import InferenceError
from tests.inference.pipelines import LIVE, SECONDS, Bench
from tests.inference.stub import Detections, Mind, Stub, one_thing
from tests.servers.waiting import wait_until

Samples = dict[tuple[str, ...], float]


def samples_of(*runners: object) -> Samples:
    metrics = runner_metrics("infer", [pipeline.metrics() for pipeline in runners])  # type: ignore[attr-defined]
    return {
        (sample.name, *sample.labels.values()): sample.value
        for metric in metrics
        for sample in metric.samples
    }


def sees_nothing_at_the_gate(picture: Picture) -> Detections:
    if picture.camera == "gate":
        raise InferenceError("The gate is shut.", permanent=True)
    return one_thing(picture)


def test_frames_are_counted_by_camera_and_by_what_became_of_them(bench: Bench) -> None:
    Stub.minds["eye"] = Mind(see=sees_nothing_at_the_gate)
    pipeline = bench.pipeline("eye", "dock", "gate")
    bench.predict("dock", "eye")
    bench.show("gate")
    wait_until(lambda: pipeline.failed, SECONDS, "the broken frame to fail")

    values = samples_of(pipeline)

    assert values["sightline_model_frames_total", "eye", "1", "dock", "predicted"] >= 1
    assert values["sightline_model_frames_total", "eye", "1", "gate", "failed"] >= 1
    assert values["sightline_model_frames_total", "eye", "1", "gate", "predicted"] == 0
    for stage in ("transport", "waiting", "model"):
        assert values["sightline_frame_stage_seconds_count", "dock", "eye", "1", stage] >= 1
    assert values["sightline_frame_age_seconds_count", "dock", "eye", "1", "predicted"] >= 1
    assert values["sightline_dead_letters_unwritten_total", "eye", "1"] == 0


def test_a_camera_that_the_model_sees_no_more_is_forgotten(bench: Bench) -> None:
    pipeline = bench.pipeline("eye", "dock", "gate")
    bench.predict("dock", "eye")
    plan: FramePlan = bench.plan("eye", {"gate": LIVE})

    pipeline.update(plan)

    assert {
        name[3] for name in samples_of(pipeline) if name[0] == "sightline_model_frames_total"
    } == {"gate"}
    assert not pipeline.history.cameras


def test_a_dead_letter_that_kafka_does_not_take_is_counted(bench: Bench) -> None:
    Stub.minds["eye"] = Mind(see=sees_nothing_at_the_gate)
    pipeline = bench.pipeline("eye", "gate")
    bench.producer.send = lambda *_, **__: False  # type: ignore[method-assign]

    bench.show("gate")

    wait_until(
        lambda: samples_of(pipeline)["sightline_dead_letters_unwritten_total", "eye", "1"] >= 1,
        SECONDS,
        "it to be counted",
    )
