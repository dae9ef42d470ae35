"""Models that are Python classes, run in the worker's own process."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from inference.runtimes.errors import InferenceError
from inference.runtimes.field_errors import misfit
from inference.runtimes.guard import error_text, guarded
from inference.runtimes.options import Options, text
from inference.runtimes.python import registry as python_models
from inference.runtimes.records import Result
from inference.runtimes.tensors import EXACT_FLOAT
from sightline.messages import Detection

if TYPE_CHECKING:
    from inference.runtimes.base import Picture

log = logging.getLogger(__name__)

# What such an error comes from is in the input or in the code: the same input raises it again.
PERMANENT: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    TypeError,
    ValueError,
)


class PythonOptions(Options):
    """Which class."""

    model: str = text("", "The qualified name of an installed model class.", required=True)


class PythonModel:
    """A class with the MLModel interface (``inference.runtimes.python.registry``) as a runtime
    for records, and for pictures where it takes them.
    """

    Options = PythonOptions

    def __init__(self, options: PythonOptions) -> None:
        """A permanent InferenceError when there is no such class."""
        self.found = python_models.find(options.model)
        self.input_schema: Mapping[str, Any] = self.found.input_schema or {}
        self.output_schema: Mapping[str, Any] = self.found.output_schema or {}
        self._model: Any = None
        self._prepared: Callable[[Any], Any] | None = None

    @property
    def takes(self) -> frozenset[str]:
        """What the class is fed with: records, pictures or both."""
        return self.found.takes

    @property
    def batches(self) -> bool:
        """Whether the class takes several inputs in one call; otherwise it is called once per
        input, whatever the batch.
        """
        return hasattr(self.found.kind, "predict_batch")

    def load(self) -> None:
        assert self.found.kind is not None
        try:
            with guarded():
                self._model = model = self.found.kind()
                own_schema = model.input_schema if hasattr(model, "input_schema") else {}
                self.output_schema = python_models.schema_of(getattr(model, "output_schema", {}))
        except Exception as err:
            raise InferenceError(
                f"The class {self.found.source} cannot be loaded. {error_text(err)}",
                permanent=False,
            ) from err
        self.input_schema = python_models.schema_of(own_schema)
        self._prepared = _preparation(own_schema, self.input_schema)

    def close(self) -> None:
        model, self._model = self._model, None
        try:
            with guarded():
                if callable(close := getattr(model, "close", None)):
                    close()
        except Exception:
            log.warning("model does not close class=%s", self.found.source, exc_info=True)

    def predict_records(self, batch: Sequence[Mapping[str, Any]]) -> list[Result]:
        """The class's result for each record. An exception fails only its own record."""
        if "records" not in self.takes:
            raise InferenceError(
                f"The model {self.found.qualified_name!r} takes pictures, not records.",
                permanent=True,
            )
        prepared = self._prepared
        inputs = batch if prepared is None else [prepared(record) for record in batch]
        return [
            result if type(result) is dict else _document(result) for result in self._asked(inputs)
        ]

    def predict(self, batch: Sequence[Picture]) -> list[tuple[Detection, ...]]:
        """What the class sees in each picture; the first exception fails the batch."""
        if "pictures" not in self.takes:
            raise InferenceError(
                f"The model {self.found.qualified_name!r} takes records, not pictures.",
                permanent=True,
            )
        width = getattr(self._model, "picture_width", None)
        return [
            _detections(result)
            for result in self._asked([picture.bgr(width)[:, :, ::-1] for picture in batch])
        ]

    def _asked(self, inputs: Sequence[Any]) -> list[Any]:
        if self.batches:
            try:
                with guarded():
                    results = list(self._model.predict_batch(list(inputs)))
            except Exception as err:
                raise _translated(err) from err
            if len(results) != len(inputs):
                raise InferenceError(
                    f"The model's predict_batch gave {len(results)} results for {len(inputs)}"
                    " inputs.",
                    permanent=True,
                )
            return results
        predict, results = self._model.predict, []
        for item in inputs:
            try:
                with guarded():
                    results.append(predict(item))
            except Exception as err:  # noqa: BLE001 - foreign code may raise anything
                results.append(_translated(err))
        return results


