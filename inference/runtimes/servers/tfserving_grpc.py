"""TensorFlow Serving's gRPC API: PredictionService and ModelService.

The messages are those that ovmsclient ships, so that the tensorflow package is not needed. Its
client is not used: it cannot ask for a signature, and cuts zero bytes off the ends of strings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from google.protobuf.message import DecodeError
from ovmsclient.tfs_compat.protos.tensorflow.core.framework import tensor_pb2, types_pb2
from ovmsclient.tfs_compat.protos.tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from inference.runtimes.options import flag, text, words
from inference.runtimes.servers import failures
from inference.runtimes.servers.checks import mismatch
from inference.runtimes.servers.deadline import Deadline
from inference.runtimes.servers.grpc_model import TLS_HELP, GrpcModel
from inference.runtimes.servers.remote import OUTPUTS_HELP, RemoteOptions
from inference.runtimes.servers.rpc import GrpcServer
from inference.runtimes.servers.tfserving import (
    DATATYPES,
    DEFAULT_SIGNATURE,
    SIGNATURE_HELP,
    datatype_name,
    version_kind,
)
from inference.runtimes.servers.wire import (
    BF16,
    WireError,
    byte_items,
    datatype_to_send,
    element_count,
    from_bf16,
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

PREDICTION = prediction_service_pb2_grpc.PredictionServiceStub
MODEL = model_service_pb2_grpc.ModelServiceStub

# Where each datatype stands when the server sends numbers instead of bytes, and what they are made
# of there.
VALUES: Final[Mapping[str, str]] = {
    "BOOL": "bool_val",
    "UINT8": "int_val",
    "UINT16": "int_val",
    "UINT32": "uint32_val",
    "UINT64": "uint64_val",
    "INT8": "int_val",
    "INT16": "int_val",
    "INT32": "int_val",
    "INT64": "int64_val",
    "FP16": "half_val",
    BF16: "half_val",
    "FP32": "float_val",
    "FP64": "double_val",
    BYTES: "string_val",
}
_TF_NAMES: Final = {ours: theirs for theirs, ours in DATATYPES.items()}


class TfServingGrpcOptions(RemoteOptions):
    """Where the model is. ``version`` is a number, or a version label."""

    signature: str = text("", SIGNATURE_HELP)
    outputs: tuple[str, ...] = words(OUTPUTS_HELP)
    tls: bool = flag(False, TLS_HELP)


class TfServingGrpc(GrpcModel):
    """A model in TensorFlow Serving, or in a server with the same API, over gRPC. Tensors travel
    as bytes.
    """

    Options = TfServingGrpcOptions

    def __init__(self, options: TfServingGrpcOptions) -> None:
        super().__init__(options, tls=options.tls)
        self._signature = options.signature
        self._outputs = options.outputs

    def _check_ready(self, server: GrpcServer, deadline: Deadline) -> None:
        names = get_model_status_pb2.ModelVersionStatus.State
        states = [item.state for item in self._status(server, deadline).model_version_status]
        if states and names.Value("AVAILABLE") not in states:
            raise failures.busy(
                server, f"The model {self.options.model} is {names.Name(states[0])}"
            )

    def _status(self, server: GrpcServer, deadline: Deadline) -> Any:
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=self._spec(signature=False))
        return server.call(MODEL, "GetModelStatus", request, deadline)

    def _ask_metadata(self, server: GrpcServer, deadline: Deadline) -> ModelMetadata:
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=self._spec(signature=False), metadata_field=["signature_def"]
        )
        reply = server.call(PREDICTION, "GetModelMetadata", request, deadline)
        wanted = self._signature or DEFAULT_SIGNATURE
        try:
            # Not by Any's own Unpack: ovmsclient has the messages under another package's name than
            # the servers.
            signatures = get_model_metadata_pb2.SignatureDefMap.FromString(
                reply.metadata["signature_def"].value
            )
        except DecodeError as err:
            raise failures.not_understood(
                server, "its metadata is broken. Is it TensorFlow Serving?"
            ) from err
        if wanted not in signatures.signature_def:
            raise failures.not_understood(
                server,
                f"its metadata does not describe the signature {wanted}. Does the model have it?",
            )
        found = signatures.signature_def[wanted]
        version = str(reply.model_spec.version.value or "")
        return ModelMetadata(
            self.options.model, version, _specs(found.inputs), _specs(found.outputs), "tensorflow"
        )

    def _ask_model(
        self, server: GrpcServer, inputs: Mapping[str, Tensor], deadline: Deadline
    ) -> dict[str, Tensor]:
        request = predict_pb2.PredictRequest(
            model_spec=self._spec(signature=True), output_filter=self._outputs
        )
        for name, tensor in inputs.items():
            request.inputs[name].CopyFrom(to_proto(name, tensor))
        reply = server.call(
            PREDICTION, "Predict", request, deadline, lambda: mismatch(self._known, inputs)
        )
        try:
            return {name: from_proto(proto) for name, proto in reply.outputs.items()}
        except WireError as err:
            raise failures.not_understood(server, f"{err}. Look at the model's outputs.") from err

    def _spec(self, *, signature: bool) -> Any:
        spec = model_pb2.ModelSpec(
            name=self.options.model, signature_name=self._signature if signature else ""
        )
        if self.options.version and version_kind(self.options.version) == "version":
            spec.version.value = int(self.options.version)
        elif self.options.version:
            spec.version_label = self.options.version
        return spec


def to_proto(name: str, tensor: Tensor) -> Any:
    """The tensor as TensorFlow's message."""
    datatype = datatype_to_send(name, tensor)
    proto = tensor_pb2.TensorProto(dtype=types_pb2.DataType.Value(_TF_NAMES[datatype]))
    for size in tensor.shape:
        proto.tensor_shape.dim.add(size=size)
    if datatype == BYTES:
        proto.string_val.extend(byte_items(name, tensor))
    else:
        proto.tensor_content = raw_bytes(name, tensor)
    return proto


def from_proto(proto: Any) -> Tensor:
    """The tensor in TensorFlow's message. WireError when it does not fit its shape."""
    shape = [dim.size for dim in proto.tensor_shape.dim]
    datatype = datatype_name(_tf_name(proto.dtype))
    if proto.tensor_content:
        return from_raw(proto.tensor_content, datatype, shape)
    if datatype not in VALUES:
        raise WireError(f"it holds values of type {datatype}")
    values, count = list(getattr(proto, VALUES[datatype])), element_count(shape)
    if len(values) > count:
        raise WireError(f"{len(values)} values have come for a shape of {count}")
    # TensorFlow leaves out the end of a tensor when it repeats one value, and all of it when that
    # is zero.
    values += (values[-1:] or [b"" if datatype == BYTES else 0]) * (count - len(values))
    return _typed(values, datatype).reshape(shape)


def _typed(values: list[Any], datatype: str) -> Tensor:
    if datatype == BYTES:
        return bytes_tensor(values)
    if datatype == BF16:
        return from_bf16(np.array(values, np.uint16))
    if datatype == "FP16":
        return np.array(values, np.uint16).view(np.float16)
    return np.array(values).astype(DTYPES[datatype])


def _tf_name(number: int) -> str:
    known = types_pb2.DataType.DESCRIPTOR.values_by_number
    return str(known[number].name) if number in known else f"number {number}"


def _specs(tensors: Any) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(name, datatype_name(_tf_name(info.dtype)), _shape(info.tensor_shape))
        for name, info in sorted(tensors.items())
    )


def _shape(shape: Any) -> tuple[int, ...]:
    return (-1,) if shape.unknown_rank else tuple(dim.size for dim in shape.dim)
