"""The Open Inference Protocol v2 over gRPC."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tritonclient.grpc import service_pb2 as pb

from inference.runtimes import InferenceError, ServerUnavailable, create_backend
from inference.runtimes.servers.wire import from_raw
from inference.runtimes.tensors import ModelMetadata, TensorSpec, bytes_tensor
from tests.inference.runtimes.servers.grpc_stubs import Infer, kserve, one_row
from tests.inference.runtimes.servers.servers import loaded

NUMBERS = np.array([[1.5, 2.0], [3.0, 4.0]], np.float32)


def model_at(address: str, **options: object) -> Any:
    return create_backend(
        "kserve-grpc", {"address": address, "model": "m", "deadline": 5, **options}
    )


def replying(
    *outputs: tuple[str, str, list[int], dict[str, Any]], raw: list[bytes] | None = None
) -> Infer:
    def infer(request: Any, context: Any) -> Any:
        reply = pb.ModelInferResponse(raw_output_contents=raw)
        for name, datatype, shape, contents in outputs:
            reply.outputs.add(
                name=name,
                datatype=datatype,
                shape=shape,
                contents=pb.InferTensorContents(**contents),
            )
        return reply

    return infer


def test_tensors_travel_as_bytes() -> None:
    server, servicer = kserve(one_row())
    with server, loaded(model_at(server.address, outputs=["y"], version="3")) as model:
        assert model.infer({"x": NUMBERS, "image": bytes_tensor([b"\xff\xd8\x00", b""])})[
            "y"
        ].tolist() == [1, 1]

    (request,) = servicer.requests
    assert (
        request.model_name,
        request.model_version,
        [output.name for output in request.outputs],
    ) == ("m", "3", ["y"])
    assert [(tensor.name, tensor.datatype, list(tensor.shape)) for tensor in request.inputs] == [
        ("x", "FP32", [2, 2]),
        ("image", "BYTES", [2]),
    ]
    assert request.raw_input_contents[0] == NUMBERS.tobytes()
    assert from_raw(request.raw_input_contents[1], "BYTES", (2,)).tolist() == [b"\xff\xd8\x00", b""]


@pytest.mark.parametrize(
    ("datatype", "contents", "values"),
    [
        ("BOOL", {"bool_contents": [True, False]}, [True, False]),
        ("UINT8", {"uint_contents": [1, 255]}, [1, 255]),
        ("INT16", {"int_contents": [-1, 2]}, [-1, 2]),
        ("INT64", {"int64_contents": [-1, 2**40]}, [-1, 2**40]),
        ("UINT64", {"uint64_contents": [1, 2**63]}, [1, 2**63]),
        ("FP32", {"fp32_contents": [0.5, 1]}, [0.5, 1]),
        ("FP64", {"fp64_contents": [0.1, 1]}, [0.1, 1]),
        ("BYTES", {"bytes_contents": [b"a\x00", b""]}, [b"a\x00", b""]),
    ],
)
def test_answers_may_hold_numbers_in_place_of_bytes(
    datatype: str, contents: dict[str, Any], values: list[object]
) -> None:
    server, _ = kserve(replying(("y", datatype, [2], contents)))
    with server, loaded(model_at(server.address)) as model:
        assert model.infer({"x": NUMBERS})["y"].tolist() == values


def test_answers_as_bytes_are_read() -> None:
    server, _ = kserve(
        replying(
            ("y", "INT32", [2, 1], {}),
            ("z", "BYTES", [2], {}),
            raw=[b"\1\0\0\0\2\0\0\0", b"\1\0\0\0a\0\0\0\0"],
        )
    )
    with server, loaded(model_at(server.address)) as model:
        outputs = model.infer({"x": NUMBERS})
    assert (outputs["y"].tolist(), outputs["z"].tolist()) == ([[1], [2]], [b"a", b""])


@pytest.mark.parametrize(
    ("infer", "words"),
    [
        (
            replying(("y", "FP32", [3], {"fp32_contents": [1, 2]})),
            "2 values have come for the shape",
        ),
        (replying(("y", "FP32", [-2], {"fp32_contents": [1, 2]})), "its shape cannot be [-2]"),
        (
            replying(("y", "FP16", [2], {"fp32_contents": [1, 2]})),
            "values of type FP16 must come as bytes",
        ),
        (
            replying(("y", "FP32", [2], {}), raw=[b"1234"]),
            "4 bytes have come for 2 values of type FP32",
        ),
        (
            replying(("y", "FP32", [2], {}), raw=[b"12345678", b"1234"]),
            "fewer or more tensors than it names",
        ),
        (
            replying(("y", "FP32", [2], {"fp32_contents": [1, float("nan")]})),
            "values that are not numbers (NaN)",
        ),
        (
            replying(("y", "FP32", [1, 2], {"fp32_contents": [1, 2]})),
            "has the shape (1, 2); its first axis must have one row for each of the 2 inputs",
        ),
        (replying(), "The model gives no outputs"),
    ],
)
def test_wrong_outputs_are_told(infer: Infer, words: str) -> None:
    server, _ = kserve(infer)
    with server, loaded(model_at(server.address)) as model, pytest.raises(InferenceError) as caught:
        model.infer({"x": NUMBERS})
    assert words in str(caught.value)


def test_the_server_tells_what_the_model_takes() -> None:
    server, _ = kserve(one_row())
    with server, loaded(model_at(server.address)) as model:
        assert model.metadata() == ModelMetadata(
            "m", "2", (TensorSpec("x", "FP32", (-1, 2)),), (TensorSpec("y", "FP32", (-1,)),), "stub"
        )


def test_a_model_that_is_not_ready_is_told_at_once() -> None:
    server, servicer = kserve(one_row())
    servicer.ready = False
    model = model_at(server.address)
    with server:
        with pytest.raises(ServerUnavailable, match="has no model m, or has not loaded it yet"):
            model.load()
        model.close()
        servicer.ready = True
        model.load()
    model.close()
