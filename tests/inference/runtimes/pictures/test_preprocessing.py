from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from inference.runtimes.base import Image, Picture
from inference.runtimes.errors import InferenceError
from inference.runtimes.options import parse
from inference.runtimes.pictures.input import InputOptions, resolve
from inference.runtimes.pictures.preprocessing import Preprocessor
from inference.runtimes.placement import Placement
from inference.runtimes.tensors import Tensor, TensorSpec
from sightline.messages import Frame, FrameRef
from tests.inference.pictures import blank, encode, noise, picture

NCHW = TensorSpec("images", "FP32", (-1, 3, 64, 64))


def array(image: Image) -> Picture:
    """A picture that no JPEG has blurred."""
    return Picture.of_array(image, "dock", FrameRef(1, 1, image.shape[1], image.shape[0], 0))


def prepared(
    image: Image | Picture, spec: TensorSpec = NCHW, **options: Any
) -> tuple[Tensor, Placement]:
    made = Preprocessor(resolve(parse(InputOptions, options), spec), rank=len(spec.shape))
    tensor, placements = made([image if isinstance(image, Picture) else array(image)])
    return tensor[0].copy(), placements[0]


def colourful(width: int = 64, height: int = 64) -> Image:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)


def test_it_gives_red_green_blue_in_planes_from_0_to_1() -> None:
    image = colourful()

    tensor, _ = prepared(image)

    assert tensor.shape == (3, 64, 64)
    assert tensor.dtype == np.float32
    assert np.array_equal(tensor, (image[..., ::-1].transpose(2, 0, 1) / 255).astype(np.float32))


@pytest.mark.parametrize(
    ("options", "shape", "expected"),
    [
        ({"colour": "BGR"}, (-1, 3, 64, 64), lambda image: image.transpose(2, 0, 1) / 255),
        ({}, (-1, 64, 64, 3), lambda image: image[..., ::-1] / 255),
        ({"colour": "BGR"}, (-1, 64, 64, 3), lambda image: image / 255),
        ({"scale": 1.0}, (-1, 3, 64, 64), lambda image: image[..., ::-1].transpose(2, 0, 1)),
        (
            {"scale": 2.0, "mean": [1, 2, 3], "std": [4, 5, 6]},
            (-1, 64, 64, 3),
            lambda image: (image[..., ::-1] * 2.0 - [1, 2, 3]) / [4, 5, 6],
        ),
        (
            {"mean": [0.5], "std": [0.25]},
            (-1, 64, 64, 3),
            lambda image: (image[..., ::-1] / 255 - 0.5) / 0.25,
        ),
        (
            {"mean": [0.5, 0.4, 0.3]},
            (-1, 3, 64, 64),
            lambda image: (image[..., ::-1] / 255 - [0.5, 0.4, 0.3]).transpose(2, 0, 1),
        ),
        (
            {},
            (-1, 1, 64, 64),
            lambda image: cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[np.newaxis] / 255,
        ),
        (
            {},
            (-1, 64, 64, 1),
            lambda image: cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., np.newaxis] / 255,
        ),
        ({}, (-1, 64, 64), lambda image: cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) / 255),
        ({}, (-1, 4096), lambda image: cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).ravel() / 255),
        ({}, (-1, 12288), lambda image: image[..., ::-1].ravel() / 255),
    ],
)
def test_values_colours_and_axes_are_as_the_model_wants_them(
    options: dict[str, Any], shape: tuple[int, ...], expected: Any
) -> None:
    image = colourful()

    tensor, _ = prepared(image, TensorSpec("x", "FP32", shape), **options)

    assert tensor.shape == shape[1:]
    assert np.allclose(tensor, expected(image), atol=1e-6)


@pytest.mark.parametrize(
    "datatype", ["FP64", "FP32", "FP16", "UINT8", "INT8", "UINT16", "INT16", "INT32"]
)
@pytest.mark.parametrize("shape", [(-1, 3, 64, 64), (-1, 64, 64, 3), (-1, 64, 64)])
def test_whole_numbers_are_kept_and_bounded(datatype: str, shape: tuple[int, ...]) -> None:
    image = blank(32, 64, 200)

    tensor, _ = prepared(image, TensorSpec("x", datatype, shape), scale=1.0, pad=3)

    assert (tensor.min(), tensor.max()) == (3, 127 if datatype == "INT8" else 200)


