"""Checks ONNX files without risk to the calling process."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from inference.runtimes.adapters.labels import read_labels
from inference.runtimes.errors import InferenceError
from inference.runtimes.onnx import check as onnx_check
from inference.runtimes.tensors import BYTES, ModelMetadata, TensorSpec

DATATYPES: Final[Mapping[str, str]] = {
    "bool": "BOOL",
    "float16": "FP16",
    "float": "FP32",
    "double": "FP64",
    "string": BYTES,
    **{
        f"{sign}int{bits}": f"{sign}int{bits}".upper()
        for sign in ("", "u")
        for bits in (8, 16, 32, 64)
    },
}
PROBABILITIES_BY_CLASS: Final = ("seq(map(int64,tensor(float)))", "seq(map(string,tensor(float)))")
TIME: Final = "time"
CRASHED: Final = "crashed"
ENVIRONMENT: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a model may cost: the file's size in MiB, memory in GiB while it loads and predicts
    once, and seconds for both.
    """

    mebibytes: int = 1024
    gibibytes: float = 4.0
    seconds: int = 60


def check_file(path: Path, limits: Limits | None = None) -> ModelMetadata:
    """What the model takes and gives, after it was loaded and tried in a process of its own; a
    permanent InferenceError says why it is not used.

    Asked again about the same unchanged file, it answers from memory.
    """
    limits = limits or Limits()
    try:
        state = path.stat()
    except OSError as err:
        raise InferenceError(
            f"The model's file cannot be read: {err.strerror}. Upload it again.", permanent=True
        ) from err
    if state.st_size > limits.mebibytes * 2**20:
        size = f"{state.st_size / 2**20:.0f} MiB"
        raise InferenceError(
            f"The file is too large: {size}, and {limits.mebibytes} MiB are allowed.",
            permanent=True,
        )
    if not state.st_size:
        raise InferenceError("The file is empty.", permanent=True)
    return _checked(path.absolute(), (state.st_size, state.st_mtime_ns, state.st_ino), limits)


def sha256(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def metadata_of(described: Mapping[str, Any]) -> ModelMetadata:
    """The description that ``onnx_check.describe`` gives."""
    inputs, outputs = (
        tuple(_spec(*item) for item in described[side]) for side in ("inputs", "outputs")
    )
    return ModelMetadata(
        "", "", inputs, outputs, platform="onnxruntime", labels=_labels(described["names"])
    )


def _spec(name: str, kind: str, shape: Sequence[int]) -> TensorSpec:
    if kind in PROBABILITIES_BY_CLASS:
        return TensorSpec(name, "FP32", (-1, -1))
    return TensorSpec(
        name, DATATYPES.get(kind.removeprefix("tensor(").removesuffix(")"), ""), tuple(shape)
    )


def _labels(names: str) -> tuple[str, ...]:
    try:
        return read_labels(names) if names else ()
    except InferenceError:  # free text: written by the exporting tool
        return ()


@lru_cache(maxsize=64)
def _checked(path: Path, state: tuple[int, ...], limits: Limits) -> ModelMetadata:
    answer = _ask(path, limits)
    if "error" in answer:
        raise InferenceError(
            _sentence(answer["error"], answer.get("detail", ""), limits), permanent=True
        )
    return metadata_of(answer)


def _ask(path: Path, limits: Limits) -> dict[str, Any]:
    command = [
        sys.executable,
        "-I",
        onnx_check.__file__,
        str(path),
        str(int(limits.gibibytes * 2**30)),
        str(limits.seconds),
    ]
    try:
        # Nothing of the environment is handed on: it holds passwords.
        done = subprocess.run(
            command,
            capture_output=True,
            timeout=limits.seconds,
            env=ENVIRONMENT,
            cwd="/",
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": TIME}
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        return {"error": TIME if done.returncode == -signal.SIGXCPU else onnx_check.MEMORY}
    try:
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        return {
            "error": CRASHED,
            "detail": (
                done.stderr.decode(errors="replace")
                .strip()
                .rpartition("\n")[2][-onnx_check.LONGEST :]
            ),
        }
    return answer


def _sentence(kind: str, detail: str, limits: Limits) -> str:
    why = f": {detail}" if detail else "."
    return {
        onnx_check.NOT_ONNX: (
            "The file is not an ONNX model, or it is cut off. Upload the .onnx file itself."
        ),
        onnx_check.EXTERNAL: (
            "The model keeps its weights in a second file (external data), which is not accepted."
            " Export it as a single file."
        ),
        onnx_check.MEMORY: (
            f"The model takes more than {limits.gibibytes:g} GiB of memory to load and predict"
            " once."
        ),
        onnx_check.REFUSED: f"ONNX Runtime does not take the model{why}",
        TIME: f"The model takes longer than {limits.seconds} s to load and predict once.",
        CRASHED: f"The model crashes ONNX Runtime while it loads or predicts{why}",
    }[kind]
