"""The digits classifier as a model of Triton's Python backend, which calls it; the weights lie
beside this file.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as triton
from PIL import Image

SIDE = 8
TAKEN = {"digits": "pixels", "single": "picture", "pictures": "image_bytes"}


class TritonPythonModel:
    def initialize(self, args: dict[str, str]) -> None:
        self.model = args["model_name"]
        with np.load(Path(__file__).with_name("weights.npz")) as weights:
            self.weights = dict(weights)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Triton gives several clients' requests at once: they are run as one batch."""
        rows = [self._rows(request) for request in requests]
        probabilities = self._run(np.concatenate(rows))
        ends = np.cumsum([len(part) for part in rows])[:-1]
        return [self._response(part) for part in np.split(probabilities, ends)]

    def _rows(self, request: Any) -> Any:
        tensor = triton.get_input_tensor_by_name(request, TAKEN[self.model]).as_numpy()
        if self.model == "pictures":
            return np.stack([_pixels(jpeg) for jpeg in tensor])
        return tensor.reshape(len(tensor), -1)

    def _run(self, rows: Any) -> Any:
        hidden = np.maximum(rows @ self.weights["w0"] + self.weights["b0"], 0)
        logits = hidden @ self.weights["w1"] + self.weights["b1"]
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)

    def _response(self, probabilities: Any) -> Any:
        return triton.InferenceResponse(
            [triton.Tensor(*output) for output in self._outputs(probabilities)]
        )

    def _outputs(self, probabilities: Any) -> list[tuple[str, Any]]:
        if self.model == "pictures":
            probabilities = np.pad(probabilities, ((0, 0), (1, 0)))
        number = probabilities.argmax(axis=1)
        name = "classes" if self.model == "pictures" else "label"
        return [
            (name, number[:, None] if self.model == "digits" else number),
            ("probabilities", probabilities),
        ]


def _pixels(jpeg: bytes) -> Any:
    picture = Image.open(io.BytesIO(jpeg)).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(picture, np.float32).ravel() / 255
