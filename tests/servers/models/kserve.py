"""KServe's Python model server: V1 `:predict`, which is TensorFlow Serving's REST shape, and V2
by REST and gRPC.
"""

from __future__ import annotations

from pathlib import Path

from .server import ModelServer
from .venvs import python_of

PROGRAM = Path(__file__).with_name("programs") / "kserve_models.py"


class KServe(ModelServer):
    """Models `digits` and `pictures`; no versions.

    V1, POST /v1/models/<model>:predict. `digits`: {"instances": [[64 numbers], ...]} gives
    {"predictions": [digit, ...]}. `pictures`: {"instances": [{"image_bytes": {"b64": JPEG}},
    ...]} gives {"predictions": [{"classes": N, "probabilities": [11 numbers, the background
    first]}, ...]}; digit = N - 1.

    V2. `digits`: `pixels` FP32 (N, 64) gives `label` INT64 (N,) and `probabilities` FP32 (N,
    10). `pictures`: `image_bytes` BYTES (N,) gives `classes` INT64 (N,) and `probabilities` FP32
    (N, 11), by gRPC alone: by REST, KServe reads BYTES as UTF-8 text, which no JPEG is.
    """

    ready_paths = ("/v2/models/digits/ready", "/v2/models/pictures/ready")

    def _command(self) -> list[str | Path]:
        ports: list[str | Path] = [f"--http_port={self.rest_port}", f"--grpc_port={self.grpc_port}"]
        return [python_of("kserve"), "-P", PROGRAM, self.data.joblib, *ports]
