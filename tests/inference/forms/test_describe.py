from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from inference.forms.suggestions import for_pictures
from inference.runtimes.tensors import ModelMetadata, TensorSpec
from tests.inference.forms.conftest import upload
from tests.inference.runtimes.onnx import models

pytestmark = pytest.mark.django_db


def asked(client: Client, question: str, **form: Any) -> dict[str, Any]:
    response = client.post(
        f"/admin/inference/model/{question}/?prefix=versions-0",
        {f"versions-0-{name}": value for name, value in form.items()},
    )
    assert response.status_code == 200
    answer: dict[str, Any] = response.json()
    return answer


def test_a_file_fills_the_fields_of_input_and_output(admin_client: Client, squares: Path) -> None:
    answer = asked(
        admin_client,
        "describe",
        runtime="onnx",
        sees="pictures",
        options_as="fields",
        file=upload(squares),
    )

    assert answer["tensors"]["inputs"] == [
        {"name": "images", "datatype": "FP32", "shape": [-1, 3, 128, 128]}
    ]
    assert answer["labels"] == 3
    wanted = {
        "input-name": "images",
        "input-width": "128",
        "input-layout": "NCHW",
        "output-adapter": "yolo",
        "output-yolo-version": "v8",
    }
    assert (
        answer["fields"].items()
        >= {f"versions-0-o-{name}": value for name, value in wanted.items()}.items()
    )


def test_a_file_fills_the_schemas_of_records(admin_client: Client, tmp_path: Path) -> None:
    file = upload(models.doubler(tmp_path / "doubler.onnx"))
    answer = asked(
        admin_client, "describe", runtime="onnx", sees="records", options_as="fields", file=file
    )
    assert json.loads(answer["fields"]["versions-0-input_schema"])["required"] == ["x"]
    assert json.loads(answer["fields"]["versions-0-output_schema"])["required"] == ["y"]


def test_a_class_fills_its_schemas(admin_client: Client) -> None:
    answer = asked(
        admin_client,
        "describe",
        runtime="python",
        sees="records",
        options_as="json",
        options='{"model": "iris_model"}',
    )
    assert "sepal_length" in answer["fields"]["versions-0-input_schema"]


def test_a_server_that_is_away_is_a_sentence(admin_client: Client) -> None:
    options = '{"address": "http://127.0.0.1:9", "model": "x"}'
    answer = asked(
        admin_client,
        "describe",
        runtime="kserve-rest",
        sees="pictures",
        options_as="json",
        options=options,
    )
    assert "127.0.0.1:9" in answer["error"]


def test_options_turn_into_json_and_back(admin_client: Client) -> None:
    answer = asked(
        admin_client,
        "options",
        runtime="builtin-qr",
        sees="pictures",
        options_as="fields",
        **{"o-builtin-qr-width": "800"},
    )
    assert json.loads(answer["options"]) == {"width": 800}
    answer = asked(
        admin_client,
        "options",
        runtime="builtin-qr",
        sees="pictures",
        options_as="json",
        options='{"width": 900}',
    )
    assert answer["fields"] == {"versions-0-o-builtin-qr-width": "900"}
    answer = asked(
        admin_client,
        "options",
        runtime="builtin-qr",
        sees="pictures",
        options_as="json",
        options='{"colour": 1}',
    )
    assert "'colour' is not known" in answer["error"]


FP = "FP32"


@pytest.mark.parametrize(
    ("inputs", "outputs", "wanted"),
    [
        (
            [("image", "BYTES", (-1,))],
            [("scores", FP, (-1, 10))],
            {"input": {"name": "image", "format": "jpeg"}, "output": {"adapter": "classification"}},
        ),
        (
            [("x", "UINT8", (1, 300, 300, 3))],
            [("detection_boxes", FP, (1, 9, 4)), ("detection_scores", FP, (1, 9))],
            {"output": {"adapter": "ssd"}},
        ),
        (
            [],
            [("classes", "INT64", (-1,)), ("probabilities", FP, (-1, 5))],
            {"output": {"adapter": "seed"}},
        ),
        (
            [("x", FP, (1, 3, 640, 640))],
            [("output0", FP, (1, 25200, 85))],
            {"output": {"adapter": "yolo", "version": "v5"}},
        ),
        (
            [("x", FP, (1, 3, 640, 640))],
            [("output0", FP, (1, 300, 6))],
            {"output": {"adapter": "yolo", "version": "v10"}},
        ),
        (
            [("x", FP, (1, 3, 640, 640))],
            [("output0", FP, (1, 84, 8400))],
            {"output": {"adapter": "yolo", "version": "v8"}},
        ),
        ([("x", FP, (-1, 3, -1, -1))], [], {"input": {"name": "x"}, "output": {}}),
    ],
)
def test_what_tensors_are_typical_of(
    inputs: list[Any], outputs: list[Any], wanted: dict[str, Any]
) -> None:
    metadata = ModelMetadata(
        "",
        "",
        tuple(TensorSpec(*spec) for spec in inputs),
        tuple(TensorSpec(*spec) for spec in outputs),
    )
    assert for_pictures(metadata).options.items() >= wanted.items()