def test_whole_numbers_are_not_scaled_unless_told() -> None:
    assert prepared(blank(64, 64, 7), TensorSpec("x", "UINT8", (-1, 3, 64, 64)))[0].max() == 7
    assert (
        prepared(
            blank(64, 64, 7), TensorSpec("x", "INT8", (-1, 3, 64, 64)), scale=0.5, mean=[10.0]
        )[0].max()
        == -6
    )


def test_a_letterbox_keeps_the_whole_picture_in_the_middle() -> None:
    tensor, placement = prepared(blank(128, 72, 255), pad=0)

    assert placement == Placement(64, 64, 0, 14, 64, 36)
    assert tensor[:, 14:50].min() == 1.0
    assert tensor[:, :14].max() == tensor[:, 50:].max() == 0.0


def test_a_letterbox_has_its_bars_at_the_sides_of_an_upright_picture() -> None:
    tensor, placement = prepared(
        blank(72, 128, 255), TensorSpec("x", "FP32", (-1, 64, 64, 3)), pad=51
    )

    assert placement == Placement(64, 64, 14, 0, 36, 64)
    assert tensor[:, 14:50].min() == 1.0
    assert np.allclose(tensor[:, :14], 0.2)
    assert np.allclose(tensor[:, 50:], 0.2)


def test_bars_are_drawn_anew_for_each_picture() -> None:
    made = Preprocessor(resolve(InputOptions(), NCHW))

    made([array(blank(64, 64, 255))])
    tensor, _ = made([array(blank(64, 32, 255))])

    assert np.allclose(tensor[0, :, :16], 114 / 255)
    assert np.allclose(tensor[0, :, 48:], 114 / 255)


def test_stretching_fills_the_input() -> None:
    tensor, placement = prepared(blank(128, 72, 255), fit="stretch", pad=0)

    assert placement == Placement(64, 64, 0, 0, 64, 64)
    assert tensor.min() == 1.0


def test_cropping_shows_the_middle() -> None:
    image = blank(200, 100, 0)
    image[:, 50:150] = 255

    tensor, placement = prepared(image, fit="crop")

    assert placement == Placement(64, 64, -32, 0, 128, 64)
    assert tensor[:, :, 1:-1].min() == 1.0


def test_a_picture_may_keep_its_own_size() -> None:
    spec = TensorSpec("x", "UINT8", (-1, -1, -1, 3))

    tensor, placement = prepared(colourful(50, 30), spec, fit="none")

    assert tensor.shape == (30, 50, 3)
    assert placement == Placement(50, 30, 0, 0, 50, 30)


def test_small_pictures_are_enlarged() -> None:
    tensor, placement = prepared(blank(16, 8, 255), pad=0)

    assert placement == Placement(64, 64, 0, 16, 64, 32)
    assert tensor[:, 16:48].min() == 1.0


@pytest.mark.parametrize("fit", ["letterbox", "stretch", "crop"])
@pytest.mark.parametrize(
    "shape", [(-1, 3, 64, 64), (-1, 64, 64, 3), (-1, 48, 64), (-1, 3, 1, 1), (-1, 1, 1, 3)]
)
@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (641, 361), (3, 2), (64, 64)])
def test_every_size_of_picture_fills_every_value(
    size: tuple[int, int], shape: tuple[int, ...], fit: str
) -> None:
    layout = "NHWC" if shape[-1] == 3 else "NCHW" if len(shape) == 4 else "NHW"
    spec = TensorSpec("x", "FP32", shape)
    made = Preprocessor(resolve(InputOptions(fit=fit, layout=layout, pad=255), spec))
    made([picture(blank(*size, 0))])[0][:] = np.nan

    tensor, (placement,) = made([picture(blank(*size, 255))])

    assert tensor.min() > 0.98
    assert placement.across > 0
    assert placement.down > 0


@pytest.mark.parametrize("fit", ["letterbox", "stretch", "crop"])
@pytest.mark.parametrize("claimed", [(1280, 720), (720, 1280), (1, 1), (0, 0), (640, 360)])
def test_a_frame_that_lies_about_its_size_is_placed_by_its_true_one(
    claimed: tuple[int, int], fit: str
) -> None:
    image = blank(640, 360, 255)
    liar = Picture(Frame("dock", 1, 1, *claimed, encode(image)))

    _, placement = prepared(liar, fit=fit)

    assert placement.across / placement.down == pytest.approx(
        64 / 64 if fit == "stretch" else 640 / 360, rel=0.03
    )


