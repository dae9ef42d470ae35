"""The first look at an ONNX file that somebody sent, in a process of its own that may neither grow,
nor take long, nor reach a network.

Run as a script, by its path: it imports nothing of Sightline. Prints one line of JSON: what the
model takes and gives, or {"error": kind, "detail"}.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import mmap
import re
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

# Kinds of errors, which the parent has sentences for.
NOT_ONNX: Final = "not-onnx"
EXTERNAL: Final = "external-data"
MEMORY: Final = "memory"
REFUSED: Final = "refused"

CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWNET: Final = 0x40000000
LONGEST: Final = 300
MAX_TENSORS: Final = 64
DEEPEST: Final = 100
SPATIAL: Final = 64

# The fields of ONNX's messages (onnx/onnx.proto) by which a tensor is reached, and what they hold.
REACHED: Final[dict[str, dict[int, str]]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
TENSOR_EXTERNAL_DATA: Final = 13
TENSOR_DATA_LOCATION: Final = 14
MODEL_GRAPH: Final = 7
# Parsers of protocol buffers read 32 bits of a tag: some refuse a longer one, others leave out what
# is beyond, and see another field than is seen here.
MAX_TAG: Final = 2**32 - 1


class NotOnnxError(ValueError):
    """The bytes are no ONNX model."""


class Stopped(Exception):
    """Why the file is not used."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(kind)
        self.kind = kind
        self.detail = detail


def keeps_data_outside(data: bytes | mmap.mmap) -> bool:
    """Whether a tensor of the model lies in another file; NotOnnxError when the bytes are no ONNX
    model.

    Reads the protocol-buffer wire format, because loading the file to find out would open those
    files.
    """
    waiting = [("model", 0, len(data), 0)]
    graphs = 0
    while waiting:
        kind, start, end, depth = waiting.pop()
        if depth > DEEPEST:
            raise NotOnnxError("too deep")
        for field, at, length in _fields(data, start, end):
            if kind == "tensor" and (
                field == TENSOR_EXTERNAL_DATA or (field == TENSOR_DATA_LOCATION and length != 0)
            ):
                return True
            graphs += kind == "model" and field == MODEL_GRAPH
            inner = REACHED.get(kind, {}).get(field)
            if inner is not None and at >= 0:
                waiting.append((inner, at, at + length, depth + 1))
    if not graphs:
        raise NotOnnxError("no graph")
    return False


def _fields(data: bytes | mmap.mmap, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number, start and length of each field; of a plain number -1 and the number."""
    while at < end:
        key, at = _varint(data, at, end)
        if key > MAX_TAG:
            raise NotOnnxError("a tag of more than 32 bits")
        field, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at, end)
            yield field, -1, value
        elif wire == 2:
            length, at = _varint(data, at, end)
            yield field, at, length
            at += length
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        else:
            raise NotOnnxError("unknown wire type")
        if at > end or field == 0:
            raise NotOnnxError("cut off")


def _varint(data: bytes | mmap.mmap, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise NotOnnxError("broken number")


def describe(session: Any) -> dict[str, Any]:
    """What an onnxruntime session takes and gives: [name, type, shape] each, -1 for an open
    length; and the class names that Ultralytics writes.
    """
    described = {
        "inputs": [_described(item) for item in session.get_inputs()],
        "outputs": [_described(item) for item in session.get_outputs()],
        "names": session.get_modelmeta().custom_metadata_map.get("names", ""),
    }
    if any(len(described[side]) > MAX_TENSORS for side in ("inputs", "outputs")):
        raise Stopped(REFUSED, f"it has more than {MAX_TENSORS} inputs or outputs.")
    if any(len(item[0]) > LONGEST for side in ("inputs", "outputs") for item in described[side]):
        raise Stopped(REFUSED, "the name of an input or output is too long.")
    if len(described["names"]) > 1024 * 1024:
        described["names"] = ""
    return described


def _described(item: Any) -> list[Any]:
    return [
        item.name,
        item.type,
        [length if isinstance(length, int) and length >= 0 else -1 for length in item.shape],
    ]


def _limit(memory: int, seconds: int) -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + memory, used + memory))
    # The first limit sends SIGXCPU, by which the parent knows the reason; the second SIGKILL.
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    for what, most in (
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(what, (most, most))


def leave_networks() -> None:
    """Go, where the kernel allows it, into a network namespace of its own, with nothing in it."""
    with contextlib.suppress(OSError, AttributeError):
        unshare = ctypes.CDLL(None).unshare
        # Without rights of its own, a process gets there only by way of a user namespace, in which
        # root could not read others' files.
        if unshare(CLONE_NEWNET):
            unshare(CLONE_NEWUSER | CLONE_NEWNET)


def _check(path: Path, memory: int, seconds: int) -> dict[str, Any]:
    leave_networks()
    import numpy as np
    import onnxruntime as ort

    _limit(memory, seconds)
    with path.open("rb") as file:
        try:
            if keeps_data_outside(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)):
                raise Stopped(EXTERNAL)
        except ValueError as err:
            raise Stopped(NOT_ONNX) from err
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as err:
        raise _stopped(err) from err
    described = describe(session)
    try:
        session.run(
            None,
            {
                name: np.zeros(_shape(shape), _dtype(np, kind))
                for name, kind, shape in described["inputs"]
            },
        )
    except Exception as err:
        # Zeros of a guessed size may be wrong for it: only what they cost is of interest.
        if (stopped := _stopped(err)).kind == MEMORY:
            raise stopped from err
    return described


def _shape(shape: list[int]) -> list[int]:
    """A shape for a trial: one item, and a small picture where the size is open."""
    spatial = len(shape) == 4
    return [
        length if length >= 0 else SPATIAL if spatial and axis > 0 else 1
        for axis, length in enumerate(shape)
    ]


def _dtype(np: Any, kind: str) -> Any:
    names = {"float": "float32", "double": "float64", "string": "object"}
    name = kind.removeprefix("tensor(").removesuffix(")")
    return np.dtype(names.get(name, name))


def plain(err: Exception) -> str:
    """onnxruntime's message as a sentence, without codes and source locations."""
    text = re.sub(
        r"^\[ONNXRuntimeError\] : \d+ : \w+ : |Load model from \S+ failed: ?|/onnxruntime_src/\S+"
        r" .*?\) ",
        "",
        str(err),
    )
    text = " ".join(text.split())
    return (text[:LONGEST] + "…" if len(text) > LONGEST else text.rstrip(". ")) + "."


def _stopped(err: Exception) -> Stopped:
    text = str(err)
    if isinstance(err, MemoryError) or any(
        word in text for word in ("bad_alloc", "allocate memory", "Failed to allocate", "mmap")
    ):
        return Stopped(MEMORY)
    if type(err).__name__ in ("InvalidProtobuf", "NoModel"):
        return Stopped(NOT_ONNX)
    return Stopped(REFUSED, plain(err))


def main() -> None:
    """Arguments: the file, the memory in bytes beyond that of the libraries, and the seconds of
    processor time.
    """
    path, memory, seconds = sys.argv[1:]
    try:
        answer = _check(Path(path), int(memory), int(seconds))
    except Stopped as stopped:
        answer = {"error": stopped.kind, "detail": stopped.detail}
    except MemoryError:
        answer = {"error": MEMORY, "detail": ""}
    sys.stdout.write("\n" + json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
