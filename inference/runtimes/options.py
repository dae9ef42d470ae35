"""Options of runtimes: frozen dataclasses whose fields carry bounds and help, filled from a form
or a file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, Field, field, fields
from typing import TYPE_CHECKING, Any, Final, TypeVar

from inference.runtimes.errors import InferenceError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

OptionsT = TypeVar("OptionsT", bound="DataclassInstance")

LONGEST_TEXT: Final = 2000
MAX_WORDS: Final = 100_000


def number(default: float, low: float, high: float, about: str) -> Any:
    """A dataclass field for a number from ``low`` to ``high``; a whole number where ``default``
    is one.
    """
    return field(
        default=default, metadata={"check": _number, "low": low, "high": high, "help": about}
    )


def numbers(
    default: tuple[float, ...], low: float, high: float, about: str, *, counts: Collection[int] = ()
) -> Any:
    """A dataclass field for a list of numbers from ``low`` to ``high``, whole ones where those of
    ``default`` are; a tuple.

    ``counts`` are the lengths that the list may have; empty: any up to 1,000.
    """
    metadata = {
        "check": _numbers,
        "low": low,
        "high": high,
        "counts": counts or range(1001),
        "help": about,
    }
    return field(default=default, metadata=metadata)


def flag(default: bool, about: str) -> Any:
    """A dataclass field that is on or off."""
    return field(default=default, metadata={"check": _flag, "help": about})


def text(default: str, about: str, *, required: bool = False) -> Any:
    """A dataclass field for one line of text; ``required``: it must be given, and not be empty."""
    return field(default=default, metadata={"check": _text, "required": required, "help": about})


def choice(default: str, choices: Collection[str], about: str) -> Any:
    """A dataclass field for one of ``choices``."""
    return field(
        default=default, metadata={"check": _choice, "choices": tuple(choices), "help": about}
    )


def words(about: str, default: tuple[str, ...] = ()) -> Any:
    """A dataclass field for a list of texts; a tuple."""
    return field(default=default, metadata={"check": _words, "help": about})


def section(kind: type[DataclassInstance], about: str) -> Any:
    """A dataclass field for options within options: an instance of ``kind``, from a JSON object
    of its own.
    """
    return field(default_factory=kind, metadata={"check": _section, "section": kind, "help": about})


def parse(kind: type[OptionsT], values: Mapping[str, object], *, within: str = "") -> OptionsT:
    """An instance of ``kind`` from names and values; a permanent InferenceError says which one is
    wrong.

    ``within`` is the name of the section that the values stand in.
    """
    known = {item.name: item for item in fields(kind)}
    refuse_unknown(values, known, within=within)
    for item in known.values():
        if item.metadata.get("required") and item.name not in values:
            raise wrong(
                f"The option {_path(within, item.name)!r} is missing. {item.metadata['help']}"
            )
    return kind(**{name: _checked(known[name], value, within) for name, value in values.items()})


def refuse_unknown(
    values: Mapping[str, object], known: Collection[str], *, within: str = ""
) -> None:
    """A permanent InferenceError when ``values`` has a name that is not ``known``."""
    for name in values:
        if name not in known:
            shown = ", ".join(_path(within, item) for item in known)
            raise wrong(f"The option {_path(within, name)!r} is not known. Known: {shown}.")


def wrong(message: str) -> InferenceError:
    """What a wrong option is refused with."""
    return InferenceError(message, permanent=True)


def _path(within: str, name: str) -> str:
    return f"{within}.{name}" if within else name


def _checked(option: Field[Any], value: object, within: str) -> object:
    check: Callable[[str, Mapping[str, Any], object, object], object] | None = option.metadata.get(
        "check"
    )
    default = None if option.default is MISSING else option.default
    return (
        value
        if check is None
        else check(_path(within, option.name), option.metadata, default, value)
    )


def _flag(name: str, metadata: Mapping[str, Any], default: object, value: object) -> bool:
    if not isinstance(value, bool):
        raise wrong(f"The option {name!r} must be true or false.")
    return value


def _number(name: str, metadata: Mapping[str, Any], default: object, value: object) -> float:
    whole = isinstance(default, int)
    low, high = metadata["low"], metadata["high"]
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise wrong(f"The option {name!r} must be a {'whole ' if whole else ''}number.")
    if not (low <= value <= high and math.isfinite(value)):
        raise wrong(f"The option {name!r} must be from {low} to {high}.")
    return value if whole else float(value)


def _numbers(
    name: str, metadata: Mapping[str, Any], default: tuple[float, ...], value: object
) -> tuple[float, ...]:
    if not isinstance(value, list | tuple):
        raise wrong(f"The option {name!r} must be a list of numbers.")
    if len(value) not in metadata["counts"]:
        counts = metadata["counts"]
        wanted = (
            f"at most {max(counts)}" if isinstance(counts, range) else " or ".join(map(str, counts))
        )
        raise wrong(f"The option {name!r} has {len(value)} numbers; it must have {wanted}.")
    like = 0 if default and all(isinstance(item, int) for item in default) else 0.0
    return tuple(_number(name, metadata, like, item) for item in value)


def _text(name: str, metadata: Mapping[str, Any], default: object, value: object) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise wrong(f"The option {name!r} must be text in one line.")
    if len(value) > LONGEST_TEXT:
        raise wrong(f"The option {name!r} is too long: {LONGEST_TEXT} characters at most.")
    if metadata["required"] and not value.strip():
        raise wrong(f"The option {name!r} is empty. {metadata['help']}")
    return value.strip()


def _choice(name: str, metadata: Mapping[str, Any], default: object, value: object) -> object:
    if value not in metadata["choices"]:
        raise wrong(f"The option {name!r} must be one of: {', '.join(metadata['choices'])}.")
    return value


def _words(
    name: str, metadata: Mapping[str, Any], default: object, value: object
) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise wrong(f'The option {name!r} must be a list of texts, as in ["first", "second"].')
    if len(value) > MAX_WORDS:
        raise wrong(f"The option {name!r} has too many entries: {MAX_WORDS} at most.")
    return tuple(value)


def _section(name: str, metadata: Mapping[str, Any], default: object, value: object) -> object:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise wrong(f'The option {name!r} must be an object, as in {{"name": value}}.')
    return parse(metadata["section"], value, within=name)
