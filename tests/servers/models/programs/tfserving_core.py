"""What both protocols of TensorFlow Serving's API do, on the messages of its gRPC services, over
real SavedModels.

Status codes and messages are those of TensorFlow Serving (servables/tensorflow/predict_util.cc,
model_servers/server_core.cc).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
)

DEFAULT_SIGNATURE = "serving_default"
AVAILABLE = get_model_status_pb2.ModelVersionStatus.AVAILABLE


class ServingError(Exception):
    """A call that is refused, with gRPC's status code."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Servable:
    """One version of one model; `signatures` are as the SavedModel's own file describes them."""

    name: str
    version: int
    model: Any
    signatures: Any

    def signature(self, name: str) -> Any:
        if name not in self.signatures:
            raise ServingError(
                grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.'
            )
        return self.signatures[name]


def load(folder: Path) -> dict[str, dict[int, Servable]]:
    """All models under the folder, by name and version."""
    servables: dict[str, dict[int, Servable]] = {}
    for path in sorted(folder.glob("*/[0-9]*")):
        described = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
        name, version = path.parent.name, int(path.name)
        model = tf.saved_model.load(str(path))
        servables.setdefault(name, {})[version] = Servable(
            name, version, model, described.meta_graphs[0].signature_def
        )
    return servables


class Core:
    """What both protocols do, on the messages of the gRPC services."""

    def __init__(self, servables: dict[str, dict[int, Servable]]) -> None:
        self.servables = servables

    def find(self, spec: Any) -> Servable:
        versions = self.servables.get(spec.name, {})
        wanted = spec.version.value if spec.HasField("version") else max(versions, default=0)
        if wanted not in versions:
            shown = (
                f"Specific({spec.name}, {wanted})"
                if spec.HasField("version")
                else f"Latest({spec.name})"
            )
            raise ServingError(
                grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {shown}"
            )
        return versions[wanted]

    def predict(self, request: Any) -> Any:
        servable = self.find(request.model_spec)
        name = request.model_spec.signature_name or DEFAULT_SIGNATURE
        tensors = self._tensors(servable.signature(name), request.inputs)
        try:
            outputs = servable.model.signatures[name](**tensors)
        except (tf.errors.InvalidArgumentError, ValueError, TypeError) as err:
            raise ServingError(grpc.StatusCode.INVALID_ARGUMENT, str(err)) from err
        response = predict_pb2.PredictResponse(model_spec=_spec(servable, name))
        for key in request.output_filter or outputs:
            if key not in outputs:
                raise ServingError(
                    grpc.StatusCode.INVALID_ARGUMENT,
                    f"output tensor alias not found in signature: {key}",
                )
            response.outputs[key].CopyFrom(tf.make_tensor_proto(outputs[key]))
        return response

    def metadata(self, request: Any) -> Any:
        servable = self.find(request.model_spec)
        if list(request.metadata_field) != ["signature_def"]:
            raise ServingError(
                grpc.StatusCode.INVALID_ARGUMENT, "Metadata field must be signature_def"
            )
        described = get_model_metadata_pb2.SignatureDefMap(signature_def=servable.signatures)
        response = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=_spec(servable, ""))
        response.metadata["signature_def"].Pack(described)
        return response

    def status(self, request: Any) -> Any:
        versions = self.servables.get(request.model_spec.name, {})
        if request.model_spec.HasField("version"):
            versions = {
                number: found
                for number, found in versions.items()
                if number == request.model_spec.version.value
            }
        if not versions:
            message = f"Could not find any versions of model {request.model_spec.name}"
            raise ServingError(grpc.StatusCode.NOT_FOUND, message)
        response = get_model_status_pb2.GetModelStatusResponse()
        for number in versions:
            response.model_version_status.add(version=number, state=AVAILABLE)
        return response

    @staticmethod
    def _tensors(signature: Any, inputs: Any) -> dict[str, Any]:
        given, wanted = set(inputs), set(signature.inputs)
        if given != wanted:
            sizes = f"input size does not match signature: {len(given)}!={len(wanted)}"
            differences = (
                f"Sent extra: {_braces(given - wanted)}. Missing but required:"
                f" {_braces(wanted - given)}."
            )
            message = f"{sizes} len({_braces(given)}) != len({_braces(wanted)}). {differences}"
            raise ServingError(grpc.StatusCode.INVALID_ARGUMENT, message)
        for name, tensor in inputs.items():
            dtype = signature.inputs[name].dtype
            if tensor.dtype != dtype:
                names = f"{tf.as_dtype(tensor.dtype).name}, expected {tf.as_dtype(dtype).name}"
                raise ServingError(
                    grpc.StatusCode.INVALID_ARGUMENT, f"input {name} has the type {names}"
                )
        return {name: tf.constant(tf.make_ndarray(tensor)) for name, tensor in inputs.items()}


def _spec(servable: Servable, signature: str) -> Any:
    spec = model_pb2.ModelSpec(name=servable.name, signature_name=signature)
    spec.version.value = servable.version
    return spec


def _braces(names: set[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"
