"""A classifier trained by scikit-learn says the same in ONNX Runtime, on arrays and on pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from inference.runtimes import create
from inference.runtimes.base import Image
from inference.runtimes.onnx.model import Onnx, OnnxOptions
from inference.runtimes.tensors import Tensor
from tests.inference.pictures import encode, picture

TRAINING = 1000
DIGITS = [str(digit) for digit in range(10)]


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    data = load_digits()
    return data.data.astype(np.float32), data.target


@pytest.fixture(scope="module")
def classifier(digits: tuple[Tensor, Tensor]) -> Any:
    return LogisticRegression(max_iter=2000, C=0.01).fit(digits[0][:TRAINING], digits[1][:TRAINING])


@pytest.fixture(scope="module", params=[False, True], ids=["tensors", "maps"])
def file(
    request: pytest.FixtureRequest,
    classifier: Any,
    digits: tuple[Tensor, Tensor],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    from skl2onnx import to_onnx  # takes a second, which no process but this test's should pay

    path = tmp_path_factory.mktemp("digits") / "digits.onnx"
    path.write_bytes(
        to_onnx(
            classifier, digits[0][:1], options={id(classifier): {"zipmap": request.param}}
        ).SerializeToString()
    )
    return path


def drawn(digit: Tensor) -> Image:
    """The digit's 8 x 8 values 0..16 as a picture of 256 x 256."""
    large = np.kron(digit.reshape(8, 8) * (255 / 16), np.ones((32, 32)))
    return np.repeat(np.rint(large).astype(np.uint8)[..., np.newaxis], 3, axis=2)


def test_arrays_get_the_same_labels_and_probabilities(
    file: Path, classifier: Any, digits: tuple[Tensor, Tensor]
) -> None:
    backend = Onnx(OnnxOptions(), file=file)
    backend.load()
    test = digits[0][TRAINING:]

    label, probabilities = backend.infer({backend.metadata().inputs[0].name: test}).values()

    assert np.array_equal(label, classifier.predict(test))
    assert np.allclose(probabilities, classifier.predict_proba(test), atol=1e-4)


def test_pictures_get_the_same_labels(
    file: Path, classifier: Any, digits: tuple[Tensor, Tensor]
) -> None:
    model = create(
        "onnx",
        {"input": {"scale": 16 / 255}, "output": {"adapter": "classification", "labels": DIGITS}},
        file=file,
    )
    model.load()
    test = digits[0][TRAINING : TRAINING + 100]

    found = model.predict([picture(encode(drawn(digit), quality=95)) for digit in test])

    assert [item[0].label for item in found] == [
        DIGITS[digit] for digit in classifier.predict(test)
    ]
    assert np.allclose(
        [item[0].score for item in found], classifier.predict_proba(test).max(axis=1), atol=0.05
    )
