from __future__ import annotations

import errno
import hashlib
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from inference.runtimes.errors import InferenceError
from inference.runtimes.onnx import check as onnx_check
from inference.runtimes.onnx import file as onnx_file
from inference.runtimes.onnx.file import Limits, check_file, sha256
from inference.runtimes.tensors import TensorSpec
from tests.inference.runtimes.onnx import models

SMALL = Limits(gibibytes=1.0, seconds=20)


def refusal(path: Path, limits: Limits = SMALL) -> str:
    with pytest.raises(InferenceError) as caught:
        check_file(path, limits)
    assert caught.value.permanent
    return str(caught.value)


def test_it_says_what_the_model_takes_and_gives(tmp_path: Path) -> None:
    found = check_file(models.ssd(tmp_path / "model.onnx"))

    assert found.inputs == (TensorSpec("image_tensor", "UINT8", (-1, 128, 128, 3)),)
    assert found.outputs[0] == TensorSpec("detection_boxes", "FP32", (-1, 64, 4))


def test_it_reads_the_class_names_in_the_file(tmp_path: Path) -> None:
    assert check_file(models.yolo(tmp_path / "model.onnx")).labels == models.COLOURS


def test_notes_in_the_file_that_are_no_class_names_do_no_harm(tmp_path: Path) -> None:
    node, shapes = (
        helper.make_node("Relu", ["x"], ["y"]),
        [models.tensor_info(name, ["n", 3]) for name in "xy"],
    )

    assert (
        check_file(
            models.save(tmp_path / "model.onnx", [node], shapes[:1], shapes[1:], names="{oops")
        ).labels
        == ()
    )


@pytest.mark.parametrize(
    "content",
    [
        b"<html>404</html>" * 20,
        b"PK\x03\x04" + bytes(500),
        bytes(1000),
        b"\xff" * 1000,
        b"\x08\x08",
        b"x",
    ],
    ids=["html", "zip", "zeros", "ones", "no graph", "one byte"],
)
def test_a_file_that_is_no_model(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)

    assert (
        refusal(path)
        == "The file is not an ONNX model, or it is cut off. Upload the .onnx file itself."
    )


def test_a_file_that_is_cut_off(tmp_path: Path) -> None:
    path = models.heavy(tmp_path / "model.onnx", 256, 64)
    path.write_bytes(path.read_bytes()[:-10_000])

    assert "cut off" in refusal(path)


def test_an_empty_file_and_none(tmp_path: Path) -> None:
    (tmp_path / "empty.onnx").touch()

    assert refusal(tmp_path / "empty.onnx") == "The file is empty."
    assert (
        refusal(tmp_path / "gone.onnx")
        == "The model's file cannot be read: No such file or directory. Upload it again."
    )


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = models.heavy(tmp_path / "model.onnx", 2048, 256)

    assert (
        refusal(path, Limits(mebibytes=1)) == "The file is too large: 2 MiB, and 1 MiB are allowed."
    )


def test_weights_in_another_file_are_refused(tmp_path: Path) -> None:
    path = models.heavy(tmp_path / "whole.onnx", 256, 64)
    onnx.save(
        onnx.load(path),
        tmp_path / "model.onnx",
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )

    assert refusal(tmp_path / "model.onnx").startswith(
        "The model keeps its weights in a second file (external data)"
    )


@pytest.mark.parametrize("place", ["constant", "branch", "function"])
def test_a_tensor_in_another_file_is_found_wherever_it_hides(place: str) -> None:
    secret = TensorProto(
        name="secret", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL
    )
    secret.external_data.add(key="location", value="/etc/passwd")
    node = helper.make_node("Constant", [], ["c"], value=secret)
    if place == "branch":
        branch = helper.make_graph([node], "branch", [], [models.tensor_info("c", [1])])
        node = helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    graph = helper.make_graph([] if place == "function" else [node], "graph", [], [])
    model = helper.make_model(graph)
    if place == "function":
        model.functions.append(helper.make_function("local", "f", [], ["c"], [node], []))

    assert onnx_check.keeps_data_outside(model.SerializeToString())


