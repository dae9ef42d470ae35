"""The Open Inference Protocol v2 over HTTP: tensors as bytes, and as JSON where the server wants
that.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from inference.runtimes import InferenceError, ServerUnavailable, create_backend
from inference.runtimes.servers.wire import from_raw, raw_bytes
from inference.runtimes.tensors import (
    ModelMetadata,
    Tensor,
    TensorSpec,
    bytes_tensor,
)
from tests.inference.runtimes.servers.servers import (
    Answer,
    Asked,
    RestServer,
    as_json,
    loaded,
)

JPEGS = bytes_tensor([b"\xff\xd8 one \xff\xd9", b"\xff\xd8 another \x00\x00"])
NUMBERS = np.array([[1.5, 2.0], [3.0, 4.0]], np.float32)
METADATA = {
    "name": "m",
    "versions": ["1", "2"],
    "platform": "onnxruntime_onnx",
    "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}],
    "outputs": [{"name": "y", "datatype": "INT64", "shape": [-1]}],
}


def is_binary(asked: Asked) -> bool:
    return "Inference-Header-Content-Length" in asked.headers


def split(asked: Asked) -> tuple[dict[str, Any], bytes]:
    """The JSON of a request and the bytes behind it."""
    length = int(asked.headers.get("Inference-Header-Content-Length", len(asked.body)))
    return json.loads(asked.body[:length]), asked.body[length:]


def echo(asked: Asked) -> Answer:
    """Gives each input back as an output, as Triton does: as bytes when it was asked for them."""
    if asked.method == "GET":
        return as_json(METADATA)
    head, raw = split(asked)
    outputs, parts, at = [], [], 0
    for tensor in head["inputs"]:
        size = tensor["parameters"]["binary_data_size"]
        parts.append(raw[at : at + size])
        at += size
        outputs.append(
            {key: tensor[key] for key in ("name", "shape", "datatype")}
            | {"parameters": {"binary_data_size": size}}
        )
    text = json.dumps({"model_name": "m", "outputs": outputs}).encode()
    return Answer(
        text + b"".join(parts),
        200,
        {
            "Content-Type": "application/octet-stream",
            "Inference-Header-Content-Length": str(len(text)),
        },
    )


def echo_json(asked: Asked) -> Answer:
    """A server without the binary extension."""
    if asked.method == "GET":
        return as_json(METADATA)
    if is_binary(asked):
        return as_json({"error": "Expecting value: line 1 column 1"}, 400)
    inputs = json.loads(asked.body)["inputs"]
    return as_json(
        {
            "outputs": [
                {
                    **tensor,
                    "parameters": {"content_type": "base64"} if "parameters" in tensor else {},
                }
                for tensor in inputs
            ]
        }
    )


def asked_for(
    server: RestServer, inputs: dict[str, Tensor], **options: object
) -> dict[str, Tensor]:
    with loaded(
        create_backend("kserve-rest", {"address": server.address, "model": "m", **options})
    ) as model:
        outputs: dict[str, Tensor] = model.infer(inputs)
        return outputs


def test_tensors_travel_as_bytes() -> None:
    with RestServer(echo) as server:
        outputs = asked_for(server, {"x": NUMBERS, "image": JPEGS})

    assert outputs["x"].tolist() == NUMBERS.tolist()
    assert outputs["image"].tolist() == JPEGS.tolist()
    (request,) = server.posted()
    head, raw = split(request)
    assert request.path == "/v2/models/m/infer"
    assert head == {
        "inputs": [
            {
                "name": "x",
                "shape": [2, 2],
                "datatype": "FP32",
                "parameters": {"binary_data_size": 16},
            },
            {
                "name": "image",
                "shape": [2],
                "datatype": "BYTES",
                "parameters": {"binary_data_size": len(raw) - 16},
            },
        ],
        "parameters": {"binary_data_output": True},
    }
    assert raw == NUMBERS.tobytes() + raw_bytes("image", JPEGS)
    assert from_raw(raw[16:], "BYTES", (2,)).tolist() == JPEGS.tolist()


def test_a_server_without_the_extension_gets_json_from_then_on() -> None:
    with (
        RestServer(echo_json) as server,
        loaded(create_backend("kserve-rest", {"address": server.address, "model": "m"})) as model,
    ):
        for _ in range(3):
            outputs = model.infer(
                {"x": NUMBERS, "image": JPEGS, "text": np.array(["a", "ü"], object)}
            )

    assert [is_binary(asked) for asked in server.posted()] == [True, False, False, False]
    assert outputs["x"].tolist() == NUMBERS.tolist()
    assert outputs["image"].tolist() == JPEGS.tolist()
    assert outputs["text"].tolist() == [b"a", "ü".encode()]
    assert json.loads(server.posted()[-1].body)["inputs"][0] == {
        "name": "x",
        "shape": [2, 2],
        "datatype": "FP32",
        "data": [1.5, 2.0, 3.0, 4.0],
    }


def test_the_way_can_be_set() -> None:
    with RestServer(echo_json) as server:
        asked_for(server, {"x": NUMBERS}, binary="never")
        with pytest.raises(InferenceError, match="Expecting value"):
            asked_for(server, {"x": NUMBERS}, binary="always")
    assert [is_binary(asked) for asked in server.posted()] == [False, True]


def test_an_input_that_is_refused_either_way_does_not_decide_it() -> None:
    refusing = True

    def answer(asked: Asked) -> Answer:
        return (
            as_json({"error": "no such input"}, 400)
            if refusing and asked.method == "POST"
            else echo(asked)
        )

    with (
        RestServer(answer) as server,
        loaded(create_backend("kserve-rest", {"address": server.address, "model": "m"})) as model,
    ):
        with pytest.raises(
            InferenceError, match=r"no such input\. Its inputs are named x; sent were y"
        ) as caught:
            model.infer({"y": NUMBERS})
        assert caught.value.permanent
        refusing = False
        model.infer({"x": NUMBERS})

    assert is_binary(server.posted()[-1])


def test_some_outputs_can_be_asked_for() -> None:
    with RestServer(echo) as server:
        asked_for(server, {"x": NUMBERS}, outputs=["x"], version="3")

    (request,) = server.posted()
    assert request.path == "/v2/models/m/versions/3/infer"
    assert split(request)[0]["outputs"] == [{"name": "x"}]


def test_the_server_tells_what_the_model_takes() -> None:
    with (
        RestServer(echo) as server,
        loaded(create_backend("kserve-rest", {"address": server.address, "model": "m"})) as model,
    ):
        assert model.metadata() == ModelMetadata(
            "m",
            "2",
            (TensorSpec("x", "FP32", (-1, 2)),),
            (TensorSpec("y", "INT64", (-1,)),),
            "onnxruntime_onnx",
        )


@pytest.mark.parametrize(
    "answer",
    [
        {"inputs": 5},
        {"inputs": [{"name": "x"}]},
        {"versions": 5},
        {"inputs": [{"name": "x", "datatype": "FP32", "shape": ["a"]}]},
    ],
)
def test_odd_metadata_is_told(answer: object) -> None:
    with (
        RestServer(lambda asked: as_json(answer)) as server,
        loaded(create_backend("kserve-rest", {"address": server.address, "model": "m"})) as model,
        pytest.raises(
            InferenceError, match="its metadata are not those of the Open Inference Protocol"
        ),
    ):
        model.metadata()


@pytest.mark.parametrize("status", [400, 404, 503])
def test_a_model_that_is_not_ready_is_told_when_it_is_loaded(status: int) -> None:
    def answer(asked: Asked) -> Answer:
        return as_json({}, status if asked.path == "/v2/models/m/ready" else 200)

    with RestServer(answer) as server:
        model = create_backend("kserve-rest", {"address": server.address, "model": "m"})
        with pytest.raises(ServerUnavailable):
            model.load()
        model.close()

    with pytest.raises(ServerUnavailable, match="refuses the connection"):
        model.load()
    model.close()
