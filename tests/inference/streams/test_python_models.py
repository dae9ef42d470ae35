from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from inference import runtimes
from inference.runtimes.errors import InferenceError
from inference.runtimes.python import registry as python_models

MODULE = """
class Lazy:
    display_name, description, major_version, minor_version = "Lazy", "Loads late", 2, 5
    input_schema = output_schema = {"type": "object"}

    def __init__(self):
        self.loaded = True

    @property
    def qualified_name(self):
        return "lazy_model"

    def predict(self, data):
        return {"loaded": self.loaded}

class Typed:
    qualified_name = "typed_model"

    class Input:
        def __init__(self, length):
            self.length = length

        @classmethod
        def model_json_schema(cls):
            properties = {"length": {"type": "number"}}
            return {"type": "object", "properties": properties, "required": ["length"]}

        @classmethod
        def model_validate(cls, data):
            return cls(**data)

    class Output:
        def __init__(self, twice):
            self.twice = twice

        def model_dump(self, mode):
            return {"twice": self.twice}

    input_schema = Input

    def predict(self, data):
        return self.Output(data.length * 2)

not_a_class = 5
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[str]:
    """An installed package with entry points, one of which is broken."""
    name = f"flowers_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    metadata = tmp_path / f"{name}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        f"[sightline.models]\nlazy = {name}:Lazy\nbroken = {name}_missing:Model\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    settings.PYTHON_MODELS = [f"{name}.Typed", f"{name}:not_a_class"]
    python_models._available.cache_clear()
    yield name
    python_models._available.cache_clear()
    sys.modules.pop(name, None)


def test_installed_packages_offer_models_by_entry_point(package: str) -> None:
    found = python_models.find("lazy_model")
    assert (found.display_name, found.description, found.version, found.source) == (
        "Lazy",
        "Loads late",
        "2.5",
        f"{package}:Lazy",
    )


def test_a_broken_package_harms_only_itself(package: str) -> None:
    errors = {found.source: found.error for found in python_models.available() if found.error}
    assert errors[f"{package}_missing:Model"].startswith(
        f"{package}_missing:Model cannot be imported. ModuleNotFoundError"
    )
    assert (
        errors[f"{package}:not_a_class"]
        == f"{package}:not_a_class is not a class with a method predict."
    )
    with pytest.raises(InferenceError, match="cannot be used"):
        python_models.find(f"{package}_missing:Model")


def test_a_form_refuses_what_is_not_there_and_names_what_is(package: str) -> None:
    with pytest.raises(
        InferenceError,
        match=r"There is no Python model 'os.system'. There are: .*lazy_model, typed_model",
    ):
        runtimes.check("python", {"model": "os.system"})
    with pytest.raises(InferenceError, match="The option 'model' is missing"):
        runtimes.check("python", {})
    runtimes.check("python", {"model": "typed_model"})


def answer(model: str, record: dict[str, Any]) -> Any:
    runtime = runtimes.create_records("python", {"model": model})
    runtime.load()
    (result,) = runtime.predict_records([record])
    runtime.close()
    return result


@pytest.mark.usefixtures("package")
def test_the_class_is_made_when_the_model_is_loaded() -> None:
    assert answer("lazy_model", {}) == {"loaded": True}


@pytest.mark.usefixtures("package")
def test_a_model_with_classes_for_its_input_and_output_is_given_and_gives_them() -> None:
    assert python_models.find("typed_model").input_schema == {
        "type": "object",
        "properties": {"length": {"type": "number"}},
        "required": ["length"],
    }
    assert answer("typed_model", {"length": 4}) == {"twice": 8}


def test_numbers_deep_inside_become_floats_too() -> None:
    from inference.runtimes.python.model import _floats

    convert = _floats(
        {
            "properties": {
                "rows": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
                "inner": {
                    "type": "object",
                    "properties": {"x": {"type": "number"}, "n": {"type": "integer"}},
                },
            }
        }
    )
    assert convert
    converted = convert({"rows": [[1, 2.5], [True]], "inner": {"x": 3, "n": 4}, "other": 5})
    assert (
        repr(converted) == "{'rows': [[1.0, 2.5], [True]], 'inner': {'x': 3.0, 'n': 4}, 'other': 5}"
    )
    assert convert({"rows": "text", "inner": None}) == {"rows": "text", "inner": None}
