from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from inference.runtimes.errors import InferenceError, ServerUnavailable
from inference.runtimes.options import parse
from inference.runtimes.pictures.model import PictureModel
from inference.runtimes.tensors import ModelMetadata, Tensor, TensorSpec
from tests.inference.pictures import blank, encode, picture

IMAGES = TensorSpec("images", "FP32", (-1, 3, 8, 8))


class Brightness:
    """A backend that gives the mean of each picture, or the length of each JPEG, and remembers
    what it was asked.
    """

    def __init__(
        self, inputs: Sequence[TensorSpec] = (IMAGES,), error: InferenceError | None = None
    ) -> None:
        self.inputs = tuple(inputs)
        self.error = error
        self.asked: list[dict[str, tuple[int, ...]]] = []
        self.closed = 0

    def load(self) -> None:
        """Nothing to do."""

    def metadata(self) -> ModelMetadata:
        """What it was made with."""
        if self.error is not None:
            raise self.error
        return ModelMetadata("brightness", "1", self.inputs, ())

    def infer(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Two classes: dark and bright."""
        self.asked.append({name: tensor.shape for name, tensor in inputs.items()})
        (tensor,) = inputs.values()
        if tensor.dtype == np.object_:
            return {"y": np.array([len(jpeg) for jpeg in tensor.ravel()])}
        bright = tensor.reshape(len(tensor), -1).mean(axis=1)
        return {"y": np.stack([1 - bright, bright], axis=1)}

    def close(self) -> None:
        """Count."""
        self.closed += 1


def model(
    backend: Brightness, labels: Sequence[str] = ("dark", "bright"), **options: Any
) -> PictureModel:
    output = {"adapter": "classification", "labels": list(labels)}
    made = PictureModel(backend, parse(PictureModel.Options, {"output": output, **options}))
    made.load()
    return made


def labels(made: PictureModel, *grays: int) -> list[str]:
    return [
        found[0].label for found in made.predict([picture(blank(64, 64, gray)) for gray in grays])
    ]


def test_a_batch_goes_to_the_backend_at_once() -> None:
    backend = Brightness()

    assert labels(model(backend), 0, 255, 10) == ["dark", "bright", "dark"]
    assert backend.asked == [{"images": (3, 3, 8, 8)}]


def test_nothing_is_asked_about_no_pictures() -> None:
    backend = Brightness()

    assert model(backend).predict([]) == []
    assert backend.asked == []


@pytest.mark.parametrize(("fixed", "asked"), [(1, [1, 1, 1, 1, 1]), (2, [2, 2, 1]), (8, [5])])
def test_a_model_with_a_fixed_batch_gets_no_more(fixed: int, asked: list[int]) -> None:
    backend = Brightness([TensorSpec("images", "FP32", (fixed, 3, 8, 8))])

    assert labels(model(backend), 0, 255, 0, 255, 0) == ["dark", "bright"] * 2 + ["dark"]
    assert [shapes["images"][0] for shapes in backend.asked] == asked


def test_pictures_in_their_own_size_go_one_by_one() -> None:
    backend = Brightness([TensorSpec("images", "FP32", (-1, -1, -1, 3))])
    made = model(backend, input={"fit": "none"})

    made.predict([picture(blank(64, 48)), picture(blank(32, 16))])

    assert backend.asked == [{"images": (1, 48, 64, 3)}, {"images": (1, 16, 32, 3)}]


def test_jpegs_go_as_they_are() -> None:
    backend = Brightness([TensorSpec("image_bytes", "BYTES", (-1,))])
    jpeg = encode(blank(64, 64))

    found = model(backend, labels=()).predict([picture(jpeg), picture(jpeg)])

    assert backend.asked == [{"image_bytes": (2,)}]
    assert found[0][0].label == f"class {len(jpeg)}"


def test_a_server_that_says_nothing_of_its_model_is_told_everything() -> None:
    backend = Brightness(error=ServerUnavailable("The server has no metadata."))

    made = model(backend, labels=(), input={"name": "image_bytes", "format": "jpeg"})

    assert len(made.predict([picture(blank(8, 8))])) == 1


def test_a_tensor_may_be_told_in_full() -> None:
    backend = Brightness([])
    options = {
        "name": "x",
        "format": "tensor",
        "width": 4,
        "height": 2,
        "layout": "NHWC",
        "colour": "BGR",
        "dtype": "UINT8",
    }

    model(backend, input={**options, "scale": 1 / 255}).predict([picture(blank(8, 8))])

    assert backend.asked == [{"x": (1, 2, 4, 3)}]


def test_a_server_that_is_away_is_told_of_when_it_must_be_asked() -> None:
    with pytest.raises(ServerUnavailable, match="no metadata"):
        model(Brightness(error=ServerUnavailable("The server has no metadata.")))


@pytest.mark.parametrize(
    ("inputs", "options", "message"),
    [
        ([], {}, r"does not say what it takes\. Set the input options 'name', 'width'"),
        (
            [IMAGES, TensorSpec("size", "INT64", (2,))],
            {},
            r"several inputs: images, size\. Set the input option 'name'",
        ),
        ([IMAGES], {"input": {"name": "x"}}, r"no input 'x'\. Its inputs: images\."),
        ([IMAGES], {"input": {"widht": 3}}, r"'input\.widht' is not known\. Known: input\.name"),
        ([IMAGES], {"input": {"mean": [1, 2]}}, r"'input\.mean' has 2 numbers"),
        ([IMAGES], {"output": {"adapter": "yolo", "top": 3}}, r"'output\.top' is not known"),
        ([IMAGES], {"output": "yolo"}, r"'output' must be an object"),
    ],
)
def test_it_says_what_is_wrong_with_the_options(
    inputs: list[TensorSpec], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InferenceError, match=message) as caught:
        model(Brightness(inputs), **options)
    assert caught.value.permanent


def test_a_broken_picture_fails_before_the_backend_is_asked() -> None:
    backend = Brightness()

    with pytest.raises(InferenceError, match="not a JPEG"):
        model(backend).predict([picture(blank(8, 8)), picture(b"<html>")])
    assert backend.asked == []


def test_notes_tell_the_owner_what_to_look_at_once() -> None:
    made = model(Brightness(), labels=["dark"])

    assert not made.notes
    assert labels(made, 255, 255) == ["class 1", "class 1"]
    assert made.notes == (
        'There is no label for class 1 among the 1 labels: it is shown as "class 1".',
    )


def test_closing_closes_the_backend() -> None:
    backend = Brightness()
    made = model(backend)

    made.close()

    assert backend.closed == 1
    with pytest.raises(InferenceError, match="not loaded"):
        made.predict([picture(blank(8, 8))])


def test_closing_without_loading_is_fine() -> None:
    PictureModel(Brightness(), parse(PictureModel.Options, {})).close()
