"""The Open Inference Protocol v2 over HTTP, as Triton, MLServer, OpenVINO Model Server, TorchServe
and KServe speak it.

Protocol: https://github.com/kserve/open-inference-protocol, with the binary tensor data
extension where the server has it. Not all that have it say so in their metadata, so it is tried.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from inference.runtimes.options import choice
from inference.runtimes.servers import failures
from inference.runtimes.servers.checks import mismatch
from inference.runtimes.servers.deadline import Deadline
from inference.runtimes.servers.http import HttpServer, Reply
from inference.runtimes.servers.kserve import KServeOptions
from inference.runtimes.servers.rest import (
    OK,
    RestModel,
    parsed,
    quoted,
    refuse_html,
    refused_if_error,
)
from inference.runtimes.servers.wire import (
    WireError,
    byte_items,
    datatype_to_send,
    from_list,
    from_raw,
    json_list,
    raw_bytes,
)
from inference.runtimes.tensors import (
    BYTES,
    ModelMetadata,
    Tensor,
    TensorSpec,
)

LENGTH_HEADER: Final = "Inference-Header-Content-Length"
BINARY_HELP: Final = "Whether tensors travel as bytes or as JSON. Auto tries bytes first."
NOT_NOW: Final = (429, 502, 503, 504)


class KServeRestOptions(KServeOptions):
    """Where the model is, and which of its outputs are wanted."""

    binary: str = choice("auto", ("auto", "always", "never"), BINARY_HELP)


class KServeRest(RestModel):
    """A model in a server of the Open Inference Protocol v2, over HTTP.

    Tensors are sent as bytes. A server that refuses that the first time gets plain JSON from
    then on; bytes that are no text are then base64, marked with the parameter ``content_type:
    base64`` as MLServer reads it.
    """

    Options = KServeRestOptions

    def __init__(self, options: KServeRestOptions) -> None:
        super().__init__(options)
        self._outputs = options.outputs
        self._way: bool | None = {"always": True, "never": False}.get(options.binary)
        self._path = f"/v2/models/{quoted(options.model)}" + (
            f"/versions/{quoted(options.version)}" if options.version else ""
        )
        self._binary: dict[HttpServer, bool] = {}

    def _open(self) -> list[HttpServer]:
        self._binary = {}
        return super()._open()

    def _check_ready(self, server: HttpServer, deadline: Deadline) -> None:
        reply = server.ask("GET", f"{self._path}/ready", deadline)
        refuse_html(server, reply)
        if (
            reply.status == 400
        ):  # Triton's way to say that there is no such model, or that it is not ready
            raise failures.no_model(server, self.options.model, "")
        self._accepted(server, reply)

    def _ask_metadata(self, server: HttpServer, deadline: Deadline) -> ModelMetadata:
        value = self._get(server, self._path, deadline)
        try:
            return ModelMetadata(
                name=str(value.get("name", self.options.model)),
                version=self.options.version or str((value.get("versions") or [""])[-1]),
                inputs=_specs(value.get("inputs") or []),
                outputs=_specs(value.get("outputs") or []),
                platform=str(value.get("platform", "")),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as err:
            raise failures.not_understood(
                server,
                "its metadata are not those of the Open Inference Protocol v2. Choose another"
                " runtime.",
            ) from err

    def _ask_model(
        self, server: HttpServer, inputs: Mapping[str, Tensor], deadline: Deadline
    ) -> dict[str, Tensor]:
        known = self._binary.get(server, self._way)
        if known is not False:
            reply = self._infer(server, inputs, deadline, binary=True)
            if known or reply.status == OK or reply.status in NOT_NOW:
                outputs = self._checked(server, reply, inputs)
                self._binary[server] = True
                return outputs
        outputs = self._checked(server, self._infer(server, inputs, deadline, binary=False), inputs)
        self._binary[server] = False
        return outputs

    def _infer(
        self, server: HttpServer, inputs: Mapping[str, Tensor], deadline: Deadline, *, binary: bool
    ) -> Reply:
        body, headers = request(inputs, self._outputs, binary=binary)
        return server.ask("POST", f"{self._path}/infer", deadline, body, headers)

    def _checked(
        self, server: HttpServer, reply: Reply, inputs: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        accepted = self._accepted(server, reply, lambda: mismatch(self._known, inputs))
        try:
            return self._read(server, accepted)
        except WireError as err:
            raise failures.not_understood(
                server, f"{err}. Look at the model's outputs and at the server's log."
            ) from err
        except (KeyError, TypeError, AttributeError, ValueError) as err:
            raise failures.not_understood(
                server,
                "it is not as the Open Inference Protocol v2 has it. Choose another runtime.",
            ) from err

    def _read(self, server: HttpServer, reply: Reply) -> dict[str, Tensor]:
        refuse_html(server, reply)
        length = reply.headers.get(LENGTH_HEADER.lower())
        end = len(reply.body) if length is None else int(length)
        value = parsed(server, reply.body[:end])
        refused_if_error(server, value)
        return read_outputs(value["outputs"], memoryview(reply.body)[end:])


def request(
    inputs: Mapping[str, Tensor], outputs: Sequence[str], *, binary: bool
) -> tuple[bytes, dict[str, str]]:
    """The body and headers of an inference request."""
    heads, parts = [], []
    for name, tensor in inputs.items():
        head = b'"name":%s,"shape":%s,"datatype":"%s"' % (
            _json(name),
            _json(tensor.shape),
            datatype_to_send(name, tensor).encode(),
        )
        if binary:
            data = raw_bytes(name, tensor)
            parts.append(data)
            head += b',"parameters":{"binary_data_size":%d}' % len(data)
        else:
            head += _plain(name, tensor)
        heads.append(b"{" + head + b"}")
    wanted = b',"outputs":' + _json([{"name": name} for name in outputs]) if outputs else b""
    asked = b',"parameters":{"binary_data_output":true}' if binary else b""
    header = b'{"inputs":[' + b",".join(heads) + b"]" + wanted + asked + b"}"
    if not binary:
        return header, {"Content-Type": "application/json"}
    return b"".join([header, *parts]), {
        "Content-Type": "application/octet-stream",
        LENGTH_HEADER: str(len(header)),
    }


def read_outputs(outputs: Sequence[Mapping[str, Any]], raw: memoryview) -> dict[str, Tensor]:
    """The tensors by name, from the answer's JSON and the bytes that follow it. WireError and
    others when it is malformed.
    """
    tensors, at = {}, 0
    for output in outputs:
        shape = [int(size) for size in output["shape"]]
        size = (output.get("parameters") or {}).get("binary_data_size")
        if size is None:
            tensors[output["name"]] = _from_json(output, shape)
            continue
        if not 0 <= int(size) <= len(raw) - at:
            raise WireError("its bytes are fewer than it says")
        tensors[output["name"]] = from_raw(raw[at : at + int(size)], output["datatype"], shape)
        at += int(size)
    return tensors


def _plain(name: str, tensor: Tensor) -> bytes:
    if datatype_to_send(name, tensor) == BYTES and not all(
        map(_is_text, items := byte_items(name, tensor))
    ):
        return b',"parameters":{"content_type":"base64"},"data":' + _json(
            [base64.b64encode(item).decode() for item in items]
        )
    return b',"data":' + json_list(name, tensor)


def _is_text(item: bytes) -> bool:
    try:
        item.decode()
    except UnicodeDecodeError:
        return False
    return True


def _from_json(output: Mapping[str, Any], shape: Sequence[int]) -> Tensor:
    values = output["data"]
    if (output.get("parameters") or {}).get("content_type") == "base64" and output[
        "datatype"
    ] == BYTES:
        values = [{"b64": item} for item in values]
    return from_list(values, output["datatype"], shape)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _specs(tensors: Sequence[Mapping[str, Any]]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            str(item["name"]), str(item["datatype"]), tuple(int(size) for size in item["shape"])
        )
        for item in tensors
    )
