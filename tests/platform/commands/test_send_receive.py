"""The tools as people use them: in pipes, as processes of their own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from django.core.management import CommandError, call_command

from sightline.kafka import Admin, PartitionReader, Producer, Record
from sightline.kafka.topics import Topic
from tests.conftest import HOME

JPEG = b"\xff\xd8\xff\xe0picture\x00\xff\xd9"

Run = Callable[..., "Done"]


class Done(NamedTuple):
    """What a command wrote."""

    stdout: bytes
    stderr: bytes


@pytest.fixture
def run(
    embedded: str, capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Runs a command in this process. ``status`` is the exit status that it must have."""

    def run(command: str, *arguments: object, stdin: bytes = b"", status: int = 0) -> Done:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsysbinary.readouterr()
        ended, why = 0, ""
        try:
            call_command(command, *map(str, arguments))
        except CommandError as err:
            ended, why = err.returncode, str(err)
        output, errors = capsysbinary.readouterr()
        assert ended == status, why
        return Done(output, errors + why.encode())

    return run


def manage(
    *command: object, embedded: str = "", stdin: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """A process of its own, as a shell runs it."""
    found = {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": embedded,
        "KAFKA_EMBEDDED": "1",
        **environment,
    }
    return subprocess.run(
        list(map(str, command)),
        input=stdin,
        env=found,
        cwd=HOME,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def topic(embedded: str, request: pytest.FixtureRequest) -> Topic:
    topic = Topic(f"tools.{abs(hash(request.node.nodeid))}")
    Admin().ensure([topic])
    return topic


def put(topic: Topic, *values: bytes | None, **record: object) -> None:
    producer = Producer()
    for value in values:
        producer.send(topic, value, **record)  # type: ignore[arg-type]
    assert producer.flush(10) == 0


def all_of(topic: Topic, count: int) -> list[Record]:
    consumer = PartitionReader()
    for partition in range(Admin().partitions()[topic.name]):
        consumer.watch(topic, partition, 0)
    found: list[Record] = []
    while len(found) < count:
        found += consumer.read(100, 5)
    consumer.close()
    return found


def test_lines_are_sent_with_key_and_headers(run: Run, topic: Topic) -> None:
    done = run(
        "send",
        topic.name,
        "--key",
        "k",
        "--header",
        "a=1",
        "--header",
        "b=x=y",
        stdin=b'{"id": 1}\r\n\n{"id": 2}',
    )

    records = all_of(topic, 2)
    assert [record.value for record in records] == [b'{"id": 1}', b'{"id": 2}']
    assert {(record.key, record.headers) for record in records} == {
        (b"k", (("a", b"1"), ("b", b"x=y")))
    }
    assert done.stdout == b""
    assert done.stderr.decode().strip() == f"2 records sent to {topic.name}"


def test_files_are_sent_by_line_or_whole(run: Run, topic: Topic, tmp_path: Path) -> None:
    (tmp_path / "lines").write_bytes(b"1\n2\n")
    (tmp_path / "picture.jpg").write_bytes(JPEG + b"\n")

    run("send", topic.name, tmp_path / "lines", "--partition", 0)
    run("send", topic.name, "--partition", 0, tmp_path / "picture.jpg", "--raw", tmp_path / "lines")

    assert [record.value for record in all_of(topic, 4)] == [b"1", b"2", JPEG + b"\n", b"1\n2\n"]


def test_a_file_that_is_not_there_is_said(run: Run, topic: Topic, tmp_path: Path) -> None:
    done = run("send", topic.name, tmp_path / "none", status=1)
    assert b"none cannot be read: No such file or directory. 0 records were sent." in done.stderr


def test_a_misspelt_topic_is_not_made(run: Run) -> None:
    done = run("send", "no-such-topic", stdin=b"1\n", status=1)
    assert b"There is no topic no-such-topic." in done.stderr
    assert "no-such-topic" not in Admin().partitions()


def test_a_record_that_is_too_large_is_said(run: Run, topic: Topic) -> None:
    done = run("send", topic.name, "--raw", stdin=b"x" * 9_000_000, status=1)
    assert b"Record 1 cannot be sent" in done.stderr


def test_what_was_sent_is_received_through_a_pipe(run: Run, topic: Topic) -> None:
    lines = b"".join(b'{"id":%d}\n' % number for number in range(1000))
    run("send", topic.name, "--partition", 2, stdin=lines)

    done = run("receive", topic.name, "--from-beginning", "--count", 1000)

    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == list(range(1000))
    assert done.stderr == b""


def test_values_that_are_no_json_are_lines_of_json_all_the_same(run: Run, topic: Topic) -> None:
    put(topic, b"plain", None, JPEG, b"\x00\x01\xff", '{"ö": "é"}'.encode())

    done = run("receive", topic.name, "--from-beginning", "--count", 5)

    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        "plain",
        None,
        {"bytes": len(JPEG), "type": "jpg"},
        {"bytes": 3, "type": "bin"},
        {"ö": "é"},
    ]


def test_an_envelope_shows_all_of_a_record(run: Run, topic: Topic) -> None:
    put(
        topic,
        b'{"id": 1}',
        key=b"k\xff",
        headers=[("a", b"1"), ("a", b"2")],
        timestamp=1_700_000_000_123,
    )

    (line,) = run(
        "receive", topic.name, "--from-beginning", "--count", 1, "--envelope"
    ).stdout.splitlines()

    assert json.loads(line) == {
        "topic": topic.name,
        "partition": 0,
        "offset": 0,
        "timestamp": 1_700_000_000_123,
        "key": "k\\xff",
        "headers": [["a", "1"], ["a", "2"]],
        "value": {"id": 1},
    }


def test_records_are_received_from_a_moment_on(run: Run, topic: Topic) -> None:
    for hour, partition in ((10, 0), (11, 0), (12, 0), (9, 1), (13, 1)):
        put(
            topic,
            b"%d" % hour,
            partition=partition,
            timestamp=int(datetime(2026, 5, 1, hour, tzinfo=UTC).timestamp() * 1000),
        )

    done = run("receive", topic.name, "--since", "2026-05-01T11:00", "--count", 3)
    assert sorted(done.stdout.split()) == [b"11", b"12", b"13"]
    assert run("receive", topic.name, "--since", "2026-05-01T14:00", "--timeout", 0.5).stdout == b""


def test_raw_values_come_as_they_are(run: Run, topic: Topic) -> None:
    put(topic, b"one", b'{"id":  2}', JPEG)

    assert (
        run("receive", topic.name, "--offset", 0, "--count", 2, "--raw").stdout
        == b'one\n{"id":  2}\n'
    )
    assert (
        run("receive", topic.name, "--last", 1, "--partition", 0, "--count", 1, "--raw").stdout
        == JPEG
    )


def test_pictures_are_saved_to_files(run: Run, topic: Topic, tmp_path: Path) -> None:
    put(topic, JPEG, b"{}")

    done = run(
        "receive",
        topic.name,
        "--from-beginning",
        "--count",
        2,
        "--save",
        tmp_path / "new" / "folder",
    )

    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert Path(first["file"]).name == f"{topic.name}-0-0.jpg"
    assert Path(first["file"]).read_bytes() == JPEG
    assert second == {}


def test_a_timeout_ends_it_and_too_few_are_an_error(run: Run, topic: Topic) -> None:
    put(topic, b"1")

    assert run("receive", topic.name, "--from-beginning", "--timeout", 1).stdout == b"1\n"
    done = run("receive", topic.name, "--from-beginning", "--count", 2, "--timeout", 1, status=1)
    assert done.stdout == b"1\n"
    assert b"1 of 2 records came; none for 1 s." in done.stderr


def test_the_latest_are_those_that_come_from_now_on(run: Run, topic: Topic) -> None:
    put(topic, b"old")
    assert run("receive", topic.name, "--timeout", 0.5).stdout == b""


def test_in_pipes_there_is_nothing_but_data(embedded: str, topic: Topic, tmp_path: Path) -> None:
    send = f"printf '1\\n2\\n' | {sys.executable} manage.py send {topic.name}"
    receive = f"{sys.executable} manage.py receive {topic.name} --from-beginning --count 2"

    done = manage("bash", "-c", f"{send} && {receive}", embedded=embedded, DATA_DIR=str(tmp_path))

    assert sorted(done.stdout.splitlines()) == [b"1", b"2"]
    assert done.stderr.decode().splitlines() == [f"2 records sent to {topic.name}"]


def test_a_reader_that_goes_is_no_trouble(embedded: str, topic: Topic, tmp_path: Path) -> None:
    put(topic, *(b"x" * 1000 for _ in range(3000)))
    command = f"{sys.executable} manage.py receive {topic.name} --from-beginning | head -n 1"

    done = manage("bash", "-c", command, embedded=embedded, DATA_DIR=str(tmp_path))

    assert done.stdout == b'"' + b"x" * 1000 + b'"\n'
    assert done.stderr == b""


def test_a_missing_broker_is_said_plainly(tmp_path: Path) -> None:
    done = manage(
        sys.executable,
        "manage.py",
        "send",
        "x",
        stdin=b"1\n",
        DATA_DIR=str(tmp_path),
        KAFKA_EMBEDDED="",
    )
    assert done.returncode == 1
    assert b"start `manage.py up`, or set KAFKA_BOOTSTRAP_SERVERS" in done.stderr
    assert done.stdout == b""
