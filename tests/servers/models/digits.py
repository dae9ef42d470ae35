"""One classifier of handwritten digits for every runtime, and 100 pictures on which all of them
must agree.

Trained on scikit-learn's digits (8 x 8 pixels, ink 0..16), seeded, once; then written in the
formats that servers load.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnx
import simplejpeg
import sklearn
from numpy.typing import NDArray
from onnx import TensorProto, compose, helper
from skl2onnx import to_onnx
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from .venvs import publish, python_of

CACHE = Path(__file__).parents[3] / ".cache" / "models"
EXPORTER = Path(__file__).with_name("programs") / "export_saved_models.py"
OPSET = 17
COUNT = 100
SIDE = 8
# Pixels of a picture for one of a digit: JPEG's block size, so that compression loses little.
CELL = 16
PICTURE_SIZE = (SIDE * CELL, SIDE * CELL)
INK = 16.0
IRIS_FEATURES = ("sepal_length", "sepal_width", "petal_length", "petal_width")


@dataclass(frozen=True, slots=True)
class Digits:
    """Test data, and the trained model's files.

    `pixels` (100, 64) float32 in 0..1; `pictures` the same as JPEG of PICTURE_SIZE, dark
    background; `truth` (100,) what they show; `labels` (100,) what scikit-learn says they show,
    which every runtime must say too; `probabilities` (100, 10) its float64 probabilities.
    """

    folder: Path
    pixels: NDArray[np.float32]
    pictures: tuple[bytes, ...]
    truth: NDArray[np.int64]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]

    @property
    def joblib(self) -> Path:
        """scikit-learn's own: rows of 64 pixels."""
        return self.folder / "digits.joblib"

    @property
    def onnx(self) -> Path:
        """Input `pixels` (N, 64) FP32; outputs `label` (N,) INT64, `probabilities` (N, 10) FP32.
        Written by skl2onnx.
        """
        return self.folder / "digits.onnx"

    @property
    def onnx_pictures(self) -> Path:
        """The same with the input `picture` (N, 8, 8, 1) FP32, grey, 0..1: the picture 8 x 8,
        scale 1/255, NHWC.
        """
        return self.folder / "digits-pictures.onnx"

    @property
    def weights(self) -> Path:
        """numpy's .npz: w0 (64, 32), b0, w1 (32, 10), b1; ReLU between, softmax at the end."""
        return self.folder / "digits.npz"

    @property
    def iris_joblib(self) -> Path:
        """A classifier of iris flowers: four columns by name (IRIS_FEATURES), labels setosa,
        versicolor, virginica.
        """
        return self.folder / "iris.joblib"

    @property
    def iris_onnx(self) -> Path:
        """The same: input `features` (N, 4) FP32; outputs `label` (N,) string, `probabilities`
        (N, 3) FP32.
        """
        return self.folder / "iris.onnx"

    def saved_models(self) -> Path:
        """A folder as TensorFlow Serving's --model_base_path: <model>/<version>; made by TensorFlow
        on first use.

        `digits`: serving_default takes `pixels`, gives `label` and `probabilities`; its
        signature `pictures`, and the model `pictures` by default, take `image_bytes` (JPEG) and
        give `classes` and `probabilities` of eleven classes, the first of which is the
        background, as the published ResNets do: digit = classes - 1.
        """
        folder = self.folder / f"saved-{hashlib.sha256(EXPORTER.read_bytes()).hexdigest()[:12]}"
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
                made = Path(scratch) / "models"
                command: list[str | Path] = [
                    python_of("tfserving"),
                    "-I",
                    EXPORTER,
                    self.weights,
                    made,
                ]
                subprocess.run(
                    command, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=120
                )
                publish(made, folder)
        return folder


def digits() -> Digits:
    """The test data and the trained model's files; trains when this file or scikit-learn changed
    (2 s).
    """
    source = load_digits()
    split = train_test_split(
        source.data / INK, source.target, test_size=COUNT, random_state=7, stratify=source.target
    )
    train, test, train_labels, truth = split
    folder = (
        CACHE
        / hashlib.sha256(Path(__file__).read_bytes() + sklearn.__version__.encode()).hexdigest()[
            :12
        ]
    )
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            made = Path(scratch) / "models"
            made.mkdir()
            _export_digits(_train(train, train_labels), made)
            _export_iris(made)
            publish(made, folder)
    model: MLPClassifier = joblib.load(folder / "digits.joblib")
    pictures = tuple(picture(row) for row in test)
    return Digits(
        folder,
        test.astype(np.float32),
        pictures,
        truth,
        model.predict(test),
        model.predict_proba(test),
    )


def picture(pixels: NDArray[Any]) -> bytes:
    """64 pixels in 0..1 as a JPEG in colour, 16 times as large, white ink on black."""
    grey = np.rint(pixels.reshape(SIDE, SIDE) * 255).astype(np.uint8)
    large = grey.repeat(CELL, axis=0).repeat(CELL, axis=1)
    jpeg: bytes = simplejpeg.encode_jpeg(
        np.stack([large] * 3, axis=-1), quality=95, colorspace="BGR"
    )
    return jpeg


def _train(rows: NDArray[Any], labels: NDArray[Any]) -> MLPClassifier:
    model = MLPClassifier(hidden_layer_sizes=(32,), random_state=7, max_iter=1000)
    model.fit(rows, labels)
    return model


def _export_digits(model: MLPClassifier, folder: Path) -> None:
    joblib.dump(model, folder / "digits.joblib")
    (w0, w1), (b0, b1) = model.coefs_, model.intercepts_
    np.savez(folder / "digits.npz", w0=w0, b0=b0, w1=w1, b1=b1)
    rows = _to_onnx(model, SIDE * SIDE, "pixels")
    onnx.save(rows, folder / "digits.onnx")
    onnx.save(_with_flatten(rows), folder / "digits-pictures.onnx")


def _export_iris(folder: Path) -> None:
    source = load_iris()
    model = LogisticRegression(max_iter=1000, random_state=7)
    model.fit(source.data, source.target_names[source.target].astype(object))
    onnx.save(_to_onnx(model, len(IRIS_FEATURES), "features"), folder / "iris.onnx")
    # What fit() notes of a DataFrame: the model then takes its columns by name.
    model.feature_names_in_ = np.array(IRIS_FEATURES, dtype=object)
    joblib.dump(model, folder / "iris.joblib")


def _to_onnx(model: Any, width: int, name: str) -> onnx.ModelProto:
    made = to_onnx(
        model, np.zeros((1, width), np.float32), options={"zipmap": False}, target_opset=OPSET
    )
    return _renamed(made, {made.graph.input[0].name: name})


def _renamed(model: onnx.ModelProto, names: dict[str, str]) -> onnx.ModelProto:
    for value in model.graph.input:
        value.name = names.get(value.name, value.name)
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
    onnx.checker.check_model(model)
    return model


def _with_flatten(rows: onnx.ModelProto) -> onnx.ModelProto:
    shape: list[int | None] = [None, SIDE, SIDE, 1]
    taken = helper.make_tensor_value_info("picture", TensorProto.FLOAT, shape)
    given = helper.make_tensor_value_info("flat", TensorProto.FLOAT, [None, SIDE * SIDE])
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["picture"], ["flat"])], "flatten", [taken], [given]
    )
    first = helper.make_model(
        graph, opset_imports=list(rows.opset_import), ir_version=rows.ir_version
    )
    return compose.merge_models(first, rows, io_map=[("flat", "pixels")])
