from __future__ import annotations

import json
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from inference.runtimes.errors import InferenceError
from sightline.messages import ModelState
from tests.inference.streams.flows import IRIS, Flow, reason
from tests.models_for_tests import BatchModel

MakeFlow = Callable[..., Flow]


def picture(brightness: int, kind: str = ".jpg") -> bytes:
    return cv2.imencode(kind, np.full((48, 64, 3), brightness, np.uint8))[1].tobytes()


def test_it_answers_with_the_key_and_the_headers_of_the_input(flow: MakeFlow) -> None:
    iris = flow("iris_model")
    headers = (("trace", b"\xff\x00"), ("trace", b"2"), ("empty", b""), ("null", None))
    iris.send(IRIS, key=b"flower-7", headers=headers)

    (output,) = iris.records(iris.outputs, 1)

    assert json.loads(output.value or b"") == {"species": "versicolor"}
    assert output.key == b"flower-7"
    assert output.headers == headers


def test_a_whole_number_is_a_number(flow: MakeFlow) -> None:
    iris = flow("iris_model")
    iris.send({**IRIS, "petal_length": 2, "sepal_length": 1})

    assert iris.results(1) == [{"species": "setosa"}]


def test_what_was_sent_before_the_first_start_is_not_lost(flow: MakeFlow) -> None:
    free = flow("free_model")
    free.send(*({"id": number} for number in range(500)))

    assert [result["id"] for result in free.results(500)] == list(range(500))


def test_a_second_start_goes_on_where_the_first_ended(flow: MakeFlow) -> None:
    free = flow("free_model", in_group=True)
    free.send(*({"id": number} for number in range(10)))
    free.results(10)
    free.stop()
    free.send(*({"id": number} for number in range(10, 20)))

    assert [result["id"] for result in free.results(20)] == list(range(20))


def test_order_is_kept_in_each_partition(flow: MakeFlow) -> None:
    free = flow("free_model", partitions=4)
    for partition in range(4):
        free.send(*({"id": number} for number in range(partition, 400, 4)), partition=partition)

    records = free.records(free.outputs, 400)

    for partition in range(4):
        ids = [
            json.loads(record.value or b"")["id"]
            for record in records
            if record.partition == partition
        ]
        assert ids == list(range(partition, 400, 4))


def test_batches_are_as_large_as_the_deployment_says(flow: MakeFlow) -> None:
    BatchModel.calls.clear()
    batches = flow("batch_model", batch=16)
    batches.send(*({"id": number} for number in range(100)))

    assert len(batches.results(100)) == 100
    assert max(BatchModel.calls) == 16
    assert sum(BatchModel.calls) == 100


def test_one_bad_record_costs_its_batch_nothing(flow: MakeFlow) -> None:
    batches = flow("batch_model", batch=16)
    batches.send(*({"id": number, "bad": number == 5} for number in range(12)))

    assert [result["id"] for result in batches.results(11)] == [
        number for number in range(12) if number != 5
    ]
    (letter,) = batches.letters(1)
    assert json.loads(letter.value or b"")["id"] == 5
    assert reason(letter) == "ValueError: a bad one"


def test_its_own_schema_goes_before_the_models(flow: MakeFlow) -> None:
    free = flow(
        "free_model", input_schema='{"type": "object", "properties": {"id": {"type": "integer"}}}'
    )
    free.send({"id": "seven"}, {"id": 7})

    assert free.results(1) == [{"id": 7}]
    assert reason(free.letters(1)[0]) == "The field 'id' must be a whole number; it is \"seven\"."


def test_a_result_that_json_cannot_hold_is_a_dead_letter(flow: MakeFlow) -> None:
    odd = flow("odd_model")
    odd.send(
        {"give": "nan"}, {"give": "list"}, {"give": "object"}, {"give": "large"}, {"give": "numpy"}
    )

    assert odd.results(1) == [{"number": 1.5, "list": [1, 2]}]
    assert [reason(letter) for letter in odd.letters(4)] == [
        "The model's result, in the field 'number', holds a number that is not one (NaN or"
        " infinite).",
        "The model gave a list; a result is an object with names and values.",
        "The model's result, in the field 'thing', holds what JSON cannot: the type object has no"
        " form in JSON.",
        (
            "The answer has 9000111 bytes with its key and headers; Kafka takes 8388608"
            " (KAFKA_MAX_MESSAGE_BYTES)."
        ),
    ]


def test_pictures_are_records_where_the_class_takes_them(flow: MakeFlow) -> None:
    pictures = flow("picture_model")
    pictures.send(picture(200), picture(20, ".png"), key=b"dock")

    bright, dark = pictures.results(2)

    assert bright == {
        "predictions": [{"label": "bright", "score": 1.0, "box": [0.0, 0.0, 1.0, 1.0]}]
    }
    assert dark["predictions"][0]["label"] == "dark"


def test_builtin_models_take_pictures_as_records(flow: MakeFlow) -> None:
    motion = flow("", runtime="builtin-motion", options={})
    motion.send(picture(100), picture(100))

    assert motion.results(2) == [{"predictions": []}, {"predictions": []}]


def test_what_is_no_picture_is_said_plainly(flow: MakeFlow) -> None:
    pictures = flow("picture_model")
    pictures.send(
        b"GIF89a...",
        picture(9)[:60],
        None,
        b"{}",
        b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + b"\xff" * 20,
    )

    assert [reason(letter) for letter in pictures.letters(5)] == [
        "The record is no picture that can be read here: it must be a JPEG or a PNG.",
        "The frame is not a JPEG picture, or its header is broken.",
        "The record is empty (null): there is no picture to look at.",
        "The record is no picture that can be read here: it must be a JPEG or a PNG.",
        "The picture has 4294967295 x 4294967295 pixels; 33 megapixels at most are accepted.",
    ]


def test_the_state_is_told(flow: MakeFlow) -> None:
    free = flow("free_model")
    free.send({"id": 1}, b"{")
    free.results(1)
    free.letters(1)
    free.state.loaded()

    status = free.state.status()
    assert (status.state, status.predicted, status.failed) == (ModelState.RUNNING, 1, 1)
    assert status.latency_p50 > 0


def test_a_class_that_cannot_be_made_says_why(flow: MakeFlow) -> None:
    with pytest.raises(
        InferenceError, match=r"HeavyModel cannot be loaded. FileNotFoundError: the weights"
    ):
        flow("heavy_model").start()