def _translated(err: BaseException) -> InferenceError:
    """The model's own exception, with its stack trace, as ours."""
    if isinstance(err, InferenceError):
        return err
    found = InferenceError(error_text(err), permanent=isinstance(err, PERMANENT))
    found.__cause__ = err
    return found


def _document(result: Any) -> Result:
    if isinstance(result, InferenceError):
        return result
    if callable(dump := getattr(result, "model_dump", None)):
        document: dict[str, Any] = dump(mode="json")
        return document
    if isinstance(result, Mapping):
        return dict(result)
    return InferenceError(
        f"The model gave {_article(type(result).__name__)}; a result is an object with names and"
        " values.",
        permanent=True,
    )


def _article(name: str) -> str:
    return f"an {name}" if name[:1].lower() in "aeiou" else f"a {name}"


# Pictures


def _detections(result: Any) -> tuple[Detection, ...]:
    if isinstance(result, InferenceError):
        raise result
    try:
        return tuple(item if isinstance(item, Detection) else _detection(item) for item in result)
    except (ArithmeticError, KeyError, TypeError, ValueError) as err:
        wanted = "a list of objects with label, score and, where there is one, box"
        raise InferenceError(
            f"The model's predictions are not {wanted}: {type(err).__name__}: {err}.",
            permanent=True,
        ) from err


def _detection(item: Mapping[str, Any]) -> Detection:
    score = float(item["score"])
    if not math.isfinite(score):
        raise ValueError("a score is not a number")
    box = item.get("box")
    text = item.get("text")
    return Detection(
        str(item["label"]),
        score,
        None if box is None else _box(box),
        None if text is None else str(text),
    )


def _box(values: Sequence[Any]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (min(max(float(value), 0.0), 1.0) for value in values)
    return x0, y0, x1, y1


# Records


def _preparation(own_schema: object, schema: Mapping[str, Any]) -> Callable[[Any], Any] | None:
    """What is done to each record before the model sees it: None = nothing."""
    if callable(validate := getattr(own_schema, "model_validate", None)):
        return partial(_validated, validate)
    return _floats(schema)


def _validated(validate: Callable[[Any], Any], record: Any) -> Any:
    """The record as the class's pydantic model has it; a permanent InferenceError with the first
    wrong field.
    """
    try:
        return validate(record)
    except ValueError as err:
        if not callable(errors := getattr(err, "errors", None)) or not (found := errors()):
            raise
        first = found[0]
        sentence = misfit(first["loc"], first["msg"], first["input"])
        raise InferenceError(sentence, permanent=True) from err


def _floats(schema: object) -> Callable[[Any], Any] | None:
    """Makes whole numbers floats where the schema says "number", in place: models check that
    themselves, and refuse 1 for 1.0.
    """
    if not isinstance(schema, Mapping):
        return None
    if schema.get("type") == "number":
        return _float
    if schema.get("type") == "array":
        return _each(_floats(schema.get("items")))
    properties = schema.get("properties")
    return _fields(properties) if isinstance(properties, Mapping) else None


def _float(value: Any) -> Any:
    return float(value) if type(value) is int and -EXACT_FLOAT <= value <= EXACT_FLOAT else value


def _each(convert: Callable[[Any], Any] | None) -> Callable[[Any], Any] | None:
    if convert is None:
        return None
    return lambda values: (
        [convert(value) for value in values] if isinstance(values, list) else values
    )


def _fields(properties: Mapping[str, Any]) -> Callable[[Any], Any] | None:
    converters = [
        (name, convert)
        for name, part in properties.items()
        if (convert := _floats(part)) is not None
    ]

    def convert_fields(record: Any) -> Any:
        if isinstance(record, dict):
            for name, convert in converters:
                if name in record:
                    record[name] = convert(record[name])
        return record

    return convert_fields if converters else None
