"""Options of runtimes: pydantic models whose fields carry bounds and help.

They are filled from a form or from JSON. What is wrong is an OptionError that names the field's
path, so that a form can put the sentence where the value was typed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError, PydanticUndefined

from inference.runtimes.errors import OptionError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MAX_TEXT: Final = 2000
MAX_WORDS: Final = 100_000


class Options(BaseModel):
    """The options of a runtime, an adapter or a part of one."""

    model_config = ConfigDict(frozen=True, extra="forbid")


OptionsT = TypeVar("OptionsT", bound=Options)


@dataclass(frozen=True, slots=True)
class Option:
    """What there is to know of one option. ``low`` and ``high``: bounds of numbers. ``counts``: the
    lengths that a list of numbers may have. ``section``: the class of options within it.
    """

    name: str
    default: Any
    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    counts: Collection[int] = ()
    required: bool = False
    section: type[Options] | None = None
    lists_labels: bool = False


def options_of(kind: type[Options]) -> tuple[Option, ...]:
    """The options of a class, in their order."""
    return tuple(_option(name, info) for name, info in kind.model_fields.items())


def _option(name: str, info: FieldInfo) -> Option:
    facts = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    default = "" if info.default is PydanticUndefined else info.default
    return Option(name, default, info.description or "", **facts)  # type: ignore[arg-type]


# Kinds of options


def number(default: float, low: float, high: float, about: str) -> Any:
    """A number from ``low`` to ``high``; a whole number where ``default`` is one."""
    check = _whole_number if isinstance(default, int) else _number
    return _field(default, about, lambda value: check(value, low, high), low=low, high=high)


def numbers(
    default: tuple[float, ...], low: float, high: float, about: str, *, counts: Collection[int] = ()
) -> Any:
    """A list of numbers from ``low`` to ``high``, whole ones where those of ``default`` are.

    ``counts`` are the lengths that the list may have; empty: any up to 1,000.
    """
    wanted = counts or range(1001)
    whole = bool(default) and all(isinstance(item, int) for item in default)
    check = _whole_number if whole else _number

    def checked(value: object) -> tuple[float, ...]:
        if not isinstance(value, list | tuple):
            raise wrong("must be a list of numbers.")
        if len(value) not in wanted:
            lengths = (
                f"at most {max(wanted)}"
                if isinstance(wanted, range)
                else " or ".join(map(str, wanted))
            )
            raise wrong(f"has {len(value)} numbers; it must have {lengths}.")
        return tuple(check(item, low, high) for item in value)

    return _field(default, about, checked, low=low, high=high, counts=wanted)


def flag(default: bool, about: str) -> Any:
    """An option that is on or off."""

    def checked(value: object) -> bool:
        if not isinstance(value, bool):
            raise wrong("must be true or false.")
        return value

    return _field(default, about, checked)


def text(default: str, about: str, *, required: bool = False) -> Any:
    """One line of text; ``required``: it must be given, and not be empty."""

    def checked(value: object) -> str:
        if not isinstance(value, str) or not value.isprintable():
            raise wrong("must be text in one line.")
        if len(value) > MAX_TEXT:
            raise wrong(f"is too long: {MAX_TEXT} characters at most.")
        if required and not value.strip():
            raise wrong(f"is empty. {about}")
        return value.strip()

    return _field(default, about, checked, required=required)


def choice(default: str, choices: Collection[str], about: str) -> Any:
    """One of ``choices``."""

    def checked(value: object) -> object:
        if value not in choices:
            raise wrong(f"must be one of: {', '.join(choices)}.")
        return value

    return _field(default, about, checked, choices=tuple(choices))


def words(about: str, default: tuple[str, ...] = ()) -> Any:
    """A list of texts."""

    def checked(value: object) -> tuple[str, ...]:
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise wrong('must be a list of texts, as in ["first", "second"].')
        if len(value) > MAX_WORDS:
            raise wrong(f"has too many entries: {MAX_WORDS} at most.")
        return tuple(value)

    return _field(default, about, checked)


def section(kind: type[Options], about: str) -> Any:
    """Options within options: an instance of ``kind``, from a JSON object of its own."""

    def checked(value: object) -> object:
        is_object = isinstance(value, Mapping) and all(isinstance(key, str) for key in value)
        if not is_object and not isinstance(value, kind):
            raise wrong('must be an object, as in {"name": value}.')
        return value

    return _field(PydanticUndefined, about, checked, kind, section=kind)


def checked_by(
    check: Callable[[object], Any],
    about: str,
    *,
    default: Any = PydanticUndefined,
    default_factory: Callable[[], Any] | None = None,
    **facts: Any,
) -> Any:
    """An option of a kind of its own: ``check`` gives its value, or raises ``wrong`` or an
    InferenceError.
    """
    return _field(default, about, check, default_factory, **facts)


def _field(
    default: Any,
    about: str,
    check: Callable[[Any], Any],
    factory: Callable[[], Any] | None = None,
    **facts: Any,
) -> Any:
    given: dict[str, Any] = {"default_factory": factory} if factory else {"default": default}
    field = Field(**given, description=about, json_schema_extra=facts)
    field.metadata.append(BeforeValidator(check))
    return field


def _whole_number(value: object, low: float, high: float) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong("must be a whole number.")
    if not low <= value <= high:
        raise wrong(f"must be from {low} to {high}.")
    return value


def _number(value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong("must be a number.")
    if not (low <= value <= high and math.isfinite(value)):
        raise wrong(f"must be from {low} to {high}.")
    return float(value)


def wrong(reason: str) -> PydanticCustomError:
    """What the check of an option raises: ``reason`` follows the option's path in a sentence."""
    return PydanticCustomError("option", "{reason}", {"reason": reason})


# Reading


def parse(
    kind: type[OptionsT], values: Mapping[str, object], *, within: tuple[str, ...] = ()
) -> OptionsT:
    """An instance of ``kind`` from names and values; OptionError says which one is wrong.

    ``within`` is the path of the section that the values stand in.
    """
    required = [item for item in options_of(kind) if item.required and item.name not in values]
    try:
        parsed = kind.model_validate(dict(values))
    except ValidationError as err:
        # An option that is not known is often the one that is missing, misspelt.
        raise min(
            (_error(kind, detail, within) for detail in err.errors(include_url=False)),
            key=lambda error: not error.unknown,
        ) from err
    if required:
        raise OptionError((*within, required[0].name), f"is missing. {required[0].help}")
    return parsed


def _error(kind: type[Options], detail: ErrorDetails, within: tuple[str, ...]) -> OptionError:
    path = (*within, *map(str, detail["loc"]))
    if detail["type"] == "option":
        return OptionError(path, detail["ctx"]["reason"])
    return unknown_option(path, (item.name for item in options_of(_section(kind, detail["loc"]))))


def _section(kind: type[Options], path: tuple[int | str, ...]) -> type[Options]:
    """The class of options that the last name of a path stands in."""
    for name in path[:-1]:
        inner = next(item.section for item in options_of(kind) if item.name == name)
        assert inner is not None
        kind = inner
    return kind


def unknown_option(path: tuple[str, ...], known: Collection[str] | Any) -> OptionError:
    """There is no option of that path; ``known`` are the names beside it that there are."""
    shown = ", ".join(".".join((*path[:-1], name)) for name in known)
    return OptionError(path, f"is not known. Known: {shown}.", unknown=True)


def refuse_unknown(values: Mapping[str, object], known: Collection[str]) -> None:
    """OptionError when ``values`` has a name that is not ``known``."""
    for name in values:
        if name not in known:
            raise unknown_option((name,), known)
