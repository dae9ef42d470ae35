"""Models that are Python classes, and where they are found: installed packages and one setting,
never what somebody types into a form.

A package offers its classes by the entry point group ``sightline.models``::

    [project.entry-points."sightline.models"]
    iris = "iris_model:IrisModel"

The setting ``PYTHON_MODELS`` names further ones by their dotted paths:
``iris_model.IrisModel,other.models.Churn``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Final, Protocol

from django.conf import settings

from inference.runtimes.errors import InferenceError
from inference.runtimes.guard import error_text

log = logging.getLogger(__name__)

GROUP: Final = "sightline.models"


class MLModel(Protocol):
    """What a model's class looks like. It is made without arguments, in the worker that uses it,
    and may load its parameters then.

    The schemas are JSON schemas, or classes of pydantic, whose instances ``predict`` is then
    given and returns. An optional method ``predict_batch(batch)`` takes a list and returns as
    many results; an optional ``close()`` is called at the end.

    An optional attribute ``takes`` says what it is fed with: ``{"records"}`` if it is absent;
    ``{"pictures"}`` for a class whose ``predict`` is given an array of shape (height, width, 3),
    RGB, uint8, and returns a list of objects with ``label``, ``score`` and ``box`` (x0, y0, x1,
    y1 in 0..1; may be absent). An optional ``picture_width`` is the width in pixels that it
    wants pictures scaled down to.
    """

    @property
    def display_name(self) -> str: ...
    @property
    def qualified_name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def major_version(self) -> int: ...
    @property
    def minor_version(self) -> int: ...
    @property
    def input_schema(self) -> Any: ...
    @property
    def output_schema(self) -> Any: ...

    def predict(self, data: Any) -> Any:
        """The result for one input; any exception fails this input only."""


@dataclass(frozen=True, slots=True)
class Found:
    """A class that can be chosen. ``error`` says why it cannot, after all; then the rest is not
    known.
    """

    qualified_name: str
    display_name: str = ""
    description: str = ""
    version: str = ""
    takes: frozenset[str] = frozenset({"records"})
    input_schema: Mapping[str, Any] | None = None
    output_schema: Mapping[str, Any] | None = None
    source: str = ""
    error: str = ""
    kind: type | None = None


def available() -> tuple[Found, ...]:
    """Every class that there is, by its qualified name; those that cannot be imported have an
    ``error``.
    """
    return _available(tuple(settings.PYTHON_MODELS))


def find(qualified_name: str) -> Found:
    """One class; a permanent InferenceError says which ones there are, or why it cannot be used."""
    classes = available()
    named = [found for found in classes if found.qualified_name == qualified_name]
    if not named:
        known = (
            ", ".join(sorted(found.qualified_name for found in classes))
            or "none; install its package or name it in PYTHON_MODELS"
        )
        raise InferenceError(
            f"There is no Python model {qualified_name!r}. There are: {known}.", permanent=True
        )
    if named[0].error:
        raise InferenceError(
            f"The Python model {qualified_name!r} cannot be used: {named[0].error}", permanent=True
        )
    return named[0]


def schema_of(schema: object) -> dict[str, Any]:
    """A model's schema as a JSON schema: it is one, or a class of pydantic or an object of the
    package ``schema`` that can give one; {} otherwise.
    """
    if isinstance(schema, Mapping):
        return dict(schema)
    for name, arguments in (("model_json_schema", ()), ("json_schema", ("",))):
        if callable(make := getattr(schema, name, None)):
            return {key: value for key, value in dict(make(*arguments)).items() if key != "$id"}
    return {}


@cache
def _available(paths: tuple[str, ...]) -> tuple[Found, ...]:
    offered = sorted(
        {*_entry_points(), *((path, _by_path(path)) for path in paths)}, key=lambda item: item[0]
    )
    found = [_found(name, load) for name, load in offered]
    return tuple(_without_doubles(found))


def _entry_points() -> Iterator[tuple[str, Callable[[], object]]]:
    for point in entry_points(group=GROUP):
        yield point.value, point.load


def _by_path(path: str) -> Callable[[], object]:
    def load() -> object:
        module, _, name = path.replace(":", ".").rpartition(".")
        return getattr(import_module(module), name)

    return load


def _found(source: str, load: Callable[[], object]) -> Found:
    """Read a class's attributes. It is foreign code: an exception makes only this class
    unusable.
    """
    try:
        kind = load()
        if not isinstance(kind, type) or not callable(getattr(kind, "predict", None)):
            return Found(
                source, source=source, error=f"{source} is not a class with a method predict."
            )
        return _described(kind, source)
    except BaseException as err:  # noqa: BLE001 - see above
        reason = error_text(err)
        log.warning("python model cannot be imported source=%s error=%s", source, reason)
        return Found(source, source=source, error=f"{source} cannot be imported. {reason}")


def _described(kind: type, source: str) -> Found:
    # Its descriptions are often properties. They are read without calling __init__, which may load
    # gigabytes.
    bare: object = object.__new__(kind)

    def attribute(name: str, default: object = "") -> Any:
        try:
            return getattr(bare, name, default)
        except Exception:  # noqa: BLE001 - a property that needs what __init__ makes: known once the model is loaded
            return default

    return Found(
        qualified_name=str(attribute("qualified_name") or source),
        display_name=str(attribute("display_name") or kind.__name__),
        description=str(attribute("description")),
        version=f"{attribute('major_version', 0)}.{attribute('minor_version', 0)}",
        takes=_takes(attribute("takes", ("records",))),
        input_schema=schema_of(attribute("input_schema", None)) or None,
        output_schema=schema_of(attribute("output_schema", None)) or None,
        source=source,
        kind=kind,
    )


def _takes(declared: str | Iterable[str]) -> frozenset[str]:
    return frozenset({declared} if isinstance(declared, str) else declared)


def _without_doubles(classes: Sequence[Found]) -> Iterator[Found]:
    seen: dict[str, Found] = {}
    for found in classes:
        first = seen.setdefault(found.qualified_name, found)
        if first is found:
            yield found
        elif first.kind is not found.kind:
            log.warning(
                "two python models have one name name=%s used=%s ignored=%s",
                found.qualified_name,
                first.source,
                found.source,
            )
