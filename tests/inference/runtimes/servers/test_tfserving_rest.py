"""TensorFlow Serving's REST API: what leaves, and what is made of the answers."""

from __future__ import annotations

import base64
import json
import socket
import threading
from typing import Any

import numpy as np
import pytest

from inference.runtimes import InferenceError, ServerUnavailable, create_backend
from inference.runtimes.servers.tfserving_rest import request_body
from inference.runtimes.tensors import (
    ModelMetadata,
    Tensor,
    TensorSpec,
    bytes_tensor,
)
from tests.inference.runtimes.servers.servers import (
    Answer,
    Asked,
    RawServer,
    RestServer,
    as_json,
    loaded,
    read_request,
)

JPEG = b"\xff\xd8\xff\xe0 not much of a picture \x00\xff\xd9"
PICTURE = {"image_bytes": bytes_tensor([JPEG])}
NUMBERS = {"x": np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)}

AVAILABLE = {
    "model_version_status": [
        {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    ]
}
METADATA: dict[str, Any] = {
    "model_spec": {"name": "m", "signature_name": "", "version": "7"},
    "metadata": {
        "signature_def": {
            "signature_def": {
                "serving_default": {
                    "inputs": {
                        "x": {
                            "dtype": "DT_FLOAT",
                            "tensor_shape": {
                                "dim": [{"size": "-1", "name": ""}, {"size": "2", "name": ""}],
                                "unknown_rank": False,
                            },
                        }
                    },
                    "outputs": {
                        "scores": {
                            "dtype": "DT_FLOAT",
                            "tensor_shape": {"dim": [{"size": "-1"}], "unknown_rank": False},
                        },
                    },
                    "method_name": "tensorflow/serving/predict",
                },
                "other": {
                    "inputs": {
                        "y": {
                            "dtype": "DT_STRING",
                            "tensor_shape": {"dim": [], "unknown_rank": True},
                        }
                    },
                    "outputs": {},
                },
            }
        }
    },
}


def serving(prediction: Answer, metadata: object = None) -> RestServer:
    """A server with one model, which always answers the same."""

    def answer(asked: Asked) -> Answer:
        if asked.method == "POST":
            return prediction
        if asked.path.endswith("/metadata"):
            return as_json(metadata) if metadata else as_json({"error": "no metadata"}, 404)
        return as_json(AVAILABLE)

    return RestServer(answer)


def predicted(
    value: object, inputs: dict[str, Tensor], metadata: object = None, **options: object
) -> dict[str, Tensor]:
    """The outputs of a model whose server answers ``value``."""
    with (
        serving(as_json(value), metadata) as server,
        loaded(
            create_backend("tfserving-rest", {"address": server.address, "model": "m", **options})
        ) as model,
    ):
        outputs: dict[str, Tensor] = model.infer(inputs)
        return outputs


def test_the_request_for_a_picture_is_byte_for_byte_what_tensorflow_serving_documents() -> None:
    """Not by a server's library: what leaves the socket itself."""
    requests: list[bytes] = []

    def talk(client: socket.socket, ended: threading.Event) -> None:
        while not ended.is_set():
            requests.append(read_request(client))
            body = json.dumps(
                {"predictions": [{"classes": 3, "probabilities": [0.1, 0.2, 0.7]}]}
                if requests[-1].startswith(b"POST")
                else AVAILABLE
            )
            client.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                % (len(body), body.encode())
            )

    with (
        RawServer(talk) as server,
        loaded(
            create_backend("tfserving-rest", {"address": server.address, "model": "resnet"})
        ) as model,
    ):
        outputs = model.infer(PICTURE)

    head, _, body = requests[-1].partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[0] == b"POST /v1/models/resnet:predict HTTP/1.1"
    assert b"Content-Type: application/json" in head
    assert body == b'{"instances":[{"image_bytes":{"b64":"' + base64.b64encode(JPEG) + b'"}}]}'
    assert outputs["classes"].tolist() == [3]
    assert outputs["probabilities"].tolist() == [[0.1, 0.2, 0.7]]


def test_version_label_and_signature_are_asked_for() -> None:
    with serving(as_json({"predictions": [1]})) as server:
        for version, path in (("", ""), ("12", "/versions/12"), ("stable", "/labels/stable")):
            with loaded(
                create_backend(
                    "tfserving-rest",
                    {
                        "address": server.address,
                        "model": "a/b c",
                        "version": version,
                        "signature": "sig",
                    },
                )
            ) as model:
                model.infer(PICTURE)
            asked = server.posted()[-1]
            assert asked.path == f"/v1/models/a%2Fb%20c{path}:predict"
            assert (
                asked.body
                == b'{"signature_name":"sig","instances":[{"image_bytes":{"b64":"'
                + base64.b64encode(JPEG)
                + b'"}}]}'
            )


def test_batches_numbers_texts_and_several_inputs_are_sent_in_rows() -> None:
    body = request_body(
        {
            "x": NUMBERS["x"],
            'na"me': np.array(["a", "ü"], object),
            "deep": bytes_tensor([b"\xff", b"b"]).reshape(2, 1),
        }
    )

    assert json.loads(body) == {
        "instances": [
            {"x": [1.0, 2.0], 'na"me': "a", "deep": [{"b64": "/w=="}]},
            {"x": [3.0, 4.0], 'na"me': "ü", "deep": [{"b64": "Yg=="}]},
        ]
    }


def test_rows_can_do_without_names() -> None:
    assert request_body(NUMBERS, named=False) == b'{"instances":[[1.0,2.0],[3.0,4.0]]}'
    with pytest.raises(InferenceError, match="Switch the option named on"):
        request_body({**NUMBERS, "y": NUMBERS["x"]}, named=False)


