"""How pictures become a model's input, as data: options, completed by what the model declares of
its input.
"""

from __future__ import annotations

import math
from typing import Final

from inference.runtimes.errors import InferenceError
from inference.runtimes.options import Options, choice, number, numbers, text
from inference.runtimes.shapes import words
from inference.runtimes.tensors import BYTES, TensorSpec

AUTO: Final = "auto"
JPEG: Final = "jpeg"
TENSOR: Final = "tensor"
GRAY: Final = "GRAY"
NCHW, NHWC, NHW, FLAT = "NCHW", "NHWC", "NHW", "FLAT"
RANKS: Final = {NCHW: 4, NHWC: 4, NHW: 3, FLAT: 2}
LETTERBOX, STRETCH, CROP, NONE = "letterbox", "stretch", "crop", "none"
# Where each colour stands in OpenCV's order.
CHANNELS: Final = {"RGB": (2, 1, 0), "BGR": (0, 1, 2), GRAY: (0,)}
# What OpenCV's table look-up writes.
VALUES: Final = ("FP32", "FP16", "FP64", "UINT8", "INT8", "UINT16", "INT16", "INT32")
MAX_SIDE: Final = 8192


class InputOptions(Options):
    """How a picture becomes the model's input. What is left out, or "auto", is taken from what
    the model says of its input.
    """

    name: str = text("", "The model's input for the picture. Empty: its only one.")
    format: str = choice(
        AUTO,
        (AUTO, TENSOR, JPEG),
        "jpeg: the JPEG itself is sent, and the model decodes it. auto: jpeg where the input is of"
        " type BYTES.",
    )
    width: int = number(0, 0, MAX_SIDE, "Width of the input in pixels. 0: as the model says.")
    height: int = number(0, 0, MAX_SIDE, "Height of the input in pixels. 0: as the model says.")
    fit: str = choice(
        LETTERBOX,
        (LETTERBOX, STRETCH, CROP, NONE),
        "letterbox: the whole picture, bars at its sides; stretch: the whole picture, distorted;"
        " crop: its middle; none: in its own size.",
    )
    pad: int = number(114, 0, 255, "Brightness of a letterbox's bars.")
    colour: str = choice(
        AUTO,
        (AUTO, *CHANNELS),
        "Order of the colours. auto: RGB, or GRAY where the input has one channel.",
    )
    scale: float = number(
        0.0,
        0.0,
        65536.0,
        "What each value 0..255 is multiplied by, first. 0: 1/255 for fractions, 1 for whole"
        " numbers.",
    )
    mean: tuple[float, ...] = numbers(
        (),
        -65536.0,
        65536.0,
        "Subtracted after that: one number, or one for each colour.",
        counts=(0, 1, 3),
    )
    std: tuple[float, ...] = numbers(
        (),
        1e-9,
        65536.0,
        "Divided by at last: one number, or one for each colour.",
        counts=(0, 1, 3),
    )
    layout: str = choice(
        AUTO,
        (AUTO, *RANKS),
        "Order of the axes: batch N, height H, width W, colours C; NHW for grey ones; FLAT for all"
        " values in one row.",
    )
    dtype: str = choice(AUTO, (AUTO, *VALUES), "Type of the values.")

    @property
    def complete(self) -> bool:
        """Whether the options are complete without the model's own description."""
        return bool(self.name) and (
            self.format == JPEG
            or (
                self.format == TENSOR
                and AUTO not in (self.layout, self.dtype, self.colour)
                and self._sized
            )
        )

    @property
    def _sized(self) -> bool:
        return self.fit == NONE or (self.width > 0 and self.height > 0)


