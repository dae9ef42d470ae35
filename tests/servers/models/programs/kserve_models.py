"""KServe's model server with the digits classifier: kserve_models.py DIGITS.joblib --http_port=
--grpc_port=

Runs in the environment of requirements-kserve.txt. The server is KServe's; the two models are
what its users write.
"""

from __future__ import annotations

import base64
import io
import sys
from typing import Any

import joblib
import kserve
import numpy as np
import uvicorn
from grpc.aio._server import Server
from kserve.errors import InvalidInput
from kserve.protocol.infer_type import InferInput, InferOutput, InferRequest, InferResponse
from kserve.utils.utils import generate_uuid
from PIL import Image

SIDE = 8
LOOPBACK = "127.0.0.1"


class DigitsModel(kserve.Model):
    """Rows of 64 pixels in 0..1."""

    tensor = ("pixels", "FP32", [-1, SIDE * SIDE])
    given = (("label", "INT64", [-1]), ("probabilities", "FP32", [-1, 10]))

    def __init__(self, name: str, classifier: Any) -> None:
        super().__init__(name)
        self.classifier = classifier
        self.ready = True

    async def get_input_types(self) -> list[dict[str, Any]]:
        return [_spec(*self.tensor)]

    async def get_output_types(self) -> list[dict[str, Any]]:
        return [_spec(*output) for output in self.given]

    async def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> Any:
        if isinstance(payload, InferRequest):
            return self._answer(
                payload, self._run(self.v2_rows(_only_input(payload, self.tensor[0])))
            )
        return {"predictions": self.v1(self.v1_rows(payload["instances"]))}

    def v1_rows(self, instances: list[Any]) -> Any:
        return np.array(instances, np.float32)

    def v1(self, rows: Any) -> list[Any]:
        return list(self._run(rows)["label"].tolist())

    def v2_rows(self, tensor: InferInput) -> Any:
        return tensor.as_numpy()

    def _run(self, rows: Any) -> dict[str, Any]:
        if rows.ndim != 2 or rows.shape[1] != SIDE * SIDE:
            raise InvalidInput(
                f"expected rows of {SIDE * SIDE} numbers, got the shape {list(rows.shape)}"
            )
        probabilities = self.classifier.predict_proba(rows).astype(np.float32)
        return {"label": probabilities.argmax(axis=1), "probabilities": probabilities}

    def _answer(self, request: InferRequest, arrays: dict[str, Any]) -> InferResponse:
        outputs = []
        for name, datatype, _ in self.given:
            output = InferOutput(name, list(arrays[name].shape), datatype)
            output.set_data_from_numpy(arrays[name], binary_data=request.use_binary_outputs)
            outputs.append(output)
        return InferResponse(
            request.id or generate_uuid(),
            self.name,
            outputs,
            use_binary_outputs=request.use_binary_outputs,
        )


class PicturesModel(DigitsModel):
    """JPEG pictures; eleven classes with the background first, as the published ResNets have
    1001.
    """

    tensor = ("image_bytes", "BYTES", [-1])
    given = (("classes", "INT64", [-1]), ("probabilities", "FP32", [-1, 11]))

    def v1_rows(self, instances: list[Any]) -> Any:
        return np.stack(
            [_pixels(base64.b64decode(instance["image_bytes"]["b64"])) for instance in instances]
        )

    def v1(self, rows: Any) -> list[Any]:
        arrays = self._run(rows)
        pairs = zip(arrays["classes"].tolist(), arrays["probabilities"].tolist(), strict=True)
        return [
            {"classes": number, "probabilities": probabilities} for number, probabilities in pairs
        ]

    def v2_rows(self, tensor: InferInput) -> Any:
        return np.stack([_pixels(jpeg) for jpeg in tensor.as_numpy().ravel()])

    def _run(self, rows: Any) -> dict[str, Any]:
        probabilities = np.pad(super()._run(rows)["probabilities"], ((0, 0), (1, 0)))
        return {"classes": probabilities.argmax(axis=1), "probabilities": probabilities}


def _spec(name: str, datatype: str, shape: list[int]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape}


def _only_input(request: InferRequest, name: str) -> InferInput:
    if [tensor.name for tensor in request.inputs] != [name]:
        raise InvalidInput(f"expected one input tensor, {name!r}")
    return request.inputs[0]


def _pixels(jpeg: bytes) -> Any:
    try:
        picture = (
            Image.open(io.BytesIO(jpeg)).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
        )
    except OSError as err:
        raise InvalidInput("image_bytes is not a picture") from err
    return np.asarray(picture, np.float32).ravel() / 255


def _listen_on_loopback() -> None:
    """KServe listens on all interfaces, and has no setting for that."""
    make_config, add_port = uvicorn.Config.__init__, Server.add_insecure_port

    def config(self: Any, *args: Any, **settings: Any) -> None:
        make_config(self, *args, **settings | {"host": LOOPBACK})

    def port(self: Any, address: str) -> Any:
        return add_port(self, address.replace("[::]", LOOPBACK))

    uvicorn.Config.__init__ = config
    Server.add_insecure_port = port


def main() -> None:
    _listen_on_loopback()
    classifier = joblib.load(sys.argv[1])
    server = kserve.ModelServer(workers=1, enable_latency_logging=False, grace_period=2)
    server.start([DigitsModel("digits", classifier), PicturesModel("pictures", classifier)])


if __name__ == "__main__":
    main()