@pytest.mark.parametrize("bits", [32, 35, 62])
def test_a_tag_of_more_than_32_bits_is_refused(bits: int) -> None:
    """The field 13 of a tensor, external_data, with a bit beyond those that parsers look at."""

    def varint(number: int) -> bytes:
        found = b""
        while number > 0x7F:
            found, number = found + bytes([number & 0x7F | 0x80]), number >> 7
        return found + bytes([number])

    def field(tag: int, content: bytes) -> bytes:
        return varint(tag) + varint(len(content)) + content

    tensor = field(13 << 3 | 2 | 1 << bits, b"")
    graph = field(5 << 3 | 2, tensor)
    with pytest.raises(onnx_check.NotOnnxError):
        onnx_check.keeps_data_outside(field(7 << 3 | 2, graph))
    plain = field(7 << 3 | 2, field(5 << 3 | 2, field(13 << 3 | 2, b"")))
    assert onnx_check.keeps_data_outside(plain)


def test_a_model_that_takes_10_gb_when_it_is_loaded(tmp_path: Path) -> None:
    assert refusal(models.glutton(tmp_path / "model.onnx", 2_500_000_000, at_load=True)) == (
        "The model takes more than 1 GiB of memory to load and predict once."
    )


def test_a_model_that_takes_10_gb_when_it_predicts(tmp_path: Path) -> None:
    assert "more than 1 GiB of memory" in refusal(
        models.glutton(tmp_path / "model.onnx", 2_500_000_000, at_load=False)
    )


def test_a_model_without_end(tmp_path: Path) -> None:
    assert (
        refusal(models.endless(tmp_path / "model.onnx"), Limits(seconds=2))
        == "The model takes longer than 2 s to load and predict once."
    )


def test_a_model_that_sleeps_is_ended_by_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "sleeps.py"
    script.write_text("import time; time.sleep(600)")
    monkeypatch.setattr(onnx_check, "__file__", str(script))

    assert "longer than 1 s" in refusal(models.doubler(tmp_path / "model.onnx"), Limits(seconds=1))


def test_a_model_that_crashes_the_runtime_harms_only_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "crashes.py"
    script.write_text("import os; os.abort()")
    monkeypatch.setattr(onnx_check, "__file__", str(script))

    assert (
        refusal(models.doubler(tmp_path / "model.onnx"))
        == "The model crashes ONNX Runtime while it loads or predicts."
    )


def test_an_operator_that_onnx_runtime_does_not_know(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Frobnicate", ["x"], ["y"])],
        "g",
        [models.tensor_info("x", [1])],
        [models.tensor_info("y", [1])],
    )
    (tmp_path / "model.onnx").write_bytes(
        helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
        ).SerializeToString()
    )

    message = refusal(tmp_path / "model.onnx")

    assert message.startswith("ONNX Runtime does not take the model: This is an invalid model.")
    assert "Frobnicate" in message
    assert message.endswith(".")


def test_the_check_learns_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "hush")
    script = tmp_path / "tells.py"
    script.write_text(
        "import json, os; print(json.dumps({'error': 'refused', 'detail': ' '.join(os.environ)}))"
    )
    monkeypatch.setattr(onnx_check, "__file__", str(script))

    message = refusal(models.doubler(tmp_path / "model.onnx"))

    assert "OMP_NUM_THREADS" in message
    assert "SECRET_KEY" not in message


def test_the_check_reaches_no_network() -> None:
    code = """
import socket, sys
sys.path.insert(0, sys.argv[1])
import check
check.leave_networks()
with socket.create_server(("127.0.0.1", 0)) as server:
    print(socket.socket().connect_ex(server.getsockname()))
"""
    folder = str(Path(onnx_check.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, folder], capture_output=True, text=True, check=True
    )

    if done.stdout == "0\n":
        pytest.skip("the kernel gives this process no network namespace")
    assert int(done.stdout) == errno.ENETUNREACH


def test_a_file_is_checked_again_only_when_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = models.doubler(tmp_path / "model.onnx")
    first = check_file(path, SMALL)
    monkeypatch.setattr(onnx_file, "_ask", lambda *_: pytest.fail("asked again"))

    assert check_file(path, SMALL) is first
    monkeypatch.undo()
    models.adder(path)
    assert [spec.name for spec in check_file(path, SMALL).inputs] == ["a", "b"]


def test_it_knows_the_file_by_its_sha_256(tmp_path: Path) -> None:
    path = models.doubler(tmp_path / "model.onnx")

    assert sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()
