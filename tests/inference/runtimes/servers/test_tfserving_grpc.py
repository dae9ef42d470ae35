"""TensorFlow Serving's gRPC API."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ovmsclient.tfs_compat.protos.tensorflow.core.framework import tensor_pb2, types_pb2

from inference.runtimes import InferenceError, ServerUnavailable, create_backend
from inference.runtimes.servers.tfserving_grpc import from_proto, to_proto
from inference.runtimes.servers.wire import WireError
from inference.runtimes.tensors import (
    DTYPES,
    ModelMetadata,
    TensorSpec,
    bytes_tensor,
    datatype_of,
)
from tests.inference.runtimes.servers.grpc_stubs import predicting, tfserving
from tests.inference.runtimes.servers.servers import loaded

NUMBERS = np.array([[1.5, 2.0], [3.0, 4.0]], np.float32)
TYPE = types_pb2.DataType.Value


def model_at(address: str, **options: object) -> Any:
    return create_backend(
        "tfserving-grpc", {"address": address, "model": "m", "deadline": 5, **options}
    )


def proto(datatype: str, shape: list[int], **values: Any) -> Any:
    made = tensor_pb2.TensorProto(dtype=TYPE(datatype), **values)
    for size in shape:
        made.tensor_shape.dim.add(size=size)
    return made


@pytest.mark.parametrize("datatype", [name for name in DTYPES if name != "BYTES"])
def test_numbers_come_back(datatype: str) -> None:
    tensor = np.array([[0, 1, 1], [1, 0, 1]]).astype(DTYPES[datatype])

    back = from_proto(to_proto("x", tensor))

    assert (datatype_of(back), back.tolist()) == (datatype, tensor.tolist())


def test_pictures_come_back_whole() -> None:
    """Also when they end with zero bytes, which numpy's own strings lose."""
    assert from_proto(to_proto("x", bytes_tensor([b"\xff\xd8\x00\x00", b""]))).tolist() == [
        b"\xff\xd8\x00\x00",
        b"",
    ]


@pytest.mark.parametrize(
    ("tensor", "values"),
    [
        (proto("DT_FLOAT", [2], float_val=[1, 2]), [1, 2]),
        (proto("DT_FLOAT", [3], float_val=[1, 2]), [1, 2, 2]),
        (proto("DT_FLOAT", [2]), [0, 0]),
        (proto("DT_FLOAT", [0]), []),
        (proto("DT_INT64", [2, 1], int64_val=[5]), [[5], [5]]),
        (proto("DT_UINT8", [2], int_val=[1, 255]), [1, 255]),
        (proto("DT_BOOL", [2], bool_val=[True, False]), [True, False]),
        (proto("DT_STRING", [2], string_val=[b"a", b"\x00"]), [b"a", b"\x00"]),
        (
            proto("DT_HALF", [2], half_val=np.array([1.5, 2], np.float16).view(np.uint16).tolist()),
            [1.5, 2],
        ),
        (proto("DT_BFLOAT16", [1], half_val=[0x3FC0]), [1.5]),
        (proto("DT_BFLOAT16", [1], tensor_content=b"\xc0\x3f"), [1.5]),
    ],
)
def test_all_forms_of_tensors_are_read(tensor: Any, values: list[object]) -> None:
    assert from_proto(tensor).tolist() == values


@pytest.mark.parametrize(
    "tensor",
    [
        proto("DT_FLOAT", [1], float_val=[1, 2]),
        proto("DT_FLOAT", [-1], float_val=[1]),
        proto("DT_FLOAT", [2**40, 2**40], float_val=[1]),
        proto("DT_FLOAT", [2**33], float_val=[1]),
        proto("DT_FLOAT", [2], tensor_content=b"123"),
        proto("DT_COMPLEX64", [1], scomplex_val=[1, 2]),
        proto("DT_VARIANT", [1]),
    ],
)
def test_tensors_that_do_not_fit_are_refused(tensor: Any) -> None:
    with pytest.raises(WireError):
        from_proto(tensor)


def test_version_label_signature_and_outputs_are_asked_for() -> None:
    server, servicer = tfserving(predicting(y=proto("DT_FLOAT", [2], float_val=[1, 2])))
    with server:
        for version, wanted in (("", (0, "")), ("12", (12, "")), ("stable", (0, "stable"))):
            with loaded(
                model_at(server.address, version=version, signature="sig", outputs=["y"])
            ) as model:
                assert model.infer({"x": NUMBERS})["y"].tolist() == [1, 2]
            spec = servicer.requests[-1].model_spec
            assert (spec.name, spec.signature_name, spec.version.value, spec.version_label) == (
                "m",
                "sig",
                *wanted,
            )
            assert list(servicer.requests[-1].output_filter) == ["y"]

    assert from_proto(servicer.requests[-1].inputs["x"]).tolist() == NUMBERS.tolist()


def test_the_server_tells_what_the_model_takes() -> None:
    server, servicer = tfserving(predicting())
    described = servicer.signatures.signature_def["serving_default"]
    described.inputs["image_bytes"].dtype = TYPE("DT_STRING")
    described.inputs["image_bytes"].tensor_shape.dim.add(size=-1)
    described.outputs["scores"].dtype = TYPE("DT_FLOAT")
    described.outputs["scores"].tensor_shape.unknown_rank = True
    with server, loaded(model_at(server.address)) as model:
        assert model.metadata() == ModelMetadata(
            "m",
            "7",
            (TensorSpec("image_bytes", "BYTES", (-1,)),),
            (TensorSpec("scores", "FP32", (-1,)),),
            "tensorflow",
        )
    with (
        server,
        loaded(model_at(server.address, signature="no")) as model,
        pytest.raises(InferenceError, match="does not describe the signature no"),
    ):
        model.metadata()


def test_a_model_that_is_away_is_told_from_a_server_that_is() -> None:
    server, servicer = tfserving(predicting())
    with server:
        unknown = create_backend("tfserving-grpc", {"address": server.address, "model": "nothing"})
        with pytest.raises(
            ServerUnavailable,
            match=(
                r"does not have this model or version\. It says: Could not find any versions of"
                r" model nothing"
            ),
        ):
            unknown.load()
        unknown.close()

        servicer.state = "UNLOADING"
        model = model_at(server.address)
        with pytest.raises(ServerUnavailable, match="The model m is UNLOADING"):
            model.load()
        model.close()
        servicer.state = "AVAILABLE"
        model.load()
        model.close()
