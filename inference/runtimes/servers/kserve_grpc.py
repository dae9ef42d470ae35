"""The Open Inference Protocol v2 over gRPC, as Triton, MLServer, OpenVINO Model Server and
KServe speak it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from inference.runtimes.options import flag
from inference.runtimes.servers import failures
from inference.runtimes.servers.checks import mismatch
from inference.runtimes.servers.deadline import Deadline
from inference.runtimes.servers.grpc_model import TLS_HELP, GrpcModel
from inference.runtimes.servers.kserve import KServeOptions
from inference.runtimes.servers.rpc import GrpcServer
from inference.runtimes.servers.wire import (
    WireError,
    datatype_to_send,
    element_count,
    from_raw,
    raw_bytes,
)
from inference.runtimes.tensors import (
    BYTES,
    DTYPES,
    ModelMetadata,
    Tensor,
    TensorSpec,
    bytes_tensor,
)

# Where each datatype stands when the server sends numbers instead of bytes.
CONTENTS: Final[Mapping[str, str]] = {
    "BOOL": "bool_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    BYTES: "bytes_contents",
}


class KServeGrpcOptions(KServeOptions):
    """Where the model is, and which of its outputs are wanted."""

    tls: bool = flag(False, TLS_HELP)


class KServeGrpc(GrpcModel):
    """A model in a server of the Open Inference Protocol v2, over gRPC. Tensors travel as bytes."""

    Options = KServeGrpcOptions

    def __init__(self, options: KServeGrpcOptions) -> None:
        super().__init__(options, tls=options.tls)
        self._model = {"name": options.model, "version": options.version}
        self._outputs = options.outputs

    def _check_ready(self, server: GrpcServer, deadline: Deadline) -> None:
        if not server.call(
            GRPCInferenceServiceStub, "ModelReady", pb.ModelReadyRequest(**self._model), deadline
        ).ready:
            raise failures.no_model(server, self.options.model, "")

    def _ask_metadata(self, server: GrpcServer, deadline: Deadline) -> ModelMetadata:
        reply = server.call(
            GRPCInferenceServiceStub,
            "ModelMetadata",
            pb.ModelMetadataRequest(**self._model),
            deadline,
        )
        version = self.options.version or (reply.versions[-1] if reply.versions else "")
        return ModelMetadata(
            reply.name, version, _specs(reply.inputs), _specs(reply.outputs), reply.platform
        )

    def _ask_model(
        self, server: GrpcServer, inputs: Mapping[str, Tensor], deadline: Deadline
    ) -> dict[str, Tensor]:
        reply = server.call(
            GRPCInferenceServiceStub,
            "ModelInfer",
            self._request(inputs),
            deadline,
            lambda: mismatch(self._known, inputs),
        )
        try:
            return read_outputs(reply)
        except WireError as err:
            raise failures.not_understood(
                server, f"{err}. Look at the model's outputs and at the server's log."
            ) from err

    def _request(self, inputs: Mapping[str, Tensor]) -> Any:
        request = pb.ModelInferRequest(
            model_name=self._model["name"], model_version=self._model["version"]
        )
        for name, tensor in inputs.items():
            request.inputs.add(
                name=name, datatype=datatype_to_send(name, tensor), shape=tensor.shape
            )
            request.raw_input_contents.append(raw_bytes(name, tensor))
        for name in self._outputs:
            request.outputs.add(name=name)
        return request


def read_outputs(reply: Any) -> dict[str, Tensor]:
    """The tensors of an answer by name, sent as bytes or as lists of numbers. WireError when
    they do not fit their shapes.
    """
    raw = reply.raw_output_contents
    if raw and len(raw) != len(reply.outputs):
        raise WireError("it has fewer or more tensors than it names")
    if raw:
        return {
            output.name: from_raw(data, output.datatype, output.shape)
            for output, data in zip(reply.outputs, raw, strict=True)
        }
    return {output.name: _from_contents(output) for output in reply.outputs}


def _from_contents(output: Any) -> Tensor:
    if output.datatype not in CONTENTS:
        raise WireError(f"values of type {failures.printable(output.datatype)} must come as bytes")
    values = getattr(output.contents, CONTENTS[output.datatype])
    tensor = (
        bytes_tensor(list(values))
        if output.datatype == BYTES
        else np.array(values).astype(DTYPES[output.datatype])
    )
    if tensor.size != element_count(output.shape):
        raise WireError(f"{tensor.size} values have come for the shape {list(output.shape)[:8]}")
    return tensor.reshape(output.shape)


def _specs(tensors: Any) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(item.name, item.datatype, tuple(item.shape)) for item in tensors)
