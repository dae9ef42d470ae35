"""The model servers of the tests are real ones: they serve one classifier with equal results,
and fail as servers do.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import ovmsclient
import pytest
import requests
import tritonclient.grpc
import tritonclient.http
from numpy.typing import NDArray
from ovmsclient.tfs_compat.base.errors import InvalidInputError, ModelNotFoundError

from tests.servers.models.digits import IRIS_FEATURES, Digits
from tests.servers.models.kserve import KServe
from tests.servers.models.mlserver import MLServer
from tests.servers.models.server import ModelServer
from tests.servers.models.tfserving import TFServing
from tests.servers.models.triton import SHARED_MEMORY, Triton
from tests.servers.ports import is_listening

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("model servers")]

FLOWERS = [[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]]
Array = NDArray[Any]


def post(server: ModelServer, path: str, body: object) -> Any:
    response = requests.post(server.rest + path, json=body, timeout=10)
    assert response.ok, response.text
    return response.json()


def v2_json(
    server: ModelServer, model: str, inputs: dict[str, Array], datatype: str
) -> dict[str, Any]:
    """V2 by plain JSON."""
    tensors = [
        {"name": name, "datatype": datatype, "shape": values.shape, "data": values.ravel().tolist()}
        for name, values in inputs.items()
    ]
    outputs = post(server, f"/v2/models/{model}/infer", {"inputs": tensors})["outputs"]
    return {output["name"]: output["data"] for output in outputs}


def v2_grpc(
    server: ModelServer, model: str, name: str, values: Array, datatype: str, wanted: str
) -> Array:
    with tritonclient.grpc.InferenceServerClient(server.grpc) as client:
        tensor = tritonclient.grpc.InferInput(name, values.shape, datatype)
        tensor.set_data_from_numpy(values)
        result: Array = client.infer(model, [tensor], client_timeout=10).as_numpy(wanted)
        return result


def v2_binary(
    server: ModelServer, model: str, name: str, values: Array, datatype: str, wanted: str
) -> Array:
    """V2 by REST with the binary tensor extension."""
    with tritonclient.http.InferenceServerClient(server.rest.removeprefix("http://")) as client:
        tensor = tritonclient.http.InferInput(name, values.shape, datatype)
        tensor.set_data_from_numpy(values)
        result: Array = client.infer(model, [tensor]).as_numpy(wanted)
        return result


def b64_instances(pictures: Sequence[bytes]) -> dict[str, Any]:
    return {
        "instances": [
            {"image_bytes": {"b64": base64.b64encode(jpeg).decode()}} for jpeg in pictures
        ]
    }


def byte_tensor(pictures: Sequence[bytes]) -> Array:
    return np.array(pictures, dtype=np.object_)


def answers(server: ModelServer) -> bool:
    try:
        return requests.get(server.rest + server.ready_paths[0], timeout=0.5).ok
    except requests.RequestException:
        return False


def test_the_classifier_reads_most_digits(digits: Digits) -> None:
    assert len(digits.pictures) == len(digits.labels) == 100
    assert np.mean(digits.labels == digits.truth) >= 0.95


def test_mlserver_serves_the_digits(mlserver: MLServer, digits: Digits) -> None:
    outputs = v2_json(mlserver, "digits", {"pixels": digits.pixels}, "FP32")
    assert outputs["predict"] == digits.labels.tolist()
    labels = v2_grpc(mlserver, "digits", "pixels", digits.pixels, "FP32", "predict")
    assert labels.ravel().tolist() == digits.labels.tolist()


def test_mlserver_names_flowers_by_their_columns(mlserver: MLServer) -> None:
    columns = dict(zip(IRIS_FEATURES, np.array(FLOWERS).T[:, :, None], strict=True))
    assert v2_json(mlserver, "iris", columns, "FP64")["predict"] == ["setosa", "virginica"]


def test_kserve_speaks_the_rest_shape_of_tensorflow_serving(kserve: KServe, digits: Digits) -> None:
    numbers = post(kserve, "/v1/models/digits:predict", {"instances": digits.pixels.tolist()})[
        "predictions"
    ]
    assert numbers == digits.labels.tolist()
    predictions = post(kserve, "/v1/models/pictures:predict", b64_instances(digits.pictures))[
        "predictions"
    ]
    assert [prediction["classes"] - 1 for prediction in predictions] == digits.labels.tolist()
    assert all(prediction.keys() == {"classes", "probabilities"} for prediction in predictions)


def test_kserve_speaks_v2(kserve: KServe, digits: Digits) -> None:
    assert (
        v2_json(kserve, "digits", {"pixels": digits.pixels}, "FP32")["label"]
        == digits.labels.tolist()
    )
    labels = v2_binary(kserve, "digits", "pixels", digits.pixels, "FP32", "label")
    assert labels.tolist() == digits.labels.tolist()
    classes = v2_grpc(
        kserve, "pictures", "image_bytes", byte_tensor(digits.pictures), "BYTES", "classes"
    )
    assert (classes - 1).tolist() == digits.labels.tolist()


def test_triton_takes_batches_and_pictures(triton: Triton, digits: Digits) -> None:
    some = digits.pixels[:64]
    for ask in (v2_binary, v2_grpc):
        assert (
            ask(triton, "digits", "pixels", some, "FP32", "label").ravel().tolist()
            == digits.labels[:64].tolist()
        )
        classes = ask(
            triton, "pictures", "image_bytes", byte_tensor(digits.pictures), "BYTES", "classes"
        )
        assert (classes - 1).tolist() == digits.labels.tolist()


def test_triton_has_a_model_that_takes_one_at_a_time(triton: Triton, digits: Digits) -> None:
    rows = digits.pixels[:5].reshape(5, 1, 8, 8, 1)
    labels = [v2_grpc(triton, "single", "picture", row, "FP32", "label").item() for row in rows]
    assert labels == digits.labels[:5].tolist()


def test_tensorflow_runs_the_saved_model(tfserving: TFServing, digits: Digits) -> None:
    client = ovmsclient.make_grpc_client(tfserving.grpc)
    outputs = client.predict({"pixels": digits.pixels}, "digits", 1, 10)
    assert outputs["label"].tolist() == digits.labels.tolist()
    outputs = client.predict({"image_bytes": list(digits.pictures)}, "pictures", 1, 10)
    assert (outputs["classes"] - 1).tolist() == digits.labels.tolist()
    np.testing.assert_allclose(outputs["probabilities"][:, 1:], digits.probabilities, atol=0.05)


def test_tensorflow_describes_the_saved_model(tfserving: TFServing) -> None:
    client = ovmsclient.make_grpc_client(tfserving.grpc)
    assert client.get_model_metadata("pictures", 1)["inputs"] == {
        "image_bytes": {"shape": [-1], "dtype": "DT_STRING"}
    }
    assert client.get_model_status("pictures", 1)[1]["state"] == "AVAILABLE"
    described = requests.get(f"{tfserving.rest}/v1/models/digits/metadata", timeout=10).json()
    assert described["metadata"]["signature_def"]["signature_def"].keys() >= {
        "serving_default",
        "pictures",
    }


def test_tensorflow_refuses_what_does_not_fit(tfserving: TFServing, digits: Digits) -> None:
    client = ovmsclient.make_grpc_client(tfserving.grpc)
    with pytest.raises(ModelNotFoundError, match="Servable not found"):
        client.predict({"pixels": digits.pixels}, "digits", 9)
    with pytest.raises(InvalidInputError, match=r"Missing but required: \{pixels\}"):
        client.predict({"pixel": digits.pixels}, "digits", 1)
    with pytest.raises(InvalidInputError, match="expected float"):
        client.predict({"pixels": digits.pixels.astype(np.float64)}, "digits", 1)


def test_tensorflow_serving_rest_takes_rows_columns_and_a_signature(
    tfserving: TFServing, digits: Digits
) -> None:
    path = "/v1/models/digits/versions/1:predict"
    rows = post(tfserving, path, {"signature_name": "pictures", **b64_instances(digits.pictures)})[
        "predictions"
    ]
    assert [row["classes"] - 1 for row in rows] == digits.labels.tolist()
    columns = post(tfserving, path, {"inputs": {"pixels": digits.pixels.tolist()}})["outputs"]
    assert columns["label"] == digits.labels.tolist()


@pytest.mark.parametrize("name", ["mlserver", "kserve", "triton", "tfserving"])
def test_a_paused_server_takes_connections_and_says_nothing(
    name: str, request: pytest.FixtureRequest
) -> None:
    server: ModelServer = request.getfixturevalue(name)
    server.pause()
    try:
        assert is_listening(server.rest_port)
        assert not answers(server)
    finally:
        server.resume()
    server.wait_ready()


def test_a_killed_server_leaves_nothing_behind_and_comes_back_on_its_ports(triton: Triton) -> None:
    ports = triton.rest_port, triton.grpc_port
    triton.kill()
    assert not any(is_listening(port) for port in ports)
    assert not list(SHARED_MEMORY.glob(f"sightline_tests_{triton.grpc_port}*"))
    triton.start()
    assert (triton.rest_port, triton.grpc_port) == ports
    assert answers(triton)
