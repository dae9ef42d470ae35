from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from pytest_django import Settings

from cameras.models import Camera
from inference.models import ModelVersion
from inference.runtimes.errors import InferenceError
from sightline.kafka import reader, topics
from tests.inference.deadletters.conftest import Graveyard
from tests.support import reading

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> list[str]:
    """The lines that the command prints."""
    out = io.StringIO()
    call_command("deadletters", *arguments, stdout=out)
    return out.getvalue().splitlines()


def test_list_prints_a_line_for_each_newest_first(
    graveyard: Graveyard, second: ModelVersion
) -> None:
    graveyard.record(b"{}")
    graveyard.record(
        b"{", InferenceError("line one\nline two \x1b[31mred", permanent=True), attempt=2
    )
    lines = [line.split("\t") for line in run("list", "iris@1")]
    assert [(line[0], line[1], line[3], line[4]) for line in lines] == [
        ("1", "0:1", "2", "InferenceError"),
        ("1", "0:0", "1", "InferenceError"),
    ]
    assert lines[0][5] == "line one line two  [31mred", "a terminal is told nothing by strangers"
    assert lines[0][6] == f"{topics.inputs('iris', '1').name} 0:1"
    assert len(run("list", "iris")) == 2, "all versions"
    assert run("list", "iris@2") == []
    assert len(run("list", "iris@1", "--limit", "1")) == 1


def test_list_prints_json_lines(graveyard: Graveyard) -> None:
    graveyard.record(b'{"a":1}')
    graveyard.record(b"\xff", key=None)
    newest, oldest = (json.loads(line) for line in run("list", "iris@1", "--json"))
    assert (newest["kind"], newest["size"], newest["key"]) == ("bytes", 1, None)
    assert (oldest["offset"], oldest["key"], oldest["kind"]) == (0, "flower-7", "json")
    assert json.loads(oldest["text"]) == {"a": 1}
    assert oldest["origin"]["topic"] == topics.inputs("iris", "1").name


def test_retry_sends_the_named_ones(graveyard: Graveyard) -> None:
    for number in range(3):
        graveyard.record(b"%d" % number)
    assert [line.split("\t")[:2] for line in run("retry", "iris@1", "--offset", "2", "0:0")] == [
        ["0:2", "retried"],
        ["0:0", "retried"],
    ]
    with reading(topics.inputs("iris", "1")) as inputs:
        assert [record.value for record in inputs.wait(2)] == [b"2", b"0"]


def test_retry_all_leaves_out_what_was_retried(graveyard: Graveyard, second: ModelVersion) -> None:
    for number in range(3):
        graveyard.record(b"%d" % number)
    run("retry", "iris@1", "--offset", "1")
    assert len(run("retry", "iris@1", "--all", "--version", "2")) == 2
    assert run("retry", "iris@1", "--all") == []
    with reading(topics.inputs("iris", "2")) as inputs:
        assert [record.value for record in inputs.wait(2)] == [b"0", b"2"]


def test_retry_all_gives_each_input_back_once(
    graveyard: Graveyard, capsys: pytest.CaptureFixture[str]
) -> None:
    for value in (b"a", b"b", b"b"):  # two inputs are alike
        graveyard.record(value)
    graveyard.record(b"a", attempt=2)
    graveyard.record(b"a", attempt=3)
    graveyard.record(b"b", attempt=2)
    graveyard.written -= 1  # the same one, read again
    graveyard.record(b"b", attempt=2)

    assert [line.split("\t")[0] for line in run("retry", "iris@1", "--all")] == [
        "0:2",
        "0:4",
        "0:6",
    ]
    assert (
        capsys.readouterr().err
        == "3 retried, 0 failed. 2 of them had come back from a retry before.\n"
    )
    with reading(topics.inputs("iris", "1")) as inputs:
        assert [
            (record.value, record.header_map["dlt-delivery-attempt"]) for record in inputs.wait(3)
        ] == [(b"b", b"2"), (b"a", b"4"), (b"b", b"3")]


def test_a_retry_that_fails_has_a_status(graveyard: Graveyard, dock: Camera) -> None:
    graveyard.frame(jpeg=b"no picture")
    out = io.StringIO()
    ModelVersion.objects.update(options={"name": "eye", "odd": 1})
    with pytest.raises(CommandError, match="1 could not be retried"):
        call_command("deadletters", "retry", "iris@1", "--all", stdout=out)
    assert out.getvalue().startswith("0:0\tfailed\tThe model does not load.")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list", "nothing"], "There is no model nothing"),
        (["list", "iris@9"], "There is no model iris@9"),
        (["list", "iris@"], "There is no model iris@"),
        (["retry", "iris", "--all"], "Which version"),
        (["retry", "iris@1"], "required"),
        (["retry", "iris@1", "--all", "--offset", "1"], "not allowed"),
        (["retry", "iris@1", "--offset", "x"], "invalid"),
        (["retry", "iris@1", "--offset", "7"], "no dead letter at 0:7"),
        (["retry", "iris@1", "--all", "--version", "9"], "There is no model iris@9"),
    ],
)
def test_what_is_wrong_is_said(graveyard: Graveyard, arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run(*arguments)


@pytest.mark.parametrize("arguments", [["list", "iris"], ["retry", "iris@1", "--all"]])
def test_kafka_away_is_said(
    graveyard: Graveyard, settings: Settings, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr(reader, "ASK_SECONDS", 0.3)
    settings.KAFKA_BOOTSTRAP_SERVERS = "127.0.0.1:9"
    with pytest.raises(CommandError, match="does not answer"):
        run(*arguments)


def test_who_has_read_enough_is_not_complained_to(
    graveyard: Graveyard, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Closed(io.StringIO):
        def write(self, text: Any) -> int:
            raise BrokenPipeError

    graveyard.record(b"{}")
    monkeypatch.setattr("os.dup2", lambda *_: None)
    call_command("deadletters", "list", "iris", stdout=Closed())
