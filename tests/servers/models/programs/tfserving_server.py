"""TensorFlow Serving's API over SavedModels: tfserving_server FOLDER --rest-port= --grpc-port=

FOLDER/<model>/<version>. Runs in the environment of requirements-tfserving.txt, as a module. By
gRPC it serves Predict, GetModelMetadata and GetModelStatus of the official services.
"""

from __future__ import annotations

import argparse
from concurrent import futures
from pathlib import Path
from typing import Any, NoReturn

import grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from .tfserving_core import Core, ServingError, load
from .tfserving_rest import serve_rest

LOOPBACK = "127.0.0.1"
MAX_MESSAGE = 64 * 1024 * 1024


def _refuse(context: grpc.ServicerContext, error: ServingError) -> NoReturn:
    context.abort(error.code, str(error))
    raise AssertionError("abort() raises")


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, core: Core) -> None:
        self.core = core

    def Predict(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        try:
            return self.core.predict(request)
        except ServingError as err:
            _refuse(context, err)

    def GetModelMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        try:
            return self.core.metadata(request)
        except ServingError as err:
            _refuse(context, err)


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, core: Core) -> None:
        self.core = core

    def GetModelStatus(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        try:
            return self.core.status(request)
        except ServingError as err:
            _refuse(context, err)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rest-port", type=int, required=True)
    parser.add_argument("--grpc-port", type=int, required=True)
    arguments = parser.parse_args()
    core = Core(load(arguments.folder))
    options = [("grpc.max_receive_message_length", MAX_MESSAGE), ("grpc.so_reuseport", 0)]
    server = grpc.server(futures.ThreadPoolExecutor(8), options=options)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        PredictionService(core), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(core), server)
    server.add_insecure_port(f"{LOOPBACK}:{arguments.grpc_port}")
    server.start()
    serve_rest(core, LOOPBACK, arguments.rest_port)


if __name__ == "__main__":
    main()
