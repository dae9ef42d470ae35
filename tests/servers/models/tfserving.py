"""The TensorFlow Serving API, gRPC and REST, over real SavedModels.

This is not Google's tensorflow_model_server program, which no package registry carries.
TensorFlow itself runs the SavedModels; the gRPC services are those of the tensorflow-serving-api
package, Google's own definition; only the few lines between them, and the REST paths, are ours.
What a client sends is therefore checked against the real messages, and against a real graph;
speed and corner cases of Google's program are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .server import ModelServer
from .venvs import python_of

HOME = Path(__file__).parents[3]
PROGRAM = "tests.servers.models.programs.tfserving_server"


class TFServing(ModelServer):
    """Models `digits` and `pictures`, version 1.

    `digits`: `pixels` float32 (N, 64) gives `label` int64 (N,) and `probabilities` float32 (N,
    10); its signature `pictures` is the other model's. `pictures`: `image_bytes` string (N,),
    JPEG, gives `classes` int64 (N,) and `probabilities` float32 (N, 11), the background first:
    digit = classes - 1.
    """

    ready_paths = ("/v1/models/digits", "/v1/models/pictures")

    def _command(self) -> list[str | Path]:
        ports: list[str | Path] = [f"--rest-port={self.rest_port}", f"--grpc-port={self.grpc_port}"]
        return [python_of("tfserving"), "-P", "-m", PROGRAM, self.data.saved_models(), *ports]

    def _environment(self) -> Mapping[str, str]:
        return {"PYTHONPATH": str(HOME), "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "1"}
