"""The history that runners publish."""

from __future__ import annotations

from collections import Counter

from inference.runner.history import FrameHistory, RecordHistory
from inference.runner.state import RunnerState
from sightline.kafka import topics
from sightline.messages import Detection, FrameRef, Prediction, Timing
from sightline.messages.history import ModelHistory, Quantiles
from tests.inference.pipelines import SECONDS, Bench
from tests.servers.waiting import wait_until

MS = 1_000_000


def prediction(camera: str, *labels: str) -> Prediction:
    found = tuple(Detection(label, 1.0) for label in labels)
    return Prediction(
        camera,
        "eye",
        "1",
        "live",
        FrameRef(1, 100 * MS, 640, 360, 1),
        found,
        Timing(105 * MS, 107 * MS, 127 * MS),
    )


def test_each_camera_has_its_own_and_all_are_added_up() -> None:
    history = FrameHistory()
    history.add_prediction(prediction("dock", "face", "face"), model_called=True)
    history.add_prediction(prediction("gate", "face"), model_called=True)
    history.add_failed("gate")
    history.add_unavailable("dock")

    cameras, in_all = history.take(["dock", "gate", "yard"], Counter(dock=3))

    dock, gate, yard = (cameras[name] for name in ("dock", "gate", "yard"))
    assert (dock.predicted, dock.failed, dock.errors, dock.skipped, dock.labels) == (
        1,
        0,
        1,
        3,
        {"face": 2},
    )
    assert (gate.predicted, gate.failed, gate.errors, gate.skipped, gate.labels) == (
        1,
        1,
        0,
        0,
        {"face": 1},
    )
    assert (yard.predicted, yard.model, yard.labels) == (0, None, {})
    assert (dock.transport, dock.waiting, dock.model) == (
        Quantiles(5, 5),
        Quantiles(2, 2),
        Quantiles(20, 20),
    )
    assert (in_all.predicted, in_all.failed, in_all.errors, in_all.skipped, in_all.labels) == (
        2,
        1,
        1,
        3,
        {"face": 3},
    )


def test_each_event_is_in_one_interval() -> None:
    history = FrameHistory()
    history.add_prediction(prediction("dock"), model_called=True)
    history.take(["dock"], Counter(dock=3))

    cameras, in_all = history.take(["dock"], Counter(dock=4, gate=1))

    assert (cameras["dock"].predicted, cameras["dock"].skipped, cameras["gate"].skipped) == (
        0,
        1,
        1,
    )
    assert (in_all.predicted, in_all.skipped) == (0, 2)


def test_a_frame_without_boxes_for_a_second_stage_says_nothing_of_the_model() -> None:
    history = FrameHistory()
    history.add_prediction(prediction("dock"), model_called=False)

    cameras, _ = history.take([], {})

    assert (cameras["dock"].predicted, cameras["dock"].model, cameras["dock"].transport) == (
        1,
        None,
        Quantiles(5, 5),
    )


def test_any_number_of_labels_takes_bounded_memory() -> None:
    history = FrameHistory()
    for number in range(3000):
        history.add_prediction(prediction("dock", f"number-{number}"), model_called=True)

    _, in_all = history.take([], {})

    assert len(in_all.labels) == 21
    assert sum(in_all.labels.values()) == 3000


def test_the_history_of_records_is_made_from_the_counts_of_their_state() -> None:
    state = RunnerState("iris", "1")
    history = RecordHistory(state)
    state.add_predicted(40, 0.02)
    state.add_failed("No.")
    state.add_unavailable(0, "Away.")

    taken = history.take()

    assert (taken.predicted, taken.failed, taken.errors, taken.skipped, taken.model) == (
        40,
        1,
        0,
        0,
        Quantiles(20, 20),
    )
    assert (history.take().predicted, history.take().model) == (0, None)


def test_a_pipeline_publishes_its_history_by_camera_and_in_all(bench: Bench) -> None:
    pipeline = bench.pipeline("eye", "dock", "gate")
    bench.predict("dock", "eye")
    wait_until(lambda: pipeline.predicted, SECONDS)

    pipeline.publish_history()

    (dock,) = wait_until(lambda: bench.reader(topics.camera_history("dock")).read(), SECONDS)
    (gate,) = wait_until(lambda: bench.reader(topics.camera_history("gate")).read(), SECONDS)
    (in_all,) = wait_until(lambda: bench.reader(topics.model_history("eye", "1")).read(), SECONDS)
    assert (dock.key, in_all.key) == (b"eye@1", b"worker-1")
    assert (
        ModelHistory.from_json(dock.value).predicted
        == ModelHistory.from_json(in_all.value).predicted
        > 0
    )
    assert ModelHistory.from_json(gate.value).predicted == 0
