from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from inference.runtimes.errors import InferenceError
from inference.runtimes.onnx.model import Onnx, OnnxOptions
from inference.runtimes.tensors import Tensor, TensorSpec
from tests.inference.runtimes.onnx import models


def loaded(path: Path) -> Onnx:
    backend = Onnx(OnnxOptions(), file=path)
    backend.load()
    return backend


def rows(count: int) -> Tensor:
    return np.arange(count * 3, dtype=np.float32).reshape(count, 3)


@pytest.mark.parametrize("batch", ["batch", 1, 4])
@pytest.mark.parametrize("count", [1, 3, 4, 9])
def test_any_number_of_rows_goes_through_whatever_batch_the_model_takes(
    tmp_path: Path, batch: int | str, count: int
) -> None:
    backend = loaded(models.doubler(tmp_path / "model.onnx", batch))

    assert np.array_equal(backend.infer({"x": rows(count)})["y"], rows(count) * 2)


def test_it_says_what_it_takes_and_gives(tmp_path: Path) -> None:
    metadata = loaded(models.doubler(tmp_path / "model.onnx")).metadata()

    assert metadata.inputs == (TensorSpec("x", "FP32", (-1, 3)),)
    assert metadata.outputs == (TensorSpec("y", "FP32", (-1, 3)),)
    assert metadata.platform == "onnxruntime"


def test_it_takes_several_inputs(tmp_path: Path) -> None:
    backend = loaded(models.adder(tmp_path / "model.onnx"))

    assert backend.infer({"b": np.array([1.0, 2.0]), "a": np.array([10, 20])})["sum"].tolist() == [
        11.0,
        22.0,
    ]


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64", "uint8", "bool"])
def test_numbers_become_the_type_that_the_model_takes(tmp_path: Path, dtype: str) -> None:
    found = loaded(models.doubler(tmp_path / "model.onnx")).infer({"x": np.ones((2, 3), dtype)})[
        "y"
    ]

    assert found.dtype == np.float32
    assert found.tolist() == [[2.0] * 3] * 2


def test_texts_are_bytes(tmp_path: Path) -> None:
    shapes = [models.tensor_info(name, ["n"], TensorProto.STRING) for name in "xy"]
    backend = loaded(
        models.save(
            tmp_path / "model.onnx",
            [helper.make_node("Identity", ["x"], ["y"])],
            shapes[:1],
            shapes[1:],
        )
    )

    assert backend.infer({"x": np.array([b"caf\xc3\xa9", "plain"], object)})["y"].tolist() == [
        b"caf\xc3\xa9",
        b"plain",
    ]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, r"input 'x' is missing"),
        ({"x": rows(1), "z": rows(1)}, r"no input 'z'\. Its inputs: x\."),
        ({"x": np.zeros((1, 4))}, r"'x' has the shape \(\?, 3\), but \(1, 4\) was given"),
        ({"x": np.zeros(3)}, r"'x' has the shape \(\?, 3\), but \(3\) was given"),
        ({"x": np.array([["a", "b", "c"]])}, r"'x' takes FP32"),
        ({"x": np.array([[b"a", None, 1]], object)}, r"'x' takes FP32"),
    ],
)
def test_it_says_what_is_wrong_with_the_inputs(
    tmp_path: Path, inputs: dict[str, Any], message: str
) -> None:
    backend = loaded(models.doubler(tmp_path / "model.onnx"))

    with pytest.raises(InferenceError, match=message) as caught:
        backend.infer(inputs)
    assert caught.value.permanent


def test_it_says_that_rows_differ(tmp_path: Path) -> None:
    with pytest.raises(InferenceError, match=r"different numbers of rows: 1, 2\."):
        loaded(models.adder(tmp_path / "model.onnx")).infer({"a": np.zeros(1), "b": np.zeros(2)})


def test_a_model_that_fails_while_it_predicts_says_why(tmp_path: Path) -> None:
    weights = [models.constant("shape", [1, 3], "int64")]
    shapes = [models.tensor_info(name, ["n", 3]) for name in "xy"]
    backend = loaded(
        models.save(
            tmp_path / "model.onnx",
            [helper.make_node("Reshape", ["x", "shape"], ["y"])],
            shapes[:1],
            shapes[1:],
            weights,
        )
    )

    with pytest.raises(
        InferenceError, match=r"^The model failed: .*cannot be reshaped.*\.$"
    ) as caught:
        backend.infer({"x": rows(2)})
    assert caught.value.permanent
    assert "/onnxruntime_src" not in str(caught.value)


def test_it_is_asked_only_when_loaded(tmp_path: Path) -> None:
    backend = Onnx(OnnxOptions(), file=models.doubler(tmp_path / "model.onnx"))

    with pytest.raises(InferenceError, match="not loaded"):
        backend.infer({"x": rows(1)})
    backend.load()
    backend.close()
    backend.close()
    with pytest.raises(InferenceError, match="not loaded"):
        backend.infer({"x": rows(1)})


def test_without_a_file_it_says_so() -> None:
    with pytest.raises(InferenceError, match="No ONNX file was uploaded"):
        Onnx(OnnxOptions()).load()


def test_auto_takes_the_cpu_where_there_is_no_gpu(tmp_path: Path) -> None:
    backend = Onnx(OnnxOptions(provider="auto"), file=models.doubler(tmp_path / "model.onnx"))

    backend.load()

    assert backend.infer({"x": rows(1)})
