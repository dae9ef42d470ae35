"""The names of classes: a list, or the text of a labels file."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Final

from inference.runtimes.errors import InferenceError
from sightline.messages.json import parse

MAX_LABELS: Final = 100_000
MAX_TEXT: Final = 4 * 1024 * 1024
MAX_NOTES: Final = 20


class Labels:
    """Names by class number, ``offset`` added to it first.

    A class without a name is called "class 17", and ``notes`` says so once: the labels may be
    another model's.
    """

    __slots__ = ("names", "notes", "offset")

    def __init__(self, names: Sequence[str] = (), offset: int = 0) -> None:
        self.names = tuple(names)
        self.offset = offset
        self.notes: list[str] = []

    def name(self, number: int) -> str:
        """What the class is called."""
        index = number + self.offset
        if 0 <= index < len(self.names) and self.names[index]:
            return self.names[index]
        if self.names:
            self._note(number)
        return f"class {number}"

    def _note(self, number: int) -> None:
        text = (
            f"There is no label for class {number} among the {len(self.names)} labels: it is shown"
            f' as "class {number}".'
        )
        if text not in self.notes and len(self.notes) < MAX_NOTES:
            self.notes.append(text)


def read_labels(value: object) -> tuple[str, ...]:
    """The names in the order of their class numbers; an empty one where a number has none.

    ``value`` is a list, an object {"0": "cat", ...} (a list as its value: the last word, as
    Keras writes ["n02123045", "tabby"]), or the text of a file with either as JSON or a Python
    literal (as Ultralytics writes into ONNX files), or with one label a line. A permanent
    InferenceError when it is none of these.
    """
    if isinstance(value, str):
        return _read_text(value)
    if isinstance(value, Mapping):
        return _read_numbered(value)
    if isinstance(value, list | tuple):
        return _bounded([_name(item) for item in value])
    raise InferenceError(
        'Labels are a list ["cat", "dog"], an object {"0": "cat"}, or a text with one label a'
        " line.",
        permanent=True,
    )


def _read_text(text: str) -> tuple[str, ...]:
    if len(text) > MAX_TEXT:
        raise InferenceError("The labels are longer than 4 MiB.", permanent=True)
    text = text.strip("\ufeff \t\r\n")
    if not text.startswith(("[", "{")):
        return _bounded([line.strip() for line in text.splitlines()])
    try:
        return read_labels(_literal(text))
    except (ValueError, SyntaxError, RecursionError, MemoryError) as err:
        raise InferenceError(
            "The labels look like JSON, but are not. Check brackets, quotes and commas.",
            permanent=True,
        ) from err


def _literal(text: str) -> object:
    try:
        value: object = parse(text)
    except ValueError:
        value = ast.literal_eval(text)
    return value


def _read_numbered(names: Mapping[object, object]) -> tuple[str, ...]:
    try:
        numbered = {int(str(key)): _name(name) for key, name in names.items()}
    except ValueError as err:
        raise InferenceError(
            'Labels as an object have class numbers as their keys: {"0": "cat", "1": "dog"}.',
            permanent=True,
        ) from err
    if not numbered:
        return ()
    if min(numbered) < 0 or max(numbered) >= MAX_LABELS:
        raise InferenceError(
            f"The class numbers of labels go from 0 to {MAX_LABELS - 1}.", permanent=True
        )
    return tuple(numbered.get(index, "") for index in range(max(numbered) + 1))


def _name(value: object) -> str:
    if isinstance(value, list | tuple) and value:
        value = value[-1]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InferenceError("Each label is a text.", permanent=True)
    return str(value).strip()


def _bounded(names: list[str]) -> tuple[str, ...]:
    if len(names) > MAX_LABELS:
        raise InferenceError(
            f"There are {len(names)} labels; {MAX_LABELS} at most are read.", permanent=True
        )
    return tuple(names)
