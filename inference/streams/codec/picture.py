"""Pictures as records: the value is the JPEG or PNG file."""

from __future__ import annotations

from typing import Final

from inference.runtimes.base import Picture, jpeg_size
from inference.runtimes.images import PNG, decode_png
from inference.streams.codec.schema import RecordError
from sightline.kafka import Record
from sightline.messages import Frame

JPEG: Final = b"\xff\xd8"
MILLISECOND: Final = 1_000_000


def decode_picture(record: Record) -> Picture:
    """The picture in a record; a permanent InferenceError if it is not one."""
    if not record.value:
        raise RecordError("The record is empty (null): there is no picture to look at.")
    frame = Frame(
        "", record.offset, record.timestamp * MILLISECOND, 0, 0, record.value, record.offset
    )
    if record.value.startswith(PNG):
        return Picture.of_array(decode_png(record.value), "", frame.ref)
    if not record.value.startswith(JPEG):
        raise RecordError(
            "The record is no picture that can be read here: it must be a JPEG or a PNG."
        )
    picture = Picture(frame)
    picture.width, picture.height = jpeg_size(record.value)
    return picture
