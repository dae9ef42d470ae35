"""One option of a runtime as a field of a form: its widget, what is shown in it, and what is read
from it as JSON.

Nothing is checked here: what cannot be read stays text, and the runtime says what is wrong with
it, in its own words.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from django import forms

from inference.runtimes.adapters.labels import read_labels
from inference.runtimes.errors import InferenceError

if TYPE_CHECKING:
    from inference.runtimes.options import Option

TITLES: Final = {
    "tls": "TLS",
    "max_mebibytes": "Largest file",
    "max_gibibytes": "Most memory",
    "max_seconds": "Longest time",
    "min_score": "Smallest score",
    "std": "Standard deviation",
    "dtype": "Type of values",
}


class Shape(StrEnum):
    """What an option looks like."""

    NUMBER = "number"
    NUMBERS = "numbers"
    FLAG = "flag"
    TEXT = "text"
    CHOICE = "choice"
    WORDS = "words"


def shape_of(option: Option) -> Shape:
    """What the option looks like, by its bounds and its default."""
    if option.choices:
        return Shape.CHOICE
    if option.counts:
        return Shape.NUMBERS
    if option.low is not None:
        return Shape.NUMBER
    if isinstance(option.default, bool):
        return Shape.FLAG
    return Shape.WORDS if isinstance(option.default, tuple) else Shape.TEXT


def title(name: str) -> str:
    """A label for people."""
    return TITLES.get(name) or name.replace("_", " ").capitalize()


def form_field(option: Option, choices: Sequence[tuple[str, str]] = ()) -> forms.Field:
    """The field; ``choices`` are those of a text that is one of a few."""
    about: dict[str, Any] = {
        "label": title(option.name),
        "help_text": option.help,
        "required": False,
    }
    shape = Shape.CHOICE if choices else shape_of(option)
    if shape is Shape.FLAG:
        return forms.BooleanField(initial=option.default, **about)
    # In the others an empty field is the default, which stands in it in grey.
    initial = _default(option) if shape in (Shape.CHOICE, Shape.TEXT) else ""
    return forms.CharField(widget=_widget(option, shape, choices), initial=initial, **about)


def _widget(option: Option, shape: Shape, choices: Sequence[tuple[str, str]]) -> forms.Widget:
    grey = str(shown(option, _default(option)))
    if shape is Shape.CHOICE:
        return forms.Select(choices=choices or [(choice, choice) for choice in option.choices])
    if shape is Shape.NUMBER:
        step = "1" if isinstance(option.default, int) else "any"
        return forms.NumberInput(
            attrs={
                "step": step,
                "min": option.low,
                "max": option.high,
                "placeholder": grey,
            }
        )
    if shape is Shape.WORDS:
        return forms.Textarea(
            attrs={
                "rows": 3,
                "spellcheck": "false",
                "placeholder": "One a line, or a JSON list",
                "data-words": "",
            }
        )
    return forms.TextInput(
        attrs={
            "placeholder": grey if shape is not Shape.TEXT else "",
            "spellcheck": "false",
            "autocomplete": "off",
        }
    )


def shown(option: Option, value: object) -> Any:
    """A JSON value as it stands in the field."""
    shape = shape_of(option)
    if shape is Shape.FLAG:
        return value
    if shape is Shape.WORDS:
        return _lines(value)
    if shape is Shape.NUMBERS and isinstance(value, list | tuple):
        return ", ".join(
            f"{item:g}" if isinstance(item, int | float) else str(item) for item in value
        )
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def read(option: Option, text: object) -> object:
    """What stands in the field as a JSON value; None where it is the default."""
    shape = shape_of(option)
    value: object = (
        bool(text) if shape is Shape.FLAG else _read(option, shape, str(text or "").strip())
    )
    return None if value is None or value == _default(option) else value


def _read(option: Option, shape: Shape, text: str) -> object:
    if not text:
        return text if shape is Shape.TEXT else None
    if shape is Shape.NUMBER:
        return _number(text, whole=isinstance(option.default, int))
    if shape is Shape.NUMBERS:
        default = _default(option)
        whole = bool(default) and all(isinstance(item, int) for item in default)
        return [
            _number(item, whole=whole) for item in text.strip("[]() ").replace(",", " ").split()
        ]
    return _words(text) if shape is Shape.WORDS else text


def _number(text: str, *, whole: bool) -> object:
    kinds: tuple[type[int] | type[float], ...] = (int, float) if whole else (float,)
    for kind in kinds:
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _words(text: str) -> object:
    if "\n" not in text and not text.startswith(("[", "{")):
        return [word for item in text.split(",") if (word := item.strip())]
    try:
        return list(read_labels(text))
    except InferenceError:
        return text


def _lines(value: object) -> str:
    """Names one a line; as JSON where that would not come back the same."""
    if not value:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False)
    items = [str(item) for item in value] if isinstance(value, list | tuple) else [str(value)]
    text = "\n".join(items)
    return text if _words(text) == items else json.dumps(items, ensure_ascii=False)


def _default(option: Option) -> Any:
    return list(option.default) if isinstance(option.default, tuple) else option.default
