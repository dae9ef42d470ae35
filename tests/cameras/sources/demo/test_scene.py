"""The demo scene shows what it claims to show, so that predictions can be compared with it."""

from __future__ import annotations

import itertools
import time

import cv2
import numpy as np
import pytest
import simplejpeg

from cameras.sources.demo.scene import Conveyor, ExpectedCode

Box = tuple[float, float, float, float]

NOW = time.time_ns()


def detected(data: bytes, scale: int) -> dict[str, Box]:
    """Text and bounds of every code that OpenCV finds in the frame, decoded at 1/scale of its
    size.
    """
    height, width, *_ = simplejpeg.decode_jpeg_header(data)
    gray = simplejpeg.decode_jpeg(
        data, "gray", min_width=width // scale, min_height=height // scale
    )[:, :, 0]
    _, texts, corners, _ = cv2.QRCodeDetectorAruco().detectAndDecodeMulti(gray)
    size = np.array([gray.shape[1], gray.shape[0]])
    quads = [] if corners is None else [quad / size for quad in corners]
    return {
        text: (*quad.min(axis=0), *quad.max(axis=0))
        for text, quad in zip(texts, quads, strict=True)
        if text
    }


def overlap(a: Box, b: Box) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return width * height / (sum(areas) - width * height)


def agrees(truth: list[ExpectedCode], found: dict[str, Box]) -> bool:
    return {code.text for code in truth} == found.keys() and all(
        overlap(code.box, found[code.text]) > 0.7 for code in truth
    )


def test_a_detector_finds_exactly_what_is_expected() -> None:
    conveyor = Conveyor()
    good = sum(
        agrees(conveyor.expected(seq), detected(conveyor.jpeg(seq, NOW, 75, None).data, 2))
        for seq in range(100)
    )
    assert good >= 99


@pytest.mark.parametrize(
    ("width", "height", "line", "scale"), [(1280, 720, 7, 1), (640, 360, 2, 1), (1920, 1080, 20, 2)]
)
def test_so_it_does_at_other_sizes(width: int, height: int, line: int, scale: int) -> None:
    conveyor = Conveyor(width, height, line)
    for seq in range(0, 5000, 499):
        assert agrees(
            conveyor.expected(seq), detected(conveyor.jpeg(seq, NOW, 75, None).data, scale)
        )


def test_it_can_be_read_after_scaling_down() -> None:
    conveyor = Conveyor()
    jpeg = conveyor.jpeg(3, NOW, 75, 640)
    assert (jpeg.width, jpeg.height) == (640, 360)
    assert agrees(conveyor.expected(3), detected(jpeg.data, 1))


def test_a_frame_follows_from_its_number_alone() -> None:
    one, other = Conveyor(), Conveyor()
    other.jpeg(999, NOW, 80, None)
    for seq in (5, 1000, 123_456):
        assert one.expected(seq) == other.expected(seq)
        assert one.jpeg(seq, NOW, 80, None) == other.jpeg(seq, NOW, 80, None)


def test_there_is_always_something_to_read_and_the_numbers_go_on() -> None:
    conveyor = Conveyor()
    seen = list(dict.fromkeys(code.text for seq in range(400) for code in conveyor.expected(seq)))
    assert all(len(conveyor.expected(seq)) >= 2 for seq in range(400))
    numbers = [int(text.removeprefix("PARCEL-")) for text in seen]
    assert all(after - before == 1 for before, after in itertools.pairwise(numbers))
    assert seen[0].startswith("PARCEL-00")


def test_boxes_are_of_the_same_size_and_inside() -> None:
    for seq in range(60):
        for code in Conveyor().expected(seq):
            x0, y0, x1, y1 = code.box
            assert 0 <= x0 < x1 <= 1
            assert 0 <= y0 < y1 <= 1
            assert (x1 - x0) * 1280 == pytest.approx((y1 - y0) * 720)


def test_lines_differ() -> None:
    first, second = ({code.text for code in Conveyor(line=line).expected(0)} for line in (1, 2))
    assert not first & second
    boxes = {tuple(code.box for code in Conveyor(line=line).expected(0)) for line in range(1, 5)}
    assert len(boxes) == 4


def test_the_clock_shows_the_moment_of_capture() -> None:
    conveyor = Conveyor()
    one = conveyor.render(0, NOW).y.copy()
    other = conveyor.render(0, NOW + 37_000_000_000).y.copy()
    rows, columns = np.nonzero(one != other)
    assert rows.size
    assert rows.max() < 60
    assert columns.max() < 640


def test_long_running_keeps_few_parcels() -> None:
    conveyor = Conveyor(640, 360)
    for seq in range(0, 3000, 50):
        conveyor.render(seq, NOW)
    assert len(conveyor._parcels) <= 8
