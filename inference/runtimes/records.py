"""Models that take records, JSON objects, instead of pictures; and how a record becomes tensors
and comes back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from inference.runtimes.errors import InferenceError, OptionError
from inference.runtimes.options import Options, text, words
from inference.runtimes.shapes import list_words
from inference.runtimes.tensors import (
    BYTES,
    DTYPES,
    Backend,
    ModelMetadata,
    Tensor,
    TensorSpec,
    bytes_tensor,
    rounds_integers,
)

Document = dict[str, Any]
Result = Document | InferenceError


class RecordRuntime(Protocol):
    """A model of records. Making one costs nothing: files and connections are
    opened by ``load``.

    The schemas are JSON schemas, known once it is loaded; {} = any object.
    """

    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any]

    def load(self) -> None:
        """Load the model. Raises InferenceError with the reason."""

    def predict_records(self, batch: Sequence[Mapping[str, Any]]) -> Sequence[Result]:
        """One result for each record, in order: an object, or the error that this record gives.
        InferenceError fails the whole batch.
        """

    def close(self) -> None:
        """Free what ``load`` took; safe to call twice, and without ``load``."""


class RecordOptions(Options):
    """How records and tensors correspond."""

    features: tuple[str, ...] = words(
        "The record's fields, in the model's order, that together are its one input (N, F). Empty:"
        " each input tensor is a field of its name."
    )
    labels: tuple[str, ...] = words('Names of the classes: adds the field "label" to the result.')
    label_from: str = text(
        "",
        "The output that says the class, by its number or by a score for each. Empty: the first"
        " output.",
    )
    label_field: str = text("label", "The field of the result that the class's name is put in.")


NUMBER: Final = {"type": "number"}
ITEM_SCHEMAS: Final = {
    "BOOL": {"type": "boolean"},
    BYTES: {"type": "string"},
    "FP16": NUMBER,
    "FP32": NUMBER,
    "FP64": NUMBER,
}
MAX_DEPTH: Final = 8


class RecordModel:
    """Any backend of tensors, given records."""

    Options = RecordOptions

    def __init__(self, backend: Backend, options: RecordOptions) -> None:
        self.backend = backend
        self.options = options
        self.inputs: tuple[TensorSpec, ...] = ()
        self.input_schema: Mapping[str, Any] = {}
        self.output_schema: Mapping[str, Any] = {}
        self._column = self._feature_column if options.features else self._field_columns

    def load(self) -> None:
        self.backend.load()
        metadata = self.backend.metadata()
        self.inputs = metadata.inputs
        if self.options.features and len(metadata.inputs) > 1:
            names = ", ".join(spec.name for spec in metadata.inputs)
            raise OptionError(("features",), f"is for models with one input; this one has {names}.")
        self.input_schema = self._input_schema(metadata)
        self.output_schema = _object({spec.name: _schema_of(spec) for spec in metadata.outputs})

    def close(self) -> None:
        self.backend.close()

    def predict_records(self, batch: Sequence[Mapping[str, Any]]) -> list[Result]:
        return [*self._documents(self.backend.infer(self._column(batch)), len(batch))]

    def _input_schema(self, metadata: ModelMetadata) -> dict[str, Any]:
        if self.options.features:
            return _object(dict.fromkeys(self.options.features, NUMBER))
        return _object({spec.name: _schema_of(spec) for spec in metadata.inputs})

    # Records to tensors

    def _feature_column(self, batch: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        spec = (
            self.inputs[0]
            if self.inputs
            else TensorSpec("input", "FP32", (-1, len(self.options.features)))
        )
        rows = [[_field(record, name) for name in self.options.features] for record in batch]
        return {spec.name: _tensor(spec, rows, item_shape=(len(self.options.features),))}

    def _field_columns(self, batch: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        if not self.inputs:
            # The model does not say what it takes: every field is an input, as it is.
            if any(record.keys() != batch[0].keys() for record in batch):
                # The fields of the first record must not decide which of the others' count.
                raise InferenceError("The records differ in their fields.", permanent=False)
            return {
                name: _guessed(name, [_field(record, name) for record in batch])
                for name in batch[0]
            }
        return {
            spec.name: _tensor(spec, [_field(record, spec.name) for record in batch])
            for spec in self.inputs
        }

    # Tensors to results

    def _documents(self, outputs: Mapping[str, Tensor], count: int) -> list[Document]:
        for name, tensor in outputs.items():
            if tensor.ndim == 0 or len(tensor) != count:
                found = len(tensor) if tensor.ndim else 1
                raise InferenceError(
                    f"The model's output {name!r} is for {found} records; it was asked about"
                    f" {count}.",
                    permanent=True,
                )
        columns = {name: _values(tensor) for name, tensor in outputs.items()}
        if self.options.labels:
            columns[self.options.label_field] = self._labels(outputs)
        names = tuple(columns)
        return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def _labels(self, outputs: Mapping[str, Tensor]) -> list[str]:
        source = self.options.label_from or next(iter(outputs), "")
        if source not in outputs:
            raise InferenceError(
                f"The model has no output {source!r} to take the label from; it has"
                f" {', '.join(outputs)}.",
                permanent=True,
            )
        tensor = outputs[source]
        scores = tensor.reshape(len(tensor), -1)
        if scores.dtype.kind not in "iufb":
            raise InferenceError(
                f"The output {source!r} is no number or list of scores, so it has no label.",
                permanent=True,
            )
        numbers = scores[:, 0].astype(int) if scores.shape[1] == 1 else scores.argmax(axis=1)
        labels = self.options.labels
        return [
            labels[number] if 0 <= number < len(labels) else f"class {number}" for number in numbers
        ]


def _field(record: Mapping[str, Any], name: str) -> Any:
    try:
        return record[name]
    except KeyError as err:
        raise InferenceError(f"The field {name!r} is missing.", permanent=True) from err


def _tensor(spec: TensorSpec, values: Sequence[Any], item_shape: tuple[int, ...] = ()) -> Tensor:
    """Values, one for each record, as the model's input: shape (N, ...), InferenceError when one
    does not fit.
    """
    item_shape = item_shape or spec.shape[1:]
    if spec.datatype == BYTES:
        return _texts(spec.name, values, item_shape)
    array = _array(spec.name, values)
    if item_shape and array.ndim == 1 and all(size in (1, -1) for size in item_shape):
        array = array.reshape(
            -1, *(1 for _ in item_shape)
        )  # one number where the model wants a list of one
    _refuse_other_shape(spec.name, array.shape[1:], item_shape)
    return _converted(spec, array)


def _array(name: str, values: Sequence[Any]) -> NDArray[Any]:
    try:
        array = np.asarray(values)
    except (ValueError, OverflowError) as err:
        raise InferenceError(
            f"The field {name!r} must be a number, or lists of numbers of equal length.",
            permanent=True,
        ) from err
    if array.dtype.kind not in "biuf":
        raise InferenceError(
            f"The field {name!r} must be a number, or a list of numbers.", permanent=True
        )
    if len(values) > 1 and array.dtype.kind == "f" and rounds_integers(array, list(values)):
        # Fractions among them have made floats of all.
        raise InferenceError(f"The field {name!r} is not of one type.", permanent=False)
    return array


def _refuse_other_shape(name: str, shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    fits = len(shape) == len(wanted) and all(
        size in (-1, found) for size, found in zip(wanted, shape, strict=True)
    )
    if not fits:
        raise InferenceError(
            f"The field {name!r} is {list_words(shape)}; the model takes {list_words(wanted)}.",
            permanent=True,
        )


def _converted(spec: TensorSpec, array: NDArray[Any]) -> Tensor:
    dtype = DTYPES.get(spec.datatype, np.dtype(np.float32))
    if dtype.kind in "iu":
        if array.dtype.kind == "f" and len(array) > 1:
            raise InferenceError(f"The field {spec.name!r} is not of one type.", permanent=False)
        bounds = np.iinfo(dtype)
        # Rounding or wrapping around would give a wrong answer instead of none.
        if array.dtype.kind == "f" and not (np.isfinite(array) & (array == np.floor(array))).all():
            raise InferenceError(f"The field {spec.name!r} must be a whole number.", permanent=True)
        if array.size and (array.min() < bounds.min or array.max() > bounds.max):
            raise InferenceError(
                f"The field {spec.name!r} must be from {bounds.min} to {bounds.max}.",
                permanent=True,
            )
    with np.errstate(over="ignore"):
        return array.astype(dtype, copy=False)


def _texts(name: str, values: Sequence[Any], item_shape: tuple[int, ...]) -> Tensor:
    lists = [value if isinstance(value, list) else [value] for value in values]
    wanted = item_shape[0] if item_shape else 1
    widths = {len(items) for items in lists}
    all_text = all(isinstance(item, str) for items in lists for item in items)
    if not all_text or len(item_shape) > 1 or len(widths) != 1 or wanted not in (-1, *widths):
        raise InferenceError(
            f"The field {name!r} must be"
            f" {'text' if wanted == 1 else 'a list of texts, as many as it takes'}.",
            permanent=True,
        )
    tensor = bytes_tensor([item.encode() for items in lists for item in items])
    return tensor.reshape(len(values), -1) if item_shape else tensor


def _guessed(name: str, values: Sequence[Any]) -> Tensor:
    """A tensor of the type that the values have; InferenceError when they differ in type, since
    a value must not become another one because of its neighbours in the batch.
    """
    if all(isinstance(value, str) for value in values):
        return bytes_tensor([value.encode() for value in values])
    array = _array(name, values)
    if len({np.asarray(value).dtype.kind for value in values}) > 1:
        raise InferenceError(f"The field {name!r} is not of one type.", permanent=False)
    return array.astype(np.float32) if array.dtype.kind == "f" else array


def _values(tensor: Tensor) -> list[Any]:
    """Plain Python values, one for each record; bytes become text."""
    values: list[Any] = tensor.tolist()
    return _decoded(values) if tensor.dtype.kind in "OS" else values


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    return value.decode(errors="replace") if isinstance(value, bytes) else value


# Schemas


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return (
        {"type": "object", "properties": dict(properties), "required": list(properties)}
        if properties
        else {}
    )


def _schema_of(spec: TensorSpec) -> dict[str, Any]:
    """The JSON schema of one record's part of a tensor."""
    item: dict[str, Any] = dict(ITEM_SCHEMAS.get(spec.datatype, {"type": "integer"}))
    schema = item
    for size in reversed(spec.shape[1:][:MAX_DEPTH]):
        schema = {
            "type": "array",
            "items": schema,
            **({"minItems": size, "maxItems": size} if size >= 0 else {}),
        }
    # A list of one may be left out.
    return {"anyOf": [item, schema]} if spec.shape[1:] in ((1,), (-1,)) else schema
