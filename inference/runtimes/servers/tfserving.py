"""What TensorFlow Serving's two protocols have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

DEFAULT_SIGNATURE: Final = "serving_default"
SIGNATURE_HELP: Final = "The signature to ask. Empty: the default one, serving_default."

# The names of tensorflow.DataType and the Open Inference Protocol's.
DATATYPES: Final[Mapping[str, str]] = {
    "DT_BOOL": "BOOL",
    "DT_UINT8": "UINT8",
    "DT_UINT16": "UINT16",
    "DT_UINT32": "UINT32",
    "DT_UINT64": "UINT64",
    "DT_INT8": "INT8",
    "DT_INT16": "INT16",
    "DT_INT32": "INT32",
    "DT_INT64": "INT64",
    "DT_HALF": "FP16",
    "DT_FLOAT": "FP32",
    "DT_DOUBLE": "FP64",
    "DT_BFLOAT16": "BF16",
    "DT_STRING": "BYTES",
}


def datatype_name(name: str) -> str:
    """The Open Inference Protocol's name for TensorFlow's; its own name if there is no such
    type.
    """
    return DATATYPES.get(name, name)


def version_kind(version: str) -> Literal["version", "label"]:
    """Versions are numbers; anything else is a label that the server's configuration gives to
    one.
    """
    return "version" if version.isascii() and version.isdigit() else "label"
