"""TensorFlow Serving's REST API: POST /v1/models/<name>[/versions/<n>]:predict, in its row format.

Protocol: "RESTful API" in TensorFlow Serving's documentation; KServe's V1 protocol is the same.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

from inference.runtimes.errors import InferenceError
from inference.runtimes.options import flag, text
from inference.runtimes.servers import failures
from inference.runtimes.servers.checks import mismatch
from inference.runtimes.servers.deadline import Deadline
from inference.runtimes.servers.http import HttpServer
from inference.runtimes.servers.remote import RemoteOptions
from inference.runtimes.servers.rest import (
    RestModel,
    document,
    quoted,
    refuse_html,
    refused_if_error,
)
from inference.runtimes.servers.tfserving import (
    DEFAULT_SIGNATURE,
    SIGNATURE_HELP,
    datatype_name,
    version_kind,
)
from inference.runtimes.servers.wire import WireError, from_list, json_rows
from inference.runtimes.tensors import (
    BYTES,
    DTYPES,
    ModelMetadata,
    Tensor,
    TensorSpec,
    datatype_of,
)

NAMED_HELP: Final = (
    "Send each row with the inputs' names. Off: the only input's value alone, as servers for"
    " scikit-learn want it."
)
OUTPUT: Final = "output"
"""The name of an only output, which the row format leaves out and a server without metadata does
not tell.
"""


class TfServingRestOptions(RemoteOptions):
    """Where the model is. ``version`` is a number, or a version label."""

    signature: str = text("", SIGNATURE_HELP)
    named: bool = flag(True, NAMED_HELP)


class TfServingRest(RestModel):
    """A model in TensorFlow Serving, or in a server with the same API, over HTTP. Pictures
    travel as the JPEG's own bytes.
    """

    Options = TfServingRestOptions

    def __init__(self, options: TfServingRestOptions) -> None:
        super().__init__(options)
        self._signature = options.signature
        self._named = options.named
        self._path = f"/v1/models/{quoted(options.model)}" + _version_path(options.version)

    def _check_ready(self, server: HttpServer, deadline: Deadline) -> None:
        reply = server.ask("GET", self._path, deadline)
        refuse_html(server, reply)
        if reply.status in (404, 405) and reply.content_type != "application/json":
            return  # It only predicts: small servers of one's own leave the rest of the API out.
        _refuse_unready(server, self.options.model, document(server, self._accepted(server, reply)))

    def _ask_metadata(self, server: HttpServer, deadline: Deadline) -> ModelMetadata:
        reply = server.ask("GET", f"{self._path}/metadata", deadline)
        if reply.status in (404, 405):
            # KServe V1 has the model but no metadata; TensorFlow Serving has metadata of every
            # model that it has.
            self._check_ready(server, deadline)
            return ModelMetadata(self.options.model, "", (), ())
        value = document(server, self._accepted(server, reply))
        try:
            return _metadata(value, self.options.model, self._signature or DEFAULT_SIGNATURE)
        except (KeyError, TypeError, ValueError, AttributeError) as err:
            wanted = self._signature or DEFAULT_SIGNATURE
            raise failures.not_understood(
                server,
                f"its metadata does not describe the signature {wanted}. Does the model have it?",
            ) from err

    def _ask_model(
        self, server: HttpServer, inputs: Mapping[str, Tensor], deadline: Deadline
    ) -> dict[str, Tensor]:
        body = request_body(inputs, self._signature, named=self._named)
        reply = self._post(
            server, f"{self._path}:predict", body, deadline, lambda: mismatch(self._known, inputs)
        )
        value = document(server, reply)
        refused_if_error(server, value)
        return {
            name: self._tensor(server, name, column)
            for name, column in self._columns(server, value).items()
        }

    def _columns(self, server: HttpServer, value: Mapping[str, Any]) -> dict[str, Any]:
        """The outputs by name: from rows (``predictions``) or from columns (``outputs``)."""
        rows = value.get("predictions")
        if isinstance(rows, dict):
            return rows
        if (
            isinstance(rows, list)
            and rows
            and isinstance(rows[0], dict)
            and rows[0].keys() != {"b64"}
        ):
            names = rows[0].keys()
            if any(not isinstance(row, dict) or row.keys() != names for row in rows):
                raise failures.not_understood(
                    server,
                    "its predictions do not all have the same names. Look at the model's outputs.",
                )
            return {name: [row[name] for row in rows] for name in names}
        if isinstance(rows, list):
            return {self._only_output(): rows}
        columns = value.get("outputs")
        if isinstance(columns, dict):
            return columns
        if isinstance(columns, list):
            return {self._only_output(): columns}
        raise failures.not_understood(
            server,
            'it holds neither "predictions" nor "outputs". Is it TensorFlow Serving or KServe V1?'
            " For others choose KServe v2.",
        )

    def _tensor(self, server: HttpServer, name: str, column: Any) -> Tensor:
        try:
            tensor = from_list(column)
        except WireError as err:
            raise failures.not_understood(
                server,
                f"in the output {failures.printable(name)} {err}. Look at what the model gives.",
            ) from err
        declared = (
            next((spec.datatype for spec in self._known.outputs if spec.name == name), "")
            if self._known
            else ""
        )
        # JSON knows one kind of number with a fraction.
        return (
            tensor.astype(DTYPES[declared])
            if declared in ("FP16", "FP32", "FP64") and tensor.dtype.kind in "iuf"
            else tensor
        )

    def _only_output(self) -> str:
        outputs = self._known.outputs if self._known else ()
        return outputs[0].name if len(outputs) == 1 else OUTPUT


def request_body(inputs: Mapping[str, Tensor], signature: str = "", *, named: bool = True) -> bytes:
    """The request in the row format. One picture is
    ``{"instances":[{"image_bytes":{"b64":"..."}}]}``, byte for byte.
    """
    if not named and len(inputs) > 1:
        raise InferenceError(
            f"Without names only one input can be sent; there are {', '.join(inputs)}. Switch the"
            " option named on.",
            permanent=True,
        )
    columns = [
        [_key(name, named) + cell for cell in _cells(name, tensor)]
        for name, tensor in inputs.items()
    ]
    rows = (
        [b"{" + b",".join(cells) + b"}" for cells in zip(*columns, strict=True)]
        if named
        else columns[0]
    )
    intro = b'"signature_name":' + json.dumps(signature).encode() + b"," if signature else b""
    return b"{" + intro + b'"instances":[' + b",".join(rows) + b"]}"


def _key(name: str, named: bool) -> bytes:
    return json.dumps(name).encode() + b":" if named else b""


def _cells(name: str, tensor: Tensor) -> list[bytes]:
    values = tensor.tolist()
    if (
        tensor.ndim == 1
        and datatype_of(tensor) == BYTES
        and all(isinstance(item, bytes) for item in values)
    ):
        # Base64 needs no escapes, so the bytes of pictures never pass through the JSON encoder.
        return [b'{"b64":"' + base64.b64encode(item) + b'"}' for item in values]
    return json_rows(name, tensor, lambda item: {"b64": base64.b64encode(item).decode()})


def _version_path(version: str) -> str:
    if not version:
        return ""
    return f"/{version_kind(version)}s/{quoted(version)}"


def _refuse_unready(server: HttpServer, model: str, value: Mapping[str, Any]) -> None:
    """TensorFlow Serving lists the versions and their states, KServe V1 says ``ready``."""
    versions = value.get("model_version_status")
    states = (
        [item.get("state", "") for item in versions if isinstance(item, dict)]
        if isinstance(versions, list)
        else []
    )
    if states and "AVAILABLE" not in states:
        raise failures.busy(server, f"The model {model} is {failures.printable(str(states[0]))}")
    if value.get("ready") in (False, "False", "false"):
        raise failures.busy(server, f"The model {model} is not ready")


def _metadata(value: Mapping[str, Any], model: str, signature: str) -> ModelMetadata:
    described = value["metadata"]["signature_def"]["signature_def"][signature]
    return ModelMetadata(
        name=model,
        version=str(value.get("model_spec", {}).get("version", "")),
        inputs=_specs(described.get("inputs", {})),
        outputs=_specs(described.get("outputs", {})),
        platform="tensorflow",
    )


def _specs(tensors: Mapping[str, Any]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(name, datatype_name(info["dtype"]), _shape(info.get("tensor_shape", {})))
        for name, info in sorted(tensors.items())
    )


def _shape(shape: Mapping[str, Any]) -> tuple[int, ...]:
    if shape.get("unknown_rank"):
        return (-1,)
    return tuple(int(dim.get("size", -1)) for dim in shape.get("dim", []))
