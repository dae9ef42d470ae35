"""What the QR model says about the demo scene is what is there."""

from __future__ import annotations

from itertools import islice

from cameras.sources.conveyor import Conveyor
from inference.runtimes.boxes import iou
from sightline import topics
from sightline.kafka import OFFSET_BEGINNING
from sightline.messages import Prediction
from tests.pipeline.conftest import Eyes

FRAMES = 100


def is_true(prediction: Prediction, scene: Conveyor) -> bool:
    """Whether every fully visible parcel of the frame was read, nothing else was, and each box fits."""
    expected = {item.text: item.box for item in scene.expected(prediction.frame.seq)}
    found = {item.text: item.box for item in prediction.predictions}
    return found.keys() == expected.keys() and all((box := found[text]) and iou(box, expected[text]) > 0.7 for text in expected)


def test_it_reads_99_of_100_frames_of_the_demo_right(eyes: Eyes) -> None:
    scene = Conveyor()
    # From the first on: those that were made already need not be waited for.
    predictions = list(islice(eyes.predictions(topics.predictions("conveyor"), "qr", offset=OFFSET_BEGINNING), FRAMES))
    assert sum(is_true(prediction, scene) for prediction in predictions) >= FRAMES - 1
    assert len({prediction.frame.seq for prediction in predictions}) == FRAMES


def test_each_stage_adds_its_time_in_order(eyes: Eyes) -> None:
    prediction = next(eyes.predictions(topics.predictions("conveyor"), "qr"))
    timing = prediction.timing
    assert prediction.frame.captured_at < timing.consumed_at <= timing.started_at < timing.finished_at
