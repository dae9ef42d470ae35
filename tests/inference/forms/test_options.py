from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings

from inference.forms.options import OptionsForm
from inference.forms.version import check

SERVER = {"address": "http://10.0.0.5:8501", "model": "resnet"}

CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("builtin-motion", "pictures", {"width": 640, "threshold": 16.5}),
    (
        "tfserving-rest",
        "pictures",
        {**SERVER, "signature": "predict", "named": False, "deadline": 0.5, "version": "3"},
    ),
    (
        "kserve-rest",
        "records",
        {
            **SERVER,
            "outputs": ["a", "b"],
            "features": ["x, y", "z"],
            "labels": ["no", "yes"],
            "label_field": "class",
        },
    ),
    (
        "onnx",
        "pictures",
        {
            "threads": 2,
            "input": {
                "width": 224,
                "height": 224,
                "mean": [0.485, 0.456, 0.406],
                "scale": 0.0039215686,
            },
        },
    ),
    (
        "onnx",
        "pictures",
        {
            "output": {
                "adapter": "classification",
                "top": 5,
                "scores": "softmax",
                "labels": ["cat", "", "dog"],
                "offset": -1,
            }
        },
    ),
    ("onnx", "pictures", {"output": {"adapter": "ssd", "classes": "", "order": "xyxy"}}),
    (
        "onnx",
        "pictures",
        {"output": {"adapter": "yolo", "version": "v5", "across_classes": True, "labels": ["[x]"]}},
    ),
    ("onnx", "pictures", {"output": {"adapter": "raw", "values": 10}}),
    ("onnx", "pictures", {}),
    ("python", "records", {"model": "iris_model"}),
]


@pytest.fixture(autouse=True)
def classes(settings: Settings) -> None:
    settings.PYTHON_MODELS = ("tests.models_for_tests.IrisModel",)


@pytest.mark.parametrize(("runtime", "fed_with", "options"), CASES)
def test_options_come_back_from_their_fields(
    runtime: str, fed_with: str, options: dict[str, Any]
) -> None:
    check(runtime, options, fed_with)
    shown = OptionsForm(prefix="o").filled(runtime, fed_with, options)

    posted = {name: value for name, value in shown.items() if value is not False}

    assert OptionsForm(posted, prefix="o").options(runtime, fed_with) == options


def test_fields_at_their_defaults_say_nothing() -> None:
    shown = OptionsForm(prefix="o").filled(
        "onnx", "pictures", {"input": {"fit": "letterbox", "pad": 114}}
    )
    assert (
        OptionsForm({name: value for name, value in shown.items() if value}, prefix="o").options(
            "onnx", "pictures"
        )
        == {}
    )


def test_a_field_in_common_is_one_field() -> None:
    entries = [entry for entry in OptionsForm(prefix="o").entries if entry.path == ("address",)]
    assert [entry.runtimes for entry in entries] == [
        ("tfserving-rest", "tfserving-grpc", "kserve-rest", "kserve-grpc")
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("two", "must be a whole number"),
        ("2.5", "must be a whole number"),
        ("-1", "must be from 0"),
        ("1e999", "must be"),
    ],
)
def test_what_is_no_number_reaches_the_runtime_as_it_is(text: str, said: str) -> None:
    options = OptionsForm({"o-onnx-threads": text}, prefix="o").options("onnx", "pictures")
    with pytest.raises(Exception, match=said):
        check("onnx", options, "pictures")


def test_an_option_without_a_field_is_told() -> None:
    form = OptionsForm(
        prefix="o", runtime="onnx", options={"colour": 1, "input": {"taste": "sweet"}}
    )
    assert form.unknown == ["colour", "input.taste"]
