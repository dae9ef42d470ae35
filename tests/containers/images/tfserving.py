"""The gRPC services of TensorFlow Serving, with a model that doubles numbers, and a line for each
call.

As the official image does it reads MODEL_NAME, and /models/<name> must hold a numbered version.
"""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from ovmsclient.tfs_compat.protos.tensorflow.core.framework import types_pb2
from ovmsclient.tfs_compat.protos.tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

NAME = os.environ["MODEL_NAME"]
VERSION = max(int(path.name) for path in Path("/models", NAME).iterdir() if path.name.isdigit())


def spec() -> Any:
    described = model_pb2.ModelSpec(name=NAME)
    described.version.value = VERSION
    return described


class Predictions(prediction_service_pb2_grpc.PredictionServiceServicer):
    def Predict(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        sys.stdout.write("predict\n")
        response = predict_pb2.PredictResponse(model_spec=spec())
        output = response.outputs["doubled"]
        output.CopyFrom(request.inputs["number"])
        output.tensor_content = (np.frombuffer(output.tensor_content, np.float32) * 2).tobytes()
        return response

    def GetModelMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        signatures = get_model_metadata_pb2.SignatureDefMap()
        signature = signatures.signature_def["serving_default"]
        for tensors, name in ((signature.inputs, "number"), (signature.outputs, "doubled")):
            tensors[name].dtype = types_pb2.DT_FLOAT
            tensors[name].tensor_shape.dim.add(size=-1)
            tensors[name].tensor_shape.dim.add(size=1)
        response = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=spec())
        response.metadata["signature_def"].Pack(signatures)
        return response


class Models(model_service_pb2_grpc.ModelServiceServicer):
    def GetModelStatus(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        response = get_model_status_pb2.GetModelStatusResponse()
        response.model_version_status.add(
            version=VERSION, state=get_model_status_pb2.ModelVersionStatus.AVAILABLE
        )
        return response


server = grpc.server(ThreadPoolExecutor(4))
prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Predictions(), server)
model_service_pb2_grpc.add_ModelServiceServicer_to_server(Models(), server)
server.add_insecure_port("0.0.0.0:8500")
server.start()
signal.signal(signal.SIGTERM, lambda *_: server.stop(1))
server.wait_for_termination()
