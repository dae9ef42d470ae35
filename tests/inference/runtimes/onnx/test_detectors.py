"""The whole way from a camera's JPEG to boxes in it, through ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inference.runtimes import InferenceError, create
from inference.runtimes.base import Runtime
from tests.inference.pictures import picture
from tests.inference.runtimes.onnx import models
from tests.inference.runtimes.onnx.scenes import scene, sees

SQUARES = (("red", 1, 3), ("green", 4, 2), ("blue", 6, 5))
YOLO = {"output": {"adapter": "yolo", "labels": list(models.COLOURS)}}
SSD = {"output": {"adapter": "ssd", "labels": list(models.COLOURS), "offset": -1}}


def loaded(file: Path, **options: Any) -> Runtime:
    model = create("onnx", options, file=file)
    model.load()
    return model


@pytest.mark.parametrize(("make", "options"), [(models.yolo, YOLO), (models.ssd, SSD)])
def test_a_detector_finds_each_square_where_it_is(
    tmp_path: Path, make: Any, options: dict[str, Any]
) -> None:
    model = loaded(make(tmp_path / "model.onnx"), **options)

    assert sees(model.predict([picture(scene(*SQUARES))])[0], *SQUARES)
    assert model.predict([picture(scene())]) == [()]
    assert model.predict([]) == []


@pytest.mark.parametrize("batch", ["batch", 1, 2, 3])
def test_each_picture_of_a_batch_gets_its_own_boxes_whatever_batch_the_model_takes(
    tmp_path: Path, batch: int | str
) -> None:
    model = loaded(models.yolo(tmp_path / "model.onnx", batch), **YOLO)
    scenes: list[tuple[tuple[str, int, int], ...]] = [(("red", column, 3),) for column in range(5)]

    found = model.predict([picture(scene(*squares)) for squares in scenes])

    assert len(found) == 5
    assert all(sees(one, *squares) for one, squares in zip(found, scenes, strict=True))


def test_colours_in_the_wrong_order_are_other_classes(tmp_path: Path) -> None:
    model = loaded(models.yolo(tmp_path / "model.onnx"), input={"colour": "BGR"}, **YOLO)

    assert sees(model.predict([picture(scene(("red", 1, 3)))])[0], ("blue", 1, 3))


def test_labels_come_from_the_file_when_none_are_given(tmp_path: Path) -> None:
    model = loaded(models.yolo(tmp_path / "model.onnx"), output={"adapter": "yolo"})

    assert sees(model.predict([picture(scene(*SQUARES))])[0], *SQUARES)


def test_labels_that_are_given_count_more_than_the_files(tmp_path: Path) -> None:
    model = loaded(
        models.yolo(tmp_path / "model.onnx"),
        output={"adapter": "yolo", "labels": "rot\ngrün\nblau"},
    )

    assert [item.label for item in model.predict([picture(scene(("green", 4, 2)))])[0]] == ["grün"]


def test_without_an_adapter_the_tensors_are_shown(tmp_path: Path) -> None:
    (found,) = loaded(models.yolo(tmp_path / "model.onnx")).predict([picture(scene())])[0]

    assert '"output0":{"datatype":"FP32","shape":[7,64]' in (found.text or "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input": {"name": "image"}}, r"no input 'image'\. Its inputs: images\."),
        ({"input": {"width": 640, "height": 640}}, r"but the options make \(\?, 3, 640, 640\)"),
        ({"provider": "cuda"}, "has no CUDA"),
    ],
)
def test_loading_says_what_to_set(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InferenceError, match=message) as caught:
        loaded(models.yolo(tmp_path / "model.onnx"), **options)
    assert caught.value.permanent


def test_the_wrong_adapter_says_what_the_model_gives(tmp_path: Path) -> None:
    model = loaded(models.yolo(tmp_path / "model.onnx"), output={"adapter": "ssd"})

    with pytest.raises(InferenceError, match=r"no output 'detection_boxes'\. Its outputs: output0"):
        model.predict([picture(scene())])


def test_a_model_of_several_inputs_asks_which_one_is_the_picture(tmp_path: Path) -> None:
    with pytest.raises(InferenceError, match=r"several inputs: a, b\. Set the input option 'name'"):
        loaded(models.adder(tmp_path / "model.onnx"))
