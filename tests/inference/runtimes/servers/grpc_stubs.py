"""gRPC model servers that answer as told, on the official service definitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
from ovmsclient.tfs_compat.protos.tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc

from tests.inference.runtimes.servers.servers import GrpcStub

Infer = Callable[[Any, grpc.ServicerContext], Any]


class KServeServicer(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """One model, m: x FP32 (any, 2) gives y."""

    def __init__(self, infer: Infer) -> None:
        self.infer = infer
        self.ready = True
        self.requests: list[Any] = []

    def ServerLive(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return pb.ServerLiveResponse(live=True)

    def ModelReady(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return pb.ModelReadyResponse(ready=self.ready)

    def ModelMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        tensor = pb.ModelMetadataResponse.TensorMetadata
        inputs, outputs = (
            [tensor(name="x", datatype="FP32", shape=[-1, 2])],
            [tensor(name="y", datatype="FP32", shape=[-1])],
        )
        return pb.ModelMetadataResponse(
            name="m", versions=["1", "2"], platform="stub", inputs=inputs, outputs=outputs
        )

    def ModelInfer(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        self.requests.append(request)
        return self.infer(request, context)


class TfServingServicer:
    """Both services of TensorFlow Serving, with one model, m."""

    def __init__(self, predict: Infer) -> None:
        self.predict = predict
        self.state = "AVAILABLE"
        self.signatures = get_model_metadata_pb2.SignatureDefMap()
        self.requests: list[Any] = []

    def Predict(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        self.requests.append(request)
        return self.predict(request, context)

    def GetModelMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        reply = get_model_metadata_pb2.GetModelMetadataResponse()
        reply.model_spec.version.value = 7
        # As TensorFlow Serving writes it: by its own package's name.
        reply.metadata[
            "signature_def"
        ].type_url = "type.googleapis.com/tensorflow.serving.SignatureDefMap"
        reply.metadata["signature_def"].value = self.signatures.SerializeToString()
        return reply

    def GetModelStatus(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        if request.model_spec.name != "m":
            context.abort(
                grpc.StatusCode.NOT_FOUND,
                f"Could not find any versions of model {request.model_spec.name}",
            )
        reply = get_model_status_pb2.GetModelStatusResponse()
        reply.model_version_status.add(
            version=7, state=get_model_status_pb2.ModelVersionStatus.State.Value(self.state)
        )
        return reply

    def Classify(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        raise NotImplementedError

    Regress = MultiInference = HandleReloadConfigRequest = Classify


def kserve(infer: Infer, port: int | None = None) -> tuple[GrpcStub, KServeServicer]:
    servicer = KServeServicer(infer)
    return GrpcStub(
        (service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server, servicer), port=port
    ), servicer


def tfserving(predict: Infer) -> tuple[GrpcStub, TfServingServicer]:
    servicer = TfServingServicer(predict)
    adders = (
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server,
        model_service_pb2_grpc.add_ModelServiceServicer_to_server,
    )
    return GrpcStub(*((adder, servicer) for adder in adders)), servicer


def one_row(value: float = 1.0) -> Infer:
    """Answers with one FP32 value for each row."""

    def infer(request: Any, context: grpc.ServicerContext) -> Any:
        rows = request.inputs[0].shape[0]
        reply = pb.ModelInferResponse(model_name="m")
        reply.outputs.add(name="y", datatype="FP32", shape=[rows]).contents.fp32_contents.extend(
            [value] * rows
        )
        return reply

    return infer


def predicting(**outputs: Any) -> Infer:
    """Answers with these TensorProtos."""
    return lambda request, context: predict_pb2.PredictResponse(outputs=outputs)


def aborting(code: grpc.StatusCode, words: str) -> Infer:
    return lambda request, context: context.abort(code, words)
