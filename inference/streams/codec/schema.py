"""JSON schemas of records: compiled once, checked for each record.

An integer is a number, as in the JSON Schema specification. References to other documents are
refused: a schema reads no file and no address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import jsonschema_rs

from inference.runtimes.errors import InferenceError
from inference.runtimes.field_errors import field_path, limited, misfit, shown, subject

NAMES: Final = {
    "object": "an object",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}


class RecordError(InferenceError):
    """The record is not what the model takes. Always permanent."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


class RecordSchema:
    """A compiled JSON schema. An empty one fits everything."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """A permanent InferenceError when ``document`` is not a JSON schema."""
        self._validator = _compiled(document)
        self.fits: Callable[[Any], bool] = self._validator.is_valid

    def check(self, document: Any) -> None:
        """RecordError naming the first wrong field, before any missing one."""
        if self.fits(document):
            return
        errors = sorted(
            self._validator.iter_errors(document), key=lambda error: not error.instance_path
        )
        raise RecordError(
            _sentence(errors[0]) if errors else "The record does not fit the model's schema."
        )


def refuse_wrong_schema(document: object) -> None:
    """For forms: a permanent InferenceError unless ``document`` is a JSON schema."""
    if not isinstance(document, Mapping):
        raise InferenceError(
            'A JSON schema is an object, as in {"type": "object"}.', permanent=True
        )
    _compiled(document)


def _compiled(document: Mapping[str, Any]) -> jsonschema_rs.Validator:
    try:
        return jsonschema_rs.validator_for(dict(document), offline=True, mask="it")
    except jsonschema_rs.ValidationError as err:
        raise InferenceError(
            f"The schema is wrong at {field_path(err.instance_path) or 'its top'}: {err.message}.",
            permanent=True,
        ) from err
    except ValueError as err:
        raise InferenceError(f"The schema is not one: {err}.", permanent=True) from err


def _sentence(error: jsonschema_rs.ValidationError) -> str:
    path, kind = error.instance_path, error.kind
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
        return f"{subject([*path, kind.property])} is missing."
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Type):
        wanted = " or ".join(NAMES.get(name, name) for name in kind.types)
        return f"{subject(path)} must be {wanted}; it is {shown(error.instance)}."
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        unknown = limited(", ".join(kind.unexpected))
        return f"{subject(path)} has what the model does not know: {unknown}."
    return misfit(path, error.message, error.instance)
