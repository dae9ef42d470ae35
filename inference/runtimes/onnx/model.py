"""ONNX files, run in this process by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from inference.runtimes.errors import InferenceError
from inference.runtimes.onnx.check import describe, plain
from inference.runtimes.onnx.file import Limits, check_file, metadata_of
from inference.runtimes.options import Options, choice, number
from inference.runtimes.shapes import words
from inference.runtimes.tensors import (
    BYTES,
    DTYPES,
    ModelMetadata,
    Tensor,
    TensorSpec,
)

CPU: Final = "CPUExecutionProvider"
CUDA: Final = "CUDAExecutionProvider"
# ONNX Runtime's exceptions have no class in common.
ERRORS: Final = (
    ort_errors.EPFail,
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)


class OnnxOptions(Options):
    """What the file runs on, and what it may cost when it is tried at first."""

    provider: str = choice(
        "cpu", ("cpu", "cuda", "auto"), "cpu; cuda: an NVIDIA GPU; auto: the GPU if there is one."
    )
    threads: int = number(0, 0, 64, "Threads for one prediction. 0: one for each core.")
    max_mebibytes: int = number(1024, 1, 2048, "Largest file that is loaded, in MiB.")
    max_gibibytes: float = number(
        4.0, 0.25, 256.0, "Most memory for loading and one prediction, in GiB."
    )
    max_seconds: int = number(
        60, 1, 600, "Longest time for loading and one prediction, in seconds."
    )

    @property
    def limits(self) -> Limits:
        """What the first trial may cost."""
        return Limits(self.max_mebibytes, self.max_gibibytes, self.max_seconds)


class Onnx:
    """A backend over one ONNX file. It is loaded in a process of its own first, with limits, and
    then in this one.

    A model whose batch is fixed to N gets N rows at a time, the last ones filled up; the outputs
    are put together again.
    """

    Options = OnnxOptions

    def __init__(self, options: OnnxOptions, *, file: Path | None = None) -> None:
        self._options = options
        self._file = file
        self._session: ort.InferenceSession | None = None
        self._metadata = ModelMetadata("", "", (), ())
        self._batch = 0

    def load(self) -> None:
        """Check the file and load it. Raises a permanent InferenceError with the reason."""
        if self._file is None:
            raise InferenceError("No ONNX file was uploaded for this version.", permanent=True)
        providers = self._providers()
        check_file(self._file, self._options.limits)
        try:
            session = ort.InferenceSession(self._file, self._session_options(), providers=providers)
            self._metadata = metadata_of(describe(session))
        except ERRORS as err:
            raise InferenceError(
                f"ONNX Runtime does not take the model: {plain(err)}", permanent=True
            ) from err
        if providers[0] not in session.get_providers():
            raise InferenceError(
                "ONNX Runtime cannot use the GPU. Check the NVIDIA driver, CUDA and cuDNN, or set"
                " 'provider' to cpu.",
                permanent=False,
            )
        self._session = session
        self._batch = _fixed_batch(self._metadata)

    def metadata(self) -> ModelMetadata:
        """The file's own description."""
        if self._session is None:
            raise InferenceError("The model is not loaded.", permanent=False)
        return self._metadata

    def infer(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The outputs by name."""
        given = {spec.name: _fitted(spec, inputs, self._batch) for spec in self.metadata().inputs}
        if unknown := [name for name in inputs if name not in given]:
            raise InferenceError(
                f"The model has no input {unknown[0]!r}. Its inputs: {', '.join(given)}.",
                permanent=True,
            )
        rows = {
            len(given[spec.name])
            for spec in self._metadata.inputs
            if _is_batched(spec, self._batch)
        }
        if len(rows) > 1:
            raise InferenceError(
                f"The inputs have different numbers of rows: {', '.join(map(str, sorted(rows)))}.",
                permanent=True,
            )
        if not self._batch or rows == {self._batch}:
            return self._run(given)
        return self._in_steps(given, rows.pop())

    def close(self) -> None:
        """Free the model."""
        self._session = None

    def _providers(self) -> list[str]:
        has_gpu = CUDA in ort.get_available_providers()
        if self._options.provider == "cuda" and not has_gpu:
            raise InferenceError(
                "This ONNX Runtime has no CUDA. Install onnxruntime-gpu, or set 'provider' to cpu.",
                permanent=True,
            )
        return [CUDA, CPU] if has_gpu and self._options.provider != "cpu" else [CPU]

    def _session_options(self) -> ort.SessionOptions:
        made = ort.SessionOptions()
        made.log_severity_level = 4
        made.intra_op_num_threads = self._options.threads
        made.inter_op_num_threads = 1
        # Threads that wait busily take the processor from the workers beside them.
        made.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return made

    def _in_steps(self, inputs: Mapping[str, Tensor], rows: int) -> dict[str, Tensor]:
        parts = []
        for start in range(0, rows, self._batch):
            step = {name: tensor[start : start + self._batch] for name, tensor in inputs.items()}
            parts.append(
                self._run({name: _filled(tensor, self._batch) for name, tensor in step.items()})
            )
        if any(len(tensor) != self._batch for part in parts for tensor in part.values()):
            raise InferenceError(
                f"The model takes only {self._batch} row(s) at a time. Set the deployment's batch"
                " to that.",
                permanent=True,
            )
        return {
            name: np.concatenate([part[name] for part in parts])[:rows]
            for name in (parts[0] if parts else ())
        }

    def _run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        assert self._session is not None
        try:
            outputs = self._session.run(None, dict(inputs))
        except ERRORS as err:
            lacks_memory = isinstance(err, MemoryError) or "allocate" in str(err)
            raise InferenceError(
                f"The model failed: {plain(err)}", permanent=not lacks_memory
            ) from err
        return {
            spec.name: _tensor(spec, value)
            for spec, value in zip(self._metadata.outputs, outputs, strict=True)
        }


def _fixed_batch(metadata: ModelMetadata) -> int:
    """The only number of rows that the model takes; 0 when it takes any."""
    lengths = {spec.shape[0] for spec in metadata.inputs if spec.shape}
    return max(lengths.pop(), 0) if len(lengths) == 1 else 0


def _is_batched(spec: TensorSpec, batch: int) -> bool:
    return bool(spec.shape) and (batch > 0 or spec.shape[0] < 0)


def _fitted(spec: TensorSpec, inputs: Mapping[str, Tensor], batch: int) -> Tensor:
    """The input's tensor in its type; a permanent InferenceError when it is missing, or of
    another shape, the batch aside.
    """
    if spec.name not in inputs:
        raise InferenceError(f"The model's input {spec.name!r} is missing.", permanent=True)
    tensor = np.asarray(inputs[spec.name])
    wanted = (-1, *spec.shape[1:]) if _is_batched(spec, batch) else spec.shape
    if tensor.ndim != len(wanted) or any(
        length not in (-1, given) for length, given in zip(wanted, tensor.shape, strict=True)
    ):
        raise InferenceError(
            f"The model's input {spec.name!r} has the shape {words(wanted)}, but"
            f" {words(tensor.shape)} was given.",
            permanent=True,
        )
    return _typed(spec, tensor)


def _typed(spec: TensorSpec, tensor: Tensor) -> Tensor:
    if spec.datatype == BYTES:
        texts: Tensor = np.empty(tensor.size, dtype=np.object_)
        texts[:] = [
            value.decode(errors="replace") if isinstance(value, bytes) else str(value)
            for value in tensor.ravel().tolist()
        ]
        return texts.reshape(tensor.shape)
    if spec.datatype not in DTYPES or tensor.dtype.kind not in "fiub":
        raise InferenceError(
            f"The model's input {spec.name!r} takes {spec.datatype or 'no plain tensor'}; numbers"
            " are given.",
            permanent=True,
        )
    return (
        np.ascontiguousarray(tensor, dtype=DTYPES[spec.datatype])
        if tensor.ndim
        else tensor.astype(DTYPES[spec.datatype])
    )


def _filled(tensor: Tensor, rows: int) -> Tensor:
    """With the last row repeated until there are enough."""
    if not tensor.ndim or len(tensor) == rows:
        return tensor
    return np.concatenate([tensor, np.repeat(tensor[-1:], rows - len(tensor), axis=0)])


def _tensor(spec: TensorSpec, value: Any) -> Tensor:
    if isinstance(value, np.ndarray):
        return _bytes(value) if value.dtype.kind in "OU" else value
    if isinstance(value, list) and value and isinstance(value[0], dict):
        # Classifiers of scikit-learn give a mapping of class to probability for each row.
        return np.array([[row[key] for key in value[0]] for row in value], dtype=np.float32)
    if isinstance(value, int | float):
        return np.asarray(value)
    raise InferenceError(
        f"The model's output {spec.name!r} is no tensor, but a {type(value).__name__}. Export the"
        " model with plain tensors.",
        permanent=True,
    )


def _bytes(texts: Tensor) -> Tensor:
    made: Tensor = np.empty(texts.size, dtype=np.object_)
    made[:] = [str(value).encode() for value in texts.ravel().tolist()]
    return made.reshape(texts.shape)
