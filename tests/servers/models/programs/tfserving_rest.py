"""The REST half of TensorFlow Serving's API: JSON to and from the messages of its gRPC services.

Status, metadata and :predict, rows ("instances") and columns ("inputs"), {"b64": ...} for bytes;
source: TensorFlow Serving's REST API guide.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf.json_format import MessageToDict
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
)

from .tfserving_core import DEFAULT_SIGNATURE, Core, ServingError

PATH = re.compile(
    r"/v1/models/(?P<model>[^/:]+)(/versions/(?P<version>[0-9]+))?(?P<rest>/metadata|:predict|)"
)
STATUS = {grpc.StatusCode.NOT_FOUND: 404, grpc.StatusCode.INVALID_ARGUMENT: 400}


class BadRequestError(Exception):
    """The body is not what the API takes."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    core: Core

    def do_GET(self) -> None:
        self._serve({"": self._status, "/metadata": self._metadata})

    def do_POST(self) -> None:
        self._serve({":predict": self._predict})

    def _serve(self, actions: dict[str, Callable[[Any], Any]]) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        match = PATH.fullmatch(self.path)
        if not match or match["rest"] not in actions:
            return self._reply(404, {"error": f"Malformed request: {self.command} {self.path}"})
        spec = model_pb2.ModelSpec(name=match["model"])
        if match["version"]:
            spec.version.value = int(match["version"])
        try:
            return self._reply(200, actions[match["rest"]]((spec, body)))
        except BadRequestError as err:
            return self._reply(400, {"error": str(err)})
        except ServingError as err:
            return self._reply(STATUS.get(err.code, 500), {"error": str(err)})

    def _status(self, call: Any) -> Any:
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=call[0])
        return MessageToDict(self.core.status(request), preserving_proto_field_name=True)

    def _metadata(self, call: Any) -> Any:
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=call[0], metadata_field=["signature_def"]
        )
        return MessageToDict(self.core.metadata(request), preserving_proto_field_name=True)

    def _predict(self, call: Any) -> Any:
        spec, body = call
        try:
            asked = json.loads(body)
        except ValueError as err:
            raise BadRequestError(f"JSON Parse error: {err}") from err
        if not isinstance(asked, dict):
            raise BadRequestError("Request should be a JSON object")
        spec.signature_name = asked.get("signature_name", DEFAULT_SIGNATURE)
        signatures = self.core.find(spec).signatures
        if spec.signature_name not in signatures:
            raise BadRequestError(
                f'Serving signature name: "{spec.signature_name}" not found in signature def'
            )
        signature = signatures[spec.signature_name]
        columns = _columns(asked, list(signature.inputs))
        request = predict_pb2.PredictRequest(model_spec=spec)
        for name, values in columns.items():
            if name not in signature.inputs:
                raise BadRequestError(f"JSON object: does not have named input: {name}")
            request.inputs[name].CopyFrom(_tensor(name, values, signature.inputs[name].dtype))
        outputs = {
            name: tf.make_ndarray(tensor)
            for name, tensor in self.core.predict(request).outputs.items()
        }
        return (
            _rows(outputs)
            if "instances" in asked
            else {"outputs": _only({key: _plain(value) for key, value in outputs.items()})}
        )

    def _reply(self, status: int, value: Any) -> None:
        body = json.dumps(value, indent=4).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Errors reach the client; a line a request would only fill the log."""


def serve_rest(core: Core, host: str, port: int) -> None:
    """Serves until the process ends."""
    Handler.core = core
    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    server.serve_forever()


def _columns(asked: dict[str, Any], names: list[str]) -> dict[str, Any]:
    if "instances" in asked:
        instances = asked["instances"]
        if not isinstance(instances, list) or not instances:
            raise BadRequestError("JSON Value: instances must be a list of at least one element")
        if not _is_named(instances[0]):
            return {_only_name(names): instances}
        if any(
            not _is_named(instance) or set(instance) != set(instances[0]) for instance in instances
        ):
            raise BadRequestError("JSON Value: instances name different inputs")
        return {name: [instance[name] for instance in instances] for name in instances[0]}
    if "inputs" in asked:
        return (
            asked["inputs"] if _is_named(asked["inputs"]) else {_only_name(names): asked["inputs"]}
        )
    raise BadRequestError("Missing 'inputs' or 'instances' key")


def _only_name(names: list[str]) -> str:
    if len(names) != 1:
        raise BadRequestError(
            f"instances is a plain list, but expecting named values: {', '.join(names)}"
        )
    return names[0]


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and set(value) != {"b64"}


def _tensor(name: str, values: Any, dtype: int) -> Any:
    try:
        return tf.make_tensor_proto(_without_b64(values), dtype=tf.as_dtype(dtype))
    except (ValueError, TypeError) as err:
        raise BadRequestError(f"Failed to convert the values of {name}: {err}") from err


def _without_b64(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_b64(part) for part in value]
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value


def _rows(outputs: dict[str, Any]) -> dict[str, Any]:
    if len({len(values) for values in outputs.values()}) != 1:
        raise BadRequestError("Tensors of the response differ in their first dimension")
    count = len(next(iter(outputs.values())))
    return {
        "predictions": [
            _only({name: _plain(values[row]) for name, values in outputs.items()})
            for row in range(count)
        ]
    }


def _only(values: dict[str, Any]) -> Any:
    """One output stands without its name."""
    return next(iter(values.values())) if len(values) == 1 else values


def _plain(values: Any) -> Any:
    if isinstance(values, bytes):
        return values.decode(errors="replace")
    return np.asarray(values).tolist()
