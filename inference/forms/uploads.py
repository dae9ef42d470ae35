"""Model files that people upload: looked at before anything is kept."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.files.base import File

from inference.runtimes import RUNTIMES
from inference.runtimes.errors import InferenceError
from inference.runtimes.onnx.file import Limits, check_file, sha256
from inference.runtimes.tensors import ModelMetadata


@dataclass(frozen=True, slots=True)
class Checked:
    """A file that can be used."""

    sha256: str
    metadata: ModelMetadata


def checked(upload: File[bytes], runtime: str, options: Mapping[str, Any]) -> Checked:
    """The uploaded file, after it was loaded and tried in a process of its own; a permanent
    InferenceError says why it is not used.
    """
    limits = limits_of(runtime, options)
    refuse_large(upload, limits)
    with copied(upload) as path:
        return Checked(sha256(path), check_file(path, limits))


def limits_of(runtime: str, options: Mapping[str, Any]) -> Limits:
    """What the options of a runtime for files allow."""
    # Imported here, because every process imports the admin and few need pydantic.
    from inference.runtimes.options import options_of, parse

    kind = RUNTIMES[runtime].load().Options
    own = {item.name for item in options_of(kind)}
    limits: Limits = parse(
        kind, {name: value for name, value in options.items() if name in own}
    ).limits
    return limits


def refuse_large(upload: File[bytes], limits: Limits) -> None:
    """A permanent InferenceError for a file that is not worth copying."""
    size = upload.size or 0
    if size > limits.mebibytes * 2**20:
        raise InferenceError(
            f"The file is too large: {size / 2**20:.0f} MiB, and {limits.mebibytes} MiB are"
            " allowed.",
            permanent=True,
        )


@contextlib.contextmanager
def copied(upload: File[bytes]) -> Iterator[Path]:
    """A copy of the upload that outlives the request, and is deleted at the end."""
    with tempfile.NamedTemporaryFile(prefix="sightline-model-", suffix=".onnx") as file:
        upload.seek(0)
        shutil.copyfileobj(upload, file)
        upload.seek(0)
        file.flush()
        yield Path(file.name)
