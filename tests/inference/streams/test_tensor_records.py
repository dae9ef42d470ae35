"""Records through any backend of tensors."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.plans import RecordPlan
from inference.runtimes.batching import results_of
from inference.runtimes.errors import InferenceError
from inference.runtimes.options import parse
from inference.runtimes.records import RecordModel, RecordOptions
from inference.runtimes.tensors import ModelMetadata, Tensor, TensorSpec
from inference.streams.codec.schema import RecordError, RecordSchema
from inference.streams.predict import RecordFailure, RecordPredictor
from sightline.kafka import Record

FEATURES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF"


class Echo:
    """Gives its inputs back, or what it is told to."""

    def __init__(self, *inputs: TensorSpec, outputs: Mapping[str, Tensor] | None = None) -> None:
        self.inputs = inputs
        self.outputs = outputs
        self.asked: list[Mapping[str, Tensor]] = []

    def load(self) -> None: ...

    def close(self) -> None: ...

    def metadata(self) -> ModelMetadata:
        return ModelMetadata("echo", "1", self.inputs, self.inputs)

    def infer(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        self.asked.append(inputs)
        return dict(self.outputs or inputs)


def model(backend: Echo, **options: Any) -> RecordModel:
    made = RecordModel(backend, parse(RecordOptions, options))
    made.load()
    return made


def record(value: bytes) -> Record:
    return Record("inputs", 0, 0, 0, None, value, ())


def told(results: Sequence[object]) -> list[Any]:
    return [str(result) if isinstance(result, InferenceError) else result for result in results]


def test_each_input_is_a_field_and_each_output_too() -> None:
    echo = Echo(
        TensorSpec("x", "FP32", (-1, 2)),
        TensorSpec("name", "BYTES", (-1,)),
        TensorSpec("n", "INT64", (-1, 1)),
    )

    records: list[Mapping[str, Any]] = [
        {"x": [1, 2.5], "name": "ä", "n": 7},
        {"x": [3, 4], "name": "b", "n": [8]},
    ]

    results = results_of(model(echo).predict_records, records, "records")

    assert results == [
        {"x": [1.0, 2.5], "name": "ä", "n": [7]},
        {"x": [3.0, 4.0], "name": "b", "n": [8]},
    ]


def test_one_record_that_does_not_fit_costs_only_itself() -> None:
    echo = Echo(TensorSpec("x", "INT32", (-1, 2)))

    records: list[Mapping[str, Any]] = [
        {"x": [1, 2]},
        {"x": [1]},
        {"x": [1.5, 2]},
        {"x": ["a", "b"]},
        {"y": 1},
        {"x": [2**40, 1]},
        {"x": [3, 4]},
    ]

    results = told(results_of(model(echo).predict_records, records, "records"))

    assert results == [
        {"x": [1, 2]},
        "The field 'x' is a list of 1; the model takes a list of 2.",
        "The field 'x' must be a whole number.",
        "The field 'x' must be a number, or a list of numbers.",
        "The field 'x' is missing.",
        "The field 'x' must be from -2147483648 to 2147483647.",
        {"x": [3, 4]},
    ]


@pytest.mark.parametrize("datatype", ["", "INT64", "FP32", "FP64"])
def test_a_result_does_not_depend_on_the_neighbours(datatype: str) -> None:
    """One float in a batch would make floats of all numbers, and round the large ones."""
    echo = Echo(*([TensorSpec("x", datatype, (-1,))] if datatype else []))
    records: list[dict[str, Any]] = [{"x": 2**53 + 1}, {"x": 4.0}, {"x": 7}, {"x": True}]
    made = model(echo)

    together = results_of(made.predict_records, records, "records")

    alone = [made.predict_records([record])[0] for record in records]
    assert [repr(result) for result in together] == [repr(result) for result in alone]


def test_fields_do_not_depend_on_the_neighbours() -> None:
    """The fields of the first record would be those of all: without a "y", nothing would fail."""
    records: list[dict[str, Any]] = [{"x": 1}, {"x": 2, "y": 3}, {"x": 5}]

    assert results_of(model(Echo()).predict_records, records, "records") == records


def test_features_are_stacked_in_their_order() -> None:
    echo = Echo(
        TensorSpec("input", "FP32", (-1, 4)),
        outputs={"label": np.array([0, 2]), "scores": np.array([[0.9, 0.1, 0.0], [0.0, 0.2, 0.8]])},
    )
    records: list[dict[str, Any]] = [
        dict.fromkeys(FEATURES, 1) | {"petal_width": 4, "note": "kept out"},
        dict(zip(reversed(FEATURES), range(4), strict=True)),
    ]

    results = model(
        echo, features=FEATURES, labels=["setosa", "versicolor"], label_field="species"
    ).predict_records(records)

    np.testing.assert_array_equal(
        echo.asked[0]["input"], np.array([[1, 1, 1, 4], [3, 2, 1, 0]], np.float32)
    )
    assert echo.asked[0]["input"].dtype == np.float32
    assert results == [
        {"label": 0, "scores": [0.9, 0.1, 0.0], "species": "setosa"},
        {"label": 2, "scores": [0.0, 0.2, 0.8], "species": "class 2"},
    ]


def test_labels_can_come_from_scores() -> None:
    echo = Echo(
        TensorSpec("x", "FP32", (-1,)),
        outputs={"id": np.array([b"a"], object), "scores": np.array([[0.1, 0.7]])},
    )
    (result,) = model(echo, labels=["no", "yes"], label_from="scores").predict_records([{"x": 1}])
    assert result == {"id": "a", "scores": [0.1, 0.7], "label": "yes"}
    with pytest.raises(
        InferenceError,
        match="The model has no output 'score' to take the label from; it has id, scores",
    ):
        model(echo, labels=["no"], label_from="score").predict_records([{"x": 1}])


def test_the_schema_comes_from_the_model() -> None:
    schema = RecordSchema(
        model(
            Echo(
                TensorSpec("x", "FP32", (-1, 2)),
                TensorSpec("n", "INT64", (-1, 1)),
                TensorSpec("s", "BYTES", (-1,)),
            )
        ).input_schema
    )

    schema.check({"x": [1, 2], "n": 1, "s": "a"})
    schema.check({"x": [1, 2], "n": [1], "s": "a", "more": 1})
    for wrong in (
        {"x": [1], "n": 1, "s": "a"},
        {"x": [1, 2], "n": 1.5, "s": "a"},
        {"x": [1, 2], "n": 1},
    ):
        with pytest.raises(RecordError):
            schema.check(wrong)


def test_a_model_that_does_not_say_what_it_takes_is_given_all_fields() -> None:
    echo = Echo()
    assert model(echo).predict_records([{"a": 1.5, "b": [1, 2], "c": "x"}]) == [
        {"a": 1.5, "b": [1, 2], "c": "x"}
    ]


def test_too_few_results_are_said() -> None:
    echo = Echo(TensorSpec("x", "FP32", (-1,)), outputs={"y": np.array([1.0])})
    with pytest.raises(
        InferenceError, match="The model's output 'y' is for 1 records; it was asked about 2"
    ):
        model(echo).predict_records([{"x": 1}, {"x": 2}])


def test_a_classifier_from_scikit_learn_answers_records_as_onnx(tmp_path: Path) -> None:
    from skl2onnx import to_onnx
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    iris = load_iris()
    classifier = LogisticRegression(max_iter=500).fit(iris.data, iris.target)
    file = tmp_path / "iris.onnx"
    exported = to_onnx(
        classifier, iris.data[:1].astype(np.float32), options={"zipmap": False}, target_opset=15
    )
    file.write_bytes(exported.SerializeToString())
    options = {"features": FEATURES, "labels": list(iris.target_names), "label_field": "species"}
    predictor = RecordPredictor(
        RecordPlan(
            model="iris", version="1", runtime="onnx", options=json.dumps(options), file=str(file)
        ),
        threading.Event(),
    )
    predictor.load()
    values = [
        json.dumps(dict(zip(FEATURES, row, strict=True))).encode() for row in iris.data.tolist()
    ]

    found = predictor.predict([record(value) for value in [JPEG, *values]])

    assert isinstance(found[0], RecordFailure)
    assert isinstance(found[0].error, RecordError)
    assert str(found[0].error) == "The record is a picture, but the model takes JSON."
    assert [json.loads(answer)["species"] for answer in found[1:] if isinstance(answer, bytes)] == [
        iris.target_names[number] for number in classifier.predict(iris.data)
    ]
    predictor.close()