def resolve(options: InputOptions, spec: TensorSpec) -> InputOptions:
    """The options with nothing left open; a permanent InferenceError when the model's input
    takes no such pictures.
    """
    form = options.format if options.format != AUTO else JPEG if spec.datatype == BYTES else TENSOR
    named = options.model_copy(update={"name": options.name or spec.name, "format": form})
    if form == JPEG:
        return named
    dtype = spec.datatype if options.dtype == AUTO else options.dtype
    if dtype not in VALUES or (spec.datatype and dtype != spec.datatype):
        raise _refused(
            spec,
            f"takes {spec.datatype or 'an unknown type'}; pictures become {', '.join(VALUES)}. Set"
            " the input option 'dtype' to its type",
        )
    layout = options.layout if options.layout != AUTO else _layout(spec)
    return _checked(_sized(named.model_copy(update={"layout": layout, "dtype": dtype}), spec), spec)


def _layout(spec: TensorSpec) -> str:
    rank = len(spec.shape)
    if rank == 4:
        return NHWC if spec.shape[3] in (1, 3) and spec.shape[1] not in (1, 3) else NCHW
    if rank in (2, 3):
        return FLAT if rank == 2 else NHW
    raise _refused(spec, f"has {rank} axes; pictures have 2 to 4")


def _sized(options: InputOptions, spec: TensorSpec) -> InputOptions:
    height, width, channels = _lengths(options, spec)
    colour = (
        options.colour
        if options.colour != AUTO
        else GRAY
        if channels == 1 or options.layout == NHW
        else "RGB"
    )
    if options.fit == NONE:
        return options.model_copy(update={"colour": colour, "width": 0, "height": 0})
    sized = options.model_copy(
        update={
            "colour": colour,
            "width": options.width or max(width, 0),
            "height": options.height or max(height, 0),
        }
    )
    if not (sized.width and sized.height):
        raise _refused(
            spec, "leaves the size of pictures open. Set the input options 'width' and 'height'"
        )
    return sized


def _lengths(options: InputOptions, spec: TensorSpec) -> tuple[int, int, int]:
    """Height, width and channels as the model declares them; -1 where it does not."""
    if len(spec.shape) != RANKS[options.layout]:
        return -1, -1, -1
    if options.layout == FLAT:
        return _unrolled(options, spec.shape[1])
    axes = dict(zip(options.layout, spec.shape, strict=True))
    return axes["H"], axes["W"], axes.get("C", 1)


def _unrolled(options: InputOptions, values: int) -> tuple[int, int, int]:
    """The square picture, grey before coloured, that has so many values."""
    for channels in (1, 3) if options.colour == AUTO else (len(CHANNELS[options.colour]),):
        side = math.isqrt(max(values, 0) // channels)
        if side and side * side * channels == values:
            return side, side, channels
    return -1, -1, -1


def _checked(options: InputOptions, spec: TensorSpec) -> InputOptions:
    made = shape_of(options, options.height, options.width)
    # 0: in its own size, a picture's height and width are known only when it comes.
    fits = len(made) == len(spec.shape) - 1 and all(
        given in (0, length) or length == -1
        for length, given in zip(spec.shape[1:], made, strict=True)
    )
    if spec.shape and not fits:
        advice = "Set the input options 'width', 'height', 'layout' and 'colour'"
        raise _refused(
            spec,
            f"has the shape {words(spec.shape)}, but the options make {words((-1, *made))}."
            f" {advice}",
        )
    for name in ("mean", "std"):
        if len(getattr(options, name)) not in (0, 1, len(CHANNELS[options.colour])):
            raise _refused(
                spec,
                f"has one colour, but the input option {name!r} has {len(getattr(options, name))}"
                " numbers",
            )
    return options


def shape_of(options: InputOptions, height: int, width: int) -> tuple[int, ...]:
    """The shape of one picture's tensor, without the batch's axis."""
    channels = len(CHANNELS[options.colour])
    if options.layout == FLAT:
        return (height * width * channels,)
    axes = {"H": height, "W": width, "C": channels}
    return tuple(axes[axis] for axis in options.layout if axis != "N")


def _refused(spec: TensorSpec, why: str) -> InferenceError:
    return InferenceError(f"The model's input {spec.name!r} {why}.", permanent=True)
