"""Runtimes by name: what they take, and which options belong to which part."""

from __future__ import annotations

import pytest

from inference.runtimes import (
    PICTURES,
    RECORDS,
    RUNTIMES,
    InferenceError,
    check,
    create,
    create_backend,
    create_records,
)

REMOTE = {
    "tfserving-rest": "http://10.0.0.5:8501",
    "tfserving-grpc": "10.0.0.5:8500",
    "kserve-rest": "http://10.0.0.5:8000",
    "kserve-grpc": "10.0.0.5:8001",
}
PICTURE_OPTIONS = {"input": {"name": "image_bytes", "format": "jpeg"}, "output": {"adapter": "raw"}}


@pytest.mark.parametrize(("runtime", "address"), REMOTE.items())
def test_a_model_server_takes_pictures_and_records(runtime: str, address: str) -> None:
    options = {"address": address, "model": "m"}

    assert RUNTIMES[runtime].takes == {PICTURES, RECORDS}
    assert create(runtime, {**options, **PICTURE_OPTIONS})
    assert create_records(runtime, {**options, "features": ["a", "b"]})
    assert create_backend(runtime, {**options, **PICTURE_OPTIONS})
    check(runtime, {**options, **PICTURE_OPTIONS})
    check(runtime, {**options, "features": ["a", "b"]})


@pytest.mark.parametrize(("runtime", "address"), REMOTE.items())
def test_wrong_options_of_each_part_are_told(runtime: str, address: str) -> None:
    options = {"address": address, "model": "m", **PICTURE_OPTIONS}

    for wrong, message in (
        ({"adress": address}, "The option 'adress' is not known. Known: address, model"),
        ({"deadline": "soon"}, "The option 'deadline' must be a number"),
        ({"input": {"format": "gif"}}, "The option 'input.format' must be one of"),
    ):
        for make in (create, check):
            with pytest.raises(InferenceError) as caught:
                make(runtime, {**options, **wrong})
            assert message in str(caught.value)
            assert caught.value.permanent


def test_built_in_models_take_no_records() -> None:
    with pytest.raises(InferenceError, match=r"The runtime 'builtin-qr' takes no records\."):
        create_records("builtin-qr", {})
    with pytest.raises(InferenceError, match="has no tensors to ask for"):
        create_backend("builtin-qr", {})
