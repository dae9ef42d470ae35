"""How a model's tensors become predictions: one name each, chosen by the output option
``adapter``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.utils.module_loading import import_string

from inference.runtimes.errors import InferenceError

if TYPE_CHECKING:
    from inference.runtimes.adapters.base import Adapter

__all__ = ["ADAPTERS", "AdapterKind", "create"]


@dataclass(frozen=True, slots=True)
class AdapterKind:
    """An adapter by where it is found. The class at ``name`` takes an instance of its own
    ``Options`` dataclass.
    """

    title: str
    module: str
    name: str

    def load(self) -> Any:
        """The class itself."""
        return import_string(f"{self.module}.{self.name}")


ADAPTERS: Final[Mapping[str, AdapterKind]] = {
    "classification": AdapterKind(
        "Classification: labels for the whole picture",
        "inference.runtimes.adapters.classification",
        "Classification",
    ),
    "ssd": AdapterKind(
        "Detector with boxes, classes and scores (SSD, torchvision)",
        "inference.runtimes.adapters.ssd",
        "Ssd",
    ),
    "yolo": AdapterKind("Detector of the YOLO family", "inference.runtimes.adapters.yolo", "Yolo"),
    "seed": AdapterKind(
        'Classifier that answers {"classes": N, "probabilities": [...]}',
        "inference.runtimes.adapters.seed",
        "Seed",
    ),
    "raw": AdapterKind("The tensors themselves, as JSON", "inference.runtimes.adapters.raw", "Raw"),
}


def create(values: Mapping[str, object]) -> Adapter:
    """An adapter by the option ``adapter`` and its own options; a permanent InferenceError says
    which one is wrong.
    """
    name = values.get("adapter", "raw")
    if not isinstance(name, str) or name not in ADAPTERS:
        raise InferenceError(
            f"There is no output adapter {name!r}. Known: {', '.join(ADAPTERS)}.", permanent=True
        )
    # Imported here for the reason given in inference/runtimes/__init__.py.
    from inference.runtimes.options import parse

    kind = ADAPTERS[name].load()
    options = {key: value for key, value in values.items() if key != "adapter"}
    made: Adapter = kind(parse(kind.Options, options, within=("output",)))
    return made
