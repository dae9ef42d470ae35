"""Models as Python classes, as other people's packages offer them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from inference.runtimes.errors import ServerUnavailable

NUMBER = {"type": "number"}
FEATURES = ("sepal_length", "sepal_width", "petal_length", "petal_width")


class IrisModel:
    """Which iris a flower is, by a decision tree with two cuts. It insists on floats, as many
    models do.
    """

    display_name = "Iris"
    qualified_name = "iris_model"
    description = "Tells three species of iris apart."
    major_version = 1
    minor_version = 0
    input_schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "properties": dict.fromkeys(FEATURES, NUMBER),
        "required": list(FEATURES),
    }
    output_schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "properties": {"species": {"type": "string"}},
        "required": ["species"],
    }

    def predict(self, data: dict[str, Any]) -> dict[str, Any]:
        if not all(isinstance(data[name], float) for name in FEATURES):
            raise TypeError("only floats are accepted")
        if data["petal_length"] < 2.45:
            return {"species": "setosa"}
        return {"species": "versicolor" if data["petal_width"] < 1.75 else "virginica"}


class _Simple:
    display_name = description = ""
    major_version = minor_version = 0
    input_schema: ClassVar[dict[str, Any]] = {"type": "object"}
    output_schema: ClassVar[dict[str, Any]] = {"type": "object"}


class FreeModel(_Simple):
    """Costs nothing."""

    qualified_name = "free_model"

    def predict(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"id": data.get("id")}


class BusyModel(_Simple):
    """Keeps the processor, and Python's lock, for 100 µs."""

    qualified_name = "busy_model"
    seconds = 100e-6

    def predict(self, data: dict[str, Any]) -> dict[str, Any]:
        until = time.perf_counter() + self.seconds
        while time.perf_counter() < until:
            pass
        return {"id": data.get("id")}


class BatchModel(_Simple):
    """Takes several records at once."""

    qualified_name = "batch_model"
    calls: ClassVar[list[int]] = []

    def predict(self, data: dict[str, Any]) -> dict[str, Any]:
        return self.predict_batch([data])[0]

    def predict_batch(self, batch: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        self.calls.append(len(batch))
        if any(record.get("bad") for record in batch):
            raise ValueError("a bad one")
        return [{"id": record.get("id")} for record in batch]


class PictureModel(_Simple):
    """Says how bright a picture is."""

    qualified_name = "picture_model"
    takes = "pictures"
    picture_width = 32

    def predict(self, data: Any) -> list[dict[str, Any]]:
        return [
            {"label": "bright" if data.mean() > 127 else "dark", "score": 1.0, "box": [0, 0, 1, 1]}
        ]


class NanModel(PictureModel):
    """Gives a box that is none where the picture is dark."""

    qualified_name = "nan_model"

    def predict(self, data: Any) -> list[dict[str, Any]]:
        corner = 0.0 if data.mean() > 127 else float("nan")
        return [{"label": "seen", "score": 1.0, "box": [corner, 0, 1, 1]}]


class OddModel(_Simple):
    """Gives what no stream can carry."""

    qualified_name = "odd_model"

    def predict(self, data: dict[str, Any]) -> Any:
        results = {
            "nan": {"number": float("nan")},
            "list": [1, 2],
            "object": {"thing": object()},
            "large": {"text": "x" * 9_000_000},
            "big": {"number": 2**64},
            "numpy": {"number": np.float64(1.5), "list": np.array([1, 2])},
        }
        return results[data["give"]]


class GaveUp(BaseException):
    """As several time-out libraries raise."""


class GivingUpModel(_Simple):
    """Raises what no ``except Exception`` stops."""

    qualified_name = "giving_up_model"

    def predict(self, data: dict[str, Any]) -> dict[str, Any]:
        if data.get("hard"):
            raise GaveUp
        return {"id": data.get("id")}


class MoodyModel(_Simple):
    """Fails as often as a record says, before it answers."""

    qualified_name = "moody_model"

    def __init__(self) -> None:
        self.failed: dict[int, int] = {}

    def predict(self, data: dict[str, Any]) -> dict[str, Any]:
        if data.get("bug"):
            return {"id": 1 // 0}
        if self.failed.setdefault(data["id"], 0) < data["fails"]:
            self.failed[data["id"]] += 1
            raise OSError("not now")
        return {"id": data["id"]}


class AwayModel(_Simple):
    """Its server is away until ``back`` is set."""

    qualified_name = "away_model"
    back: ClassVar[bool] = True
    asked: ClassVar[int] = 0

    def predict(self, data: dict[str, Any]) -> dict[str, Any]:
        AwayModel.asked += 1
        if not self.back:
            raise ServerUnavailable("The model's server does not answer.")
        return {"id": data["id"]}


class SlowModel(_Simple):
    """Takes its time."""

    qualified_name = "slow_model"

    def predict(self, data: dict[str, Any]) -> dict[str, Any]:
        time.sleep(data.get("seconds", 0.002))
        return {"id": data["id"]}


class HeavyModel(_Simple):
    """Cannot be made here."""

    qualified_name = "heavy_model"

    def __init__(self) -> None:
        raise FileNotFoundError("the weights are not where they should be")

    def predict(self, data: dict[str, Any]) -> dict[str, Any]:
        return data
