"""Seldon's MLServer with its scikit-learn runtime: the Open Inference Protocol by REST and gRPC."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..ports import LOOPBACK, free_port
from .digits import IRIS_FEATURES
from .server import ModelServer
from .venvs import python_of

START = "from mlserver.cli import main; main()"
Spec = dict[str, Any]


class MLServer(ModelServer):
    """Models `digits` and `iris`, version 1.

    `digits`: `pixels` FP32 (N, 64) gives `predict` INT64 (N, 1), and `predict_proba` FP64 (N,
    10) when that output is asked for. `iris`: four FP64 columns (N, 1) named sepal_length,
    sepal_width, petal_length, petal_width give `predict` BYTES (N, 1): setosa, versicolor or
    virginica.
    """

    ready_paths = ("/v2/models/digits/ready", "/v2/models/iris/ready")

    def _command(self) -> list[str | Path]:
        self._write_models()
        return [python_of("mlserver"), "-c", START, "start", self.folder]

    def _environment(self) -> Mapping[str, str]:
        return {"PYTHONWARNINGS": "ignore"}

    def _write_models(self) -> None:
        settings = {
            "host": LOOPBACK,
            "http_port": self.rest_port,
            "grpc_port": self.grpc_port,
            "metrics_port": free_port(),
            "metrics_endpoint": None,
            "parallel_workers": 0,
            "debug": False,
        }
        (self.folder / "settings.json").write_text(json.dumps(settings))
        self._write_model(
            "digits",
            self.data.joblib,
            inputs=[_tensor("pixels", "FP32", 64)],
            outputs=[_tensor("predict", "INT64", 1)],
        )
        columns = [_tensor(name, "FP64", 1) for name in IRIS_FEATURES]
        self._write_model(
            "iris",
            self.data.iris_joblib,
            content_type="pd",
            inputs=columns,
            outputs=[_tensor("predict", "BYTES", 1)],
        )

    def _write_model(
        self,
        name: str,
        file: Path,
        *,
        inputs: list[Spec],
        outputs: list[Spec],
        content_type: str | None = None,
    ) -> None:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        shutil.copy(file, folder / "model.joblib")
        parameters = {"uri": "./model.joblib", "version": "1", "content_type": content_type}
        settings = {
            "name": name,
            "implementation": "mlserver_sklearn.SKLearnModel",
            "platform": "sklearn",
            "parameters": {key: value for key, value in parameters.items() if value},
            "inputs": inputs,
            "outputs": outputs,
        }
        (folder / "model-settings.json").write_text(json.dumps(settings))


def _tensor(name: str, datatype: str, width: int) -> Spec:
    return {"name": name, "datatype": datatype, "shape": [-1, width]}