@pytest.mark.parametrize(
    ("value", "outputs"),
    [
        (
            {"predictions": [{"a": 1, "b": [0.5]}, {"a": 2, "b": [1.5]}]},
            {"a": [1, 2], "b": [[0.5], [1.5]]},
        ),
        ({"predictions": [[0.25, 0.75], [1, 0]]}, {"output": [[0.25, 0.75], [1, 0]]}),
        ({"predictions": [1.5, 2]}, {"output": [1.5, 2]}),
        ({"predictions": ["cat", "dog"]}, {"output": [b"cat", b"dog"]}),
        ({"predictions": [{"b64": "/9g="}, {"b64": ""}]}, {"output": [b"\xff\xd8", b""]}),
        ({"predictions": [True, False]}, {"output": [True, False]}),
        ({"outputs": {"a": [1, 2]}}, {"a": [1, 2]}),
        ({"outputs": [[1], [2]]}, {"output": [[1], [2]]}),
    ],
)
def test_all_forms_of_answers_become_tensors(
    value: object, outputs: dict[str, list[object]]
) -> None:
    assert {name: tensor.tolist() for name, tensor in predicted(value, NUMBERS).items()} == outputs


def test_metadata_gives_the_only_output_its_name_and_type() -> None:
    outputs = predicted({"predictions": [1, 0.5]}, NUMBERS, METADATA)

    assert outputs["scores"].dtype == np.float32


def test_the_server_tells_what_the_model_takes() -> None:
    with (
        serving(as_json({}), METADATA) as server,
        loaded(
            create_backend("tfserving-rest", {"address": server.address, "model": "m"})
        ) as model,
    ):
        assert model.metadata() == ModelMetadata(
            "m",
            "7",
            (TensorSpec("x", "FP32", (-1, 2)),),
            (TensorSpec("scores", "FP32", (-1,)),),
            "tensorflow",
        )

    with (
        serving(as_json({}), METADATA) as server,
        loaded(
            create_backend(
                "tfserving-rest", {"address": server.address, "model": "m", "signature": "other"}
            )
        ) as model,
    ):
        assert model.metadata().inputs == (TensorSpec("y", "BYTES", (-1,)),)

    with (
        serving(as_json({}), METADATA) as server,
        loaded(
            create_backend(
                "tfserving-rest", {"address": server.address, "model": "m", "signature": "no"}
            )
        ) as model,
        pytest.raises(InferenceError, match="does not describe the signature no"),
    ):
        model.metadata()


def test_a_server_without_metadata_says_nothing_rather_than_that_it_has_no_model() -> None:
    with (
        serving(as_json({})) as server,
        loaded(
            create_backend("tfserving-rest", {"address": server.address, "model": "m"})
        ) as model,
    ):
        assert model.metadata() == ModelMetadata("m", "", (), ())


def test_a_server_that_only_predicts_is_enough() -> None:
    def answer(asked: Asked) -> Answer:
        return (
            as_json({"predictions": [1]})
            if asked.method == "POST"
            else Answer(b"404 Not Found", 404, {"Content-Type": "text/plain"})
        )

    with (
        RestServer(answer) as server,
        loaded(
            create_backend("tfserving-rest", {"address": server.address, "model": "m"})
        ) as model,
    ):
        assert model.infer(PICTURE)["output"].tolist() == [1]


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (
            404,
            {"error": "Could not find any versions of model m"},
            (
                "has no model m, or has not loaded it yet. It says: Could not find any versions of"
                " model m."
            ),
        ),
        (
            200,
            {"model_version_status": [{"state": "LOADING"}]},
            "is not ready or too busy. It says: The model m is LOADING.",
        ),
        (200, {"name": "m", "ready": False}, "The model m is not ready."),
        (200, {"name": "m", "ready": "False"}, "The model m is not ready."),
        (503, {"error": "warming up"}, "It says: warming up."),
        (401, {}, "asks for a login"),
    ],
)
def test_a_model_that_cannot_be_asked_is_told_at_once(
    status: int, body: object, words: str
) -> None:
    with RestServer(lambda asked: as_json(body, status)) as server:
        model = create_backend("tfserving-rest", {"address": server.address, "model": "m"})
        with pytest.raises(ServerUnavailable) as caught:
            model.load()
        model.close()
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "version",
    [
        {"name": "m", "ready": True},
        AVAILABLE,
        {"model_version_status": [{"state": "END"}, {"state": "AVAILABLE"}]},
    ],
)
def test_a_model_that_is_ready_loads(version: object) -> None:
    with (
        RestServer(lambda asked: as_json(version)) as server,
        loaded(create_backend("tfserving-rest", {"address": server.address, "model": "m"})),
    ):
        pass


def test_a_refused_input_is_the_inputs_fault_and_says_what_would_fit() -> None:
    cases = [
        ({"y": NUMBERS["x"]}, "Key missing. Its inputs are named x; sent were y."),
        ({"x": NUMBERS["x"].astype(np.int32)}, "Its input x is of type FP32; sent was INT32."),
        (
            {"x": np.zeros((2, 3), np.float32)},
            "Its input x has the shape (?, 2); sent was (2, 3).",
        ),
    ]
    with (
        serving(as_json({"error": "Key missing"}, 400), METADATA) as server,
        loaded(
            create_backend("tfserving-rest", {"address": server.address, "model": "m"})
        ) as model,
    ):
        for inputs, words in cases:
            with pytest.raises(InferenceError) as caught:
                model.infer(inputs)
            assert caught.value.permanent
            assert words in str(caught.value)
