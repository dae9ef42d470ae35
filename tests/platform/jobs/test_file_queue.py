from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from celery import Celery
from kombu import Connection

from sightline.jobs.file_queue import Transport, WholeFileChannel

COUNT = 300


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    folders = {
        "data_folder_in": str(tmp_path),
        "data_folder_out": str(tmp_path),
        "control_folder": str(tmp_path / "control"),
    }
    with Connection("filesystem://", transport=Transport, transport_options=folders) as opened:
        yield opened


def test_the_platform_uses_it() -> None:
    from sightline.jobs.app import app

    assert isinstance(app, Celery)
    with app.connection_for_write() as opened:
        assert isinstance(opened.default_channel, WholeFileChannel)


def test_tasks_that_are_read_while_they_are_written_are_whole(connection: Connection) -> None:
    queue = connection.SimpleQueue("jobs")
    payload = {"text": "x" * 50_000}

    def send() -> None:
        for number in range(COUNT):
            queue.put({**payload, "number": number})

    sender = threading.Thread(target=send)
    sender.start()
    numbers = set()
    for _ in range(COUNT):
        message = queue.get(timeout=20)
        numbers.add(message.payload["number"])
        message.ack()
    sender.join()
    assert numbers == set(range(COUNT))
    queue.close()


def test_half_a_file_is_no_task(connection: Connection, tmp_path: Path) -> None:
    channel: Any = connection.default_channel
    put: Callable[[str, object], None] = channel._put
    put("jobs", {"number": 1})
    (tmp_path / "0_0.jobs.msg.part").write_text('{"number"')
    assert channel._get("jobs") == {"number": 1}
    with pytest.raises(Empty):
        channel._get("jobs")
