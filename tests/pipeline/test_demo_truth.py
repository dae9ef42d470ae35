"""What the QR model says about the demo scene is what is there, and so is the history of both."""

from __future__ import annotations

from itertools import islice

from cameras.sources.demo.scene import Conveyor
from inference.runtimes.boxes import iou
from sightline.kafka import OFFSET_BEGINNING, topics
from sightline.messages import Prediction
from tests.pipeline.conftest import Eyes
from tests.servers.stack import Stack
from tests.servers.waiting import wait_until

FRAMES = 100


def is_true(prediction: Prediction, scene: Conveyor) -> bool:
    """Whether every fully visible parcel of the frame was read, nothing else was, and each box
    fits.
    """
    expected = {item.text: item.box for item in scene.expected(prediction.frame.seq)}
    found = {item.text: item.box for item in prediction.predictions}
    return found.keys() == expected.keys() and all(
        (box := found[text]) and iou(box, expected[text]) > 0.7 for text in expected
    )


def test_it_reads_99_of_100_frames_of_the_demo_right(eyes: Eyes) -> None:
    scene = Conveyor()
    # From the first on: those that were made already need not be waited for.
    predictions = list(
        islice(
            eyes.predictions(topics.predictions("conveyor"), "qr", offset=OFFSET_BEGINNING), FRAMES
        )
    )
    assert sum(is_true(prediction, scene) for prediction in predictions) >= FRAMES - 1
    assert len({prediction.frame.captured_at for prediction in predictions}) == FRAMES, (
        "each frame once; a capture that is started again counts anew"
    )


def test_each_stage_adds_its_time_in_order(eyes: Eyes) -> None:
    prediction = next(eyes.predictions(topics.predictions("conveyor"), "qr"))
    timing = prediction.timing
    assert (
        prediction.frame.captured_at < timing.consumed_at <= timing.started_at < timing.finished_at
    )


def test_the_history_of_the_camera_and_its_model_is_told(stack: Stack) -> None:
    operator = stack.operator()

    def latest() -> dict[str, float] | None:
        camera = operator.get("/cameras/conveyor/history.json?minutes=2").json()
        model = operator.get("/models/qr/history.json?minutes=2").json()
        rows = {"fps": camera["capture"]["fps"], "kafka": camera["capture"]["kafka_p50"]}
        for said in (
            *(item for item in camera["models"] if item["model"] == "qr"),
            *model["versions"],
        ):
            rows |= {
                name: said[name]
                for name in ("predicted", "transport_p50", "latency_p50")
                if name in said
            }
            rows["codes"] = said["labels"].get("qr", [None])
        newest = {name: [value for value in row if value][-1:] for name, row in rows.items()}
        return (
            {name: found[0] for name, found in newest.items()}
            if len(rows) == 6 and all(newest.values())
            else None
        )

    seen = wait_until(latest, 60, "an interval to be told", interval=1)
    assert seen
    assert 0 < seen["fps"] < 11
    assert 0 < seen["predicted"] < 11
    assert seen["codes"] > 10
    assert 0 < seen["kafka"] < 1000
    assert 0 < seen["latency_p50"] < 1000
