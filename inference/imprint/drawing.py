"""Draws predictions into a picture."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Final

import cv2
import simplejpeg

from inference.runtimes.base import Image, decode_jpeg, jpeg_size
from inference.runtimes.boxes import area, clipped
from sightline.messages import Box, Detection, Prediction

Colour = tuple[int, int, int]

# The browser uses the same palette and hash, so that a label has one colour everywhere.
PALETTE: Final = (
    *("#35d0ba", "#f5b544", "#7aa2ff", "#ff8fb1", "#b5e655", "#b79bff"),
    *("#ff9f66", "#5cc8f5", "#f4e04d", "#e58bff", "#6fe3a0", "#e0c097"),
)
FNV_START: Final = 0x8151C114
FNV_PRIME: Final = 0x01000193
INK: Final[Colour] = (20, 16, 12)
FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
MAX_LABEL: Final = 40
MAX_LINES: Final = 12
MAX_BOXES: Final = 200


@dataclass(frozen=True, slots=True)
class _Style:
    """Sizes in pixels, in proportion to the picture."""

    scale: float
    stroke: int
    line: int
    padding: int

    @classmethod
    def of(cls, image: Image) -> _Style:
        size = min(max(image.shape[1] / 1280, 0.7), 3.0)
        return cls(
            0.55 * size, max(1, round(size)), max(1, round(2 * size)), max(3, round(5 * size))
        )

    def measure(self, text: str) -> tuple[int, int]:
        """Width and height of the plate behind the text."""
        (width, height), baseline = cv2.getTextSize(text, FONT, self.scale, self.stroke)
        return width + 2 * self.padding, height + baseline + self.padding


def draw(jpeg: bytes, predictions: Sequence[Prediction], quality: int = 80) -> bytes:
    """The JPEG with boxes and labels drawn in; the very same bytes when there is nothing to draw.

    Detections without a box are listed in the top left corner as "model: label score". Raises a
    permanent InferenceError when the JPEG is empty, broken or too large.
    """
    jpeg_size(jpeg)
    if not any(prediction.predictions for prediction in predictions):
        return jpeg
    image = decode_jpeg(jpeg, "BGR")
    style = _Style.of(image)
    boxed = sorted(_boxes(predictions), key=lambda pair: area(pair[1]), reverse=True)
    for detection, box in boxed:
        cv2.rectangle(image, *_corners(image, box), colour(detection.label), style.line)
    for detection, box in boxed:
        _draw_label(image, detection, box, style)
    _draw_list(image, predictions, style)
    encoded: bytes = simplejpeg.encode_jpeg(image, quality, "BGR", "420")
    return encoded


@lru_cache(maxsize=1024)
def colour(label: str) -> Colour:
    """The label's colour (blue, green, red): the 32-bit FNV-1a hash of its letters picks it from
    the palette, as in colours.js.
    """
    word = label.lower()
    digest = FNV_START
    for letter in "person" if word == "people" else word.removesuffix("s"):
        digest = (digest ^ ord(letter)) * FNV_PRIME & 0xFFFFFFFF
    red, green, blue = bytes.fromhex(PALETTE[(digest ^ digest >> 15) % len(PALETTE)][1:])
    return blue, green, red


def caption(detection: Detection) -> str:
    """The caption of a box: its text or else its label, and its score."""
    return f"{plain(detection.text or detection.label)} {_score(detection)}"


def plain(text: str) -> str:
    """At most MAX_LABEL characters that OpenCV's fonts have: accents are dropped, other characters
    become question marks.
    """
    decomposed = unicodedata.normalize("NFKD", text[: 2 * MAX_LABEL])
    kept = "".join(char for char in decomposed if not unicodedata.combining(char))
    written = "".join(char if " " <= char <= "~" else "?" for char in kept)
    return written if len(written) <= MAX_LABEL else written[: MAX_LABEL - 3] + "..."


def _score(detection: Detection) -> str:
    return f"{min(max(detection.score, 0.0), 1.0):.2f}"


def _boxes(predictions: Sequence[Prediction]) -> Iterator[tuple[Detection, Box]]:
    """The detections with a box, clipped: records of foreign models may hold anything."""
    found = (item for prediction in predictions for item in prediction.predictions)
    pairs = ((item, clipped(item.box)) for item in found if item.box is not None)
    return islice(((item, box) for item, box in pairs if box is not None), MAX_BOXES)


def _corners(image: Image, box: Box) -> tuple[tuple[int, int], tuple[int, int]]:
    right, bottom = image.shape[1] - 1, image.shape[0] - 1
    return (round(box[0] * right), round(box[1] * bottom)), (
        round(box[2] * right),
        round(box[3] * bottom),
    )


def _draw_label(image: Image, detection: Detection, box: Box, style: _Style) -> None:
    """Write the caption above the box, or inside it where there is no room above; never beyond the
    picture's sides.
    """
    (left, top), _ = _corners(image, box)
    text = caption(detection)
    across, down = style.measure(text)
    x = max(0, min(left - style.line // 2, image.shape[1] - across))
    y = top - down if top >= down else top
    _write(image, text, (x, y), INK, colour(detection.label), style)


def _draw_list(image: Image, predictions: Sequence[Prediction], style: _Style) -> None:
    """List detections without a box, one below the other."""
    found = (
        (prediction.model, item) for prediction in predictions for item in prediction.predictions
    )
    y = style.padding
    for model, detection in islice((pair for pair in found if pair[1].box is None), MAX_LINES):
        text = f"{plain(model)}: {caption(detection)}"
        _write(image, text, (style.padding, y), colour(detection.label), INK, style)
        y += style.measure(text)[1]


def _write(
    image: Image, text: str, corner: tuple[int, int], ink: Colour, plate: Colour, style: _Style
) -> None:
    """Write text on a filled plate with this top left corner."""
    x, y = corner
    across, down = style.measure(text)
    cv2.rectangle(image, (x, y), (x + across, y + down), plate, cv2.FILLED)
    (_, height), _ = cv2.getTextSize(text, FONT, style.scale, style.stroke)
    base = (x + style.padding, y + style.padding // 2 + height + 1)
    cv2.putText(image, text, base, FONT, style.scale, ink, style.stroke, cv2.LINE_AA)
