"""The kinds of models that Sightline can run: one name each, chosen by one field of a model version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from inference.runtimes.errors import InferenceError
from inference.runtimes.options import parse

if TYPE_CHECKING:
    from inference.runtimes.base import Runtime

__all__ = ["RUNTIMES", "InferenceError", "Kind", "check", "create"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A runtime by where it is found: imported when it is used, so that an absent library harms its own runtime only.

    The class at ``name`` takes an instance of its own ``Options`` dataclass.
    """

    title: str
    module: str
    name: str

    def load(self) -> Any:
        """The class itself; a permanent InferenceError when a library that it needs is not installed."""
        try:
            return getattr(import_module(self.module), self.name)
        except ImportError as err:
            raise InferenceError(f"{self.title} cannot run here: {err}.", permanent=True) from err


RUNTIMES: Final[Mapping[str, Kind]] = {
    "builtin-motion": Kind("Motion (built in)", "inference.runtimes.builtin.motion", "Motion"),
    "builtin-people": Kind("People (built in)", "inference.runtimes.builtin.people", "People"),
    "builtin-faces": Kind("Faces (built in)", "inference.runtimes.builtin.faces", "Faces"),
    "builtin-qr": Kind("QR codes (built in)", "inference.runtimes.builtin.qr", "QrCodes"),
}


def create(runtime: str, options: Mapping[str, object]) -> Runtime:
    """A runtime by its name, not yet loaded; a permanent InferenceError when the name or an option is wrong."""
    kind = _kind(runtime).load()
    made: Runtime = kind(parse(kind.Options, options))
    return made


def check(runtime: str, options: Mapping[str, object]) -> None:
    """Raise a permanent InferenceError when ``create`` would: for forms."""
    create(runtime, options)


def _kind(runtime: str) -> Kind:
    if runtime not in RUNTIMES:
        raise InferenceError(f"There is no runtime {runtime!r}. Known: {', '.join(RUNTIMES)}.", permanent=True)
    return RUNTIMES[runtime]
