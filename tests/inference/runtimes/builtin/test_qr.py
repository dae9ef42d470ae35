from __future__ import annotations

import cv2
import numpy as np
import pytest

from cameras.sources.demo.scene import Conveyor
from inference.runtimes import create
from inference.runtimes.base import Runtime
from inference.runtimes.boxes import iou
from sightline.messages import Box
from tests.inference.pictures import Image, blank, picture, qr_code


@pytest.fixture(scope="module")
def codes() -> Runtime:
    model = create("builtin-qr", {})
    model.load()
    return model


def put(image: Image, text: str, x: int, y: int, module: int) -> Box:
    """A white label with a code; gives the box of the symbol."""
    symbol = qr_code(text, module)
    side = symbol.shape[0]
    quiet = 4 * module
    image[y - quiet : y + side + quiet, x - quiet : x + side + quiet] = 255
    image[y : y + side, x : x + side] = symbol
    height, width = image.shape[:2]
    return x / width, y / height, (x + side) / width, (y + side) / height


def test_it_reads_the_demo_scene(codes: Runtime) -> None:
    scene = Conveyor()
    right = 0
    for seq in range(99, 199):
        jpeg = scene.jpeg(seq, seq * 100_000_000, 80, None)
        (found,) = codes.predict([picture(jpeg.data, seq)])
        truth = scene.expected(seq)
        same = [code.text for code in found] == [code.text for code in truth]
        right += same and all(
            iou(seen.box, true.box) > 0.7
            for seen, true in zip(found, truth, strict=True)
            if seen.box
        )

    assert right >= 99


def test_it_reads_several_codes_from_left_to_right(codes: Runtime) -> None:
    image = blank()
    second = put(image, "PARCEL-0042", 700, 400, 7)
    first = put(image, "PARCEL-0041", 200, 300, 6)

    (found,) = codes.predict([picture(image)])

    assert [(code.label, code.text, code.score) for code in found] == [
        ("qr", "PARCEL-0041", 1.0),
        ("qr", "PARCEL-0042", 1.0),
    ]
    assert found[0].box is not None
    assert found[1].box is not None
    assert iou(found[0].box, first) > 0.9
    assert iou(found[1].box, second) > 0.9


def test_a_code_too_small_for_the_working_width_is_read_at_full_scale() -> None:
    image = blank()
    truth = put(image, "PARCEL-0041", 600, 300, 7)
    model = create("builtin-qr", {"width": 400})
    model.load()

    ((found,),) = model.predict([picture(image)])

    assert found.text == "PARCEL-0041"
    assert found.box is not None
    assert iou(found.box, truth) > 0.9


def test_a_turned_code_is_read(codes: Runtime) -> None:
    image = blank()
    put(image, "PARCEL-0041", 560, 280, 7)
    turn = cv2.getRotationMatrix2D((640, 360), 30, 1)

    ((found,),) = codes.predict(
        [picture(np.asarray(cv2.warpAffine(image, turn, (1280, 720)), np.uint8))]
    )

    assert found.text == "PARCEL-0041"


@pytest.mark.parametrize("text", ["Grüße, 東京", "https://example.com/?a=1&b=2", "0123456789"])
def test_it_reads_other_contents(codes: Runtime, text: str) -> None:
    image = blank()
    put(image, text, 500, 250, 7)

    ((found,),) = codes.predict([picture(image)])

    assert found.text == text


def test_a_code_that_cannot_be_read_is_left_out(codes: Runtime) -> None:
    image = blank()
    put(image, "PARCEL-0041", 500, 250, 7)
    image[300:390, 560:640] = 255

    assert codes.predict([picture(image)]) == [()]


def test_a_code_that_the_edge_cuts_is_left_out(codes: Runtime) -> None:
    image = blank()
    put(image, "PARCEL-0041", 600, 300, 7)

    assert codes.predict([picture(np.ascontiguousarray(image[:, :680]))]) == [()]


def test_a_batch_gives_each_picture_its_own(codes: Runtime) -> None:
    first, second = blank(), blank()
    put(first, "A", 500, 250, 7)
    put(second, "B", 500, 250, 7)

    found = codes.predict([picture(first), picture(second)])

    assert [[code.text for code in codes_of] for codes_of in found] == [["A"], ["B"]]