@pytest.mark.parametrize("fit", ["letterbox", "stretch", "crop"])
@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (641, 361)])
def test_boxes_find_their_way_back(size: tuple[int, int], fit: str) -> None:
    image = blank(*size, 0)
    width, height = size
    box = (0.4, 0.45, 0.6, 0.55)
    x0, y0, x1, y1 = (
        round(value * length) for value, length in zip(box, (width, height) * 2, strict=True)
    )
    image[y0:y1, x0:x1] = 255

    tensor, placement = prepared(
        picture(image), TensorSpec("x", "UINT8", (-1, 256, 256)), fit=fit, pad=0
    )
    rows, columns = np.nonzero(tensor > 127)
    seen = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], np.float64)

    assert placement.to_picture(seen)[0] == pytest.approx(box, abs=0.01)
    assert placement.to_picture(seen / 256, normalised=True)[0] == pytest.approx(box, abs=0.01)


def test_boxes_beyond_the_picture_are_clipped() -> None:
    _, placement = prepared(blank(128, 72))

    assert placement.to_picture(np.array([[-99.0, 0.0, 32.0, np.inf]])).tolist() == [
        [0.0, 0.0, 0.5, 1.0]
    ]


def test_a_batch_is_one_array_that_is_used_again() -> None:
    made = Preprocessor(resolve(InputOptions(), NCHW))

    first, placements = made([array(blank(64, 64, gray)) for gray in (0, 255, 51)])
    means = [round(float(part.mean()), 3) for part in first]
    second, _ = made([array(blank(64, 64, 102))])

    assert means == [0.0, 1.0, 0.2]
    assert len(placements) == 3
    assert second.base is first.base
    assert second.shape == (1, 3, 64, 64)
    assert second.mean() == pytest.approx(0.4)


def test_a_jpeg_goes_to_the_model_as_it_is() -> None:
    jpeg = encode(noise())
    made = Preprocessor(
        resolve(InputOptions(format="jpeg", name="image_bytes"), TensorSpec("image_bytes", "", ())),
        rank=1,
    )

    tensor, placements = made([picture(jpeg), picture(jpeg)])

    assert tensor.tolist() == [jpeg, jpeg]
    assert placements[0] == Placement(640, 360, 0, 0, 640, 360)


def test_a_jpeg_goes_to_inputs_of_bytes_whatever_their_axes() -> None:
    made = Preprocessor(
        resolve(InputOptions(), TensorSpec("image_bytes", "BYTES", (-1, 1))), rank=2
    )

    assert made([picture(noise())])[0].shape == (1, 1)


@pytest.mark.parametrize("form", ["jpeg", "tensor"])
def test_a_broken_picture_is_found_out_before_the_model_is_asked(form: str) -> None:
    with pytest.raises(InferenceError, match="not a JPEG") as caught:
        prepared(picture(b"<html>"), format=form)
    assert caught.value.permanent


def test_it_decodes_no_larger_than_needed() -> None:
    made = picture(noise(1280, 720))

    prepared(made)

    assert made.decodings == (("BGR", 64),)


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        (
            NCHW,
            {"width": 32, "height": 32},
            (
                r"'images' has the shape \(\?, 3, 64, 64\), but the options make \(\?, 3, 32,"
                r" 32\)\. Set the input options 'width'"
            ),
        ),
        (NCHW, {"colour": "GRAY"}, r"but the options make \(\?, 1, 64, 64\)"),
        (NCHW, {"layout": "NHWC"}, r"but the options make"),
        (NCHW, {"dtype": "UINT8"}, r"takes FP32; .* Set the input option 'dtype'"),
        (
            TensorSpec("x", "FP32", (-1, 3, -1, -1)),
            {},
            "leaves the size of pictures open. Set the input options 'width' and 'height'",
        ),
        (
            TensorSpec("x", "FP32", (-1, 100, 7)),
            {"mean": [1, 2, 3]},
            "has one colour, but the input option 'mean' has 3 numbers",
        ),
        (TensorSpec("x", "INT64", (-1, 3, 64, 64)), {}, "takes INT64"),
        (TensorSpec("x", "", (-1, 3, 64, 64)), {}, "takes an unknown type"),
        (TensorSpec("x", "FP32", (-1, 1, 3, 64, 64)), {}, "has 5 axes; pictures have 2 to 4"),
        (TensorSpec("x", "FP32", (-1, 30)), {}, "leaves the size of pictures open"),
        (TensorSpec("x", "FP32", (-1, 5, 64, 64)), {}, r"but the options make \(\?, 3, 64, 64\)"),
    ],
)
def test_it_says_why_pictures_do_not_fit_the_model(
    spec: TensorSpec, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InferenceError, match=message) as caught:
        prepared(blank(64, 64), spec, **options)
    assert caught.value.permanent
