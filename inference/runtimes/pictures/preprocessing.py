"""Pictures into the tensor that a model takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.runtimes.base import Image, Picture, jpeg_size
from inference.runtimes.pictures.input import (
    CHANNELS,
    GRAY,
    JPEG,
    LETTERBOX,
    NCHW,
    NONE,
    STRETCH,
    InputOptions,
    shape_of,
)
from inference.runtimes.placement import Placement
from inference.runtimes.tensors import DTYPES, Tensor, bytes_tensor

# What libjpeg decodes to quickly, as shares of the width.
DECODED_AT: Final = (1 / 8, 2 / 8, 3 / 8, 4 / 8)


class Preprocessor:
    """Makes one tensor of a batch. The array belongs to it: it is written over by the next
    batch.
    """

    def __init__(self, options: InputOptions, rank: int = 0) -> None:
        """``options`` are resolved ones; ``rank`` is that of a BYTES input, the batch's axis
        included.
        """
        self.options = options
        self._rank = rank
        self._buffer: Tensor = np.empty(0)
        if options.format != JPEG:
            self._order = CHANNELS[options.colour]
            self._tables = tables(options)

    def __call__(self, batch: Sequence[Picture]) -> tuple[Tensor, list[Placement]]:
        """The tensor, the batch as its first axis, and where each picture lies in it.

        A permanent InferenceError when a picture is broken. With ``fit`` "none", the pictures of
        a batch are of one size.
        """
        if self.options.format == JPEG:
            return self._jpegs(batch)
        tensor = self._room(len(batch), self._size(batch[0]))
        return tensor, [
            self._fill(out, picture) for out, picture in zip(tensor, batch, strict=True)
        ]

    def _jpegs(self, batch: Sequence[Picture]) -> tuple[Tensor, list[Placement]]:
        sizes = [jpeg_size(picture.jpeg) for picture in batch]
        tensor = bytes_tensor([picture.jpeg for picture in batch])
        return tensor.reshape(len(batch), *[1] * (self._rank - 1)), [
            Placement(*size, 0, 0, *size) for size in sizes
        ]

    def _size(self, picture: Picture) -> tuple[int, int]:
        """Height and width of the input."""
        if self.options.fit != NONE:
            return self.options.height, self.options.width
        height, width = self._decoded(picture, None).shape[:2]
        return height, width

    def _room(self, pictures: int, size: tuple[int, int]) -> Tensor:
        # Memory that is used again is warm: a new array of this size costs more time than all that
        # is written into it.
        shape = shape_of(self.options, *size)
        if self._buffer.shape[1:] != shape or len(self._buffer) < pictures:
            self._buffer = np.empty((pictures, *shape), DTYPES[self.options.dtype])
        return self._buffer[:pictures]

    def _fill(self, out: Tensor, picture: Picture) -> Placement:
        image, placement = self._scaled(picture)
        top, left = max(placement.top, 0), max(placement.left, 0)
        rows, columns = slice(top, top + image.shape[0]), slice(left, left + image.shape[1])
        for view, table, source in self._planes(out.reshape(*self._grid(placement)), image):
            _bars(view, rows, columns, table[..., self.options.pad, :])
            cv2.LUT(source, table, dst=view[rows, columns])
        return placement

    def _grid(self, placement: Placement) -> tuple[int, ...]:
        """The shape of one picture's tensor with its axes apart: (H, W) of a grey one, (H, W, C)
        or (C, H, W).
        """
        size = (placement.height, placement.width)
        if len(self._order) == 1:
            return size
        return (
            (len(self._order), *size) if self.options.layout == NCHW else (*size, len(self._order))
        )

    def _planes(self, out: Tensor, image: Image) -> list[tuple[Tensor, Tensor, Image]]:
        """What is written at once: where to, by which table (1, 256, C), from what."""
        if len(self._order) == 1 or self.options.layout != NCHW:
            ordered = (
                cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
                if self._order[0] == CHANNELS["RGB"][0]
                else image
            )
            return [(out, self._tables, np.asarray(ordered, dtype=np.uint8))]
        planes = (
            np.asarray(cv2.extractChannel(image, channel), dtype=np.uint8)
            for channel in self._order
        )
        return [
            (out[index], self._tables[..., index : index + 1].copy(), plane)
            for index, plane in enumerate(planes)
        ]

    def _scaled(self, picture: Picture) -> tuple[Image, Placement]:
        """The part of the picture that is visible, at the input's scale, and where it lies."""
        options = self.options
        if options.fit == NONE:
            image = self._decoded(picture, None)
            height, width = image.shape[:2]
            return image, Placement(width, height, 0, 0, width, height)
        image = self._decoded(picture, _enough(options, picture.width, picture.height))
        across, down = _fitted(options, image.shape[1], image.shape[0])
        placement = Placement(
            options.width,
            options.height,
            (options.width - across) // 2,
            (options.height - down) // 2,
            across,
            down,
        )
        whole = _resized(image, across, down)
        top, left = max(-placement.top, 0), max(-placement.left, 0)
        return whole[top : top + options.height, left : left + options.width], placement

    def _decoded(self, picture: Picture, max_width: int | None) -> Image:
        return picture.gray(max_width) if self.options.colour == GRAY else picture.bgr(max_width)


def tables(options: InputOptions) -> NDArray[np.generic]:
    """What each value 0..255 of each colour becomes: (value * scale - mean) / std, shape (1,
    256, colours); whole numbers are rounded and bounded.
    """
    dtype = DTYPES[options.dtype]
    scale = options.scale or (1 / 255 if dtype.kind == "f" else 1.0)
    mean, std = np.array(options.mean or (0.0,)), np.array(options.std or (1.0,))
    values = (np.arange(256.0)[:, np.newaxis] * scale - mean) / std
    if dtype.kind != "f":
        bounds = np.iinfo(dtype)
        values = np.clip(np.rint(values), bounds.min, bounds.max)
    colours = len(CHANNELS[options.colour])
    return np.ascontiguousarray(np.broadcast_to(values, (256, colours)).astype(dtype)[np.newaxis])


def _enough(options: InputOptions, width: int, height: int) -> int | None:
    """The width to decode at: no smaller than what is needed."""
    if width < 1 or height < 1:
        return None
    ratios = options.width / width, options.height / height
    if options.fit == LETTERBOX:
        return max(1, round(width * min(ratios)))
    # Not the size itself, but the one that libjpeg decodes to: it is scaled once more anyway, as
    # its aspect ratio is not the input's.
    return next((math.ceil(width * scale) for scale in DECODED_AT if scale >= max(ratios)), None)


def _fitted(options: InputOptions, width: int, height: int) -> tuple[int, int]:
    """Width and height that the whole picture gets."""
    ratios = options.width / width, options.height / height
    if options.fit == STRETCH:
        return options.width, options.height
    if options.fit == LETTERBOX:
        return max(1, round(width * min(ratios))), max(1, round(height * min(ratios)))
    return max(options.width, round(width * max(ratios))), max(
        options.height, round(height * max(ratios))
    )


def _resized(image: Image, across: int, down: int) -> Image:
    if (image.shape[1], image.shape[0]) == (across, down):
        return image
    smaller = across <= image.shape[1] and down <= image.shape[0]
    return np.asarray(
        cv2.resize(
            image, (across, down), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        ),
        dtype=np.uint8,
    )


def _bars(view: Tensor, rows: slice, columns: slice, value: Tensor) -> None:
    view[: rows.start] = value
    view[rows.stop :] = value
    view[rows, : columns.start] = value
    view[rows, columns.stop :] = value
