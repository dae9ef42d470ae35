"""What is new is read on while the group makes its members wait, on a real Apache Kafka."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from sightline.kafka import Admin, LatestConsumer, Producer, topics
from tests.servers.kafka import KafkaServer
from tests.servers.waiting import wait_until

pytestmark = pytest.mark.slow
DOCK = topics.frames("dock")
OURS = [(DOCK.name, 0)]


class Camera:
    """Numbers, twenty a second, as long as its block lasts."""

    def __init__(self) -> None:
        self.sent = 0

    @contextmanager
    def sending(self) -> Iterator[None]:
        ended = threading.Event()
        thread = threading.Thread(target=self._send, args=[ended])
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _send(self, ended: threading.Event) -> None:
        producer = Producer()
        for number in itertools.count(1):
            if ended.wait(0.05):
                return
            producer.send(DOCK, str(number).encode())
            producer.poll()
            self.sent = number


def test_after_an_outage_new_records_come_before_the_group_is_whole_again(
    server: KafkaServer, caplog: pytest.LogCaptureFixture
) -> None:
    Admin().ensure([DOCK])
    told: list[tuple[str, object]] = []
    camera, member = Camera(), LatestConsumer("group")
    member.follow(
        [DOCK],
        on_assign=lambda them: told.append(("assigned", list(them))),
        on_revoke=lambda them: told.append(("revoked", list(them))),
    )

    def newer(number: int) -> bool:
        record = member.poll(0.1)
        return record is not None and int(record.value or b"0") > number

    def lost() -> bool:
        assert not newer(camera.sent)
        return "reading on without it" in caplog.text

    with caplog.at_level("INFO", "sightline.kafka.latest_consumer"), camera.sending():
        wait_until(partial(newer, 0), 30, "a record")
        server.kill()
        wait_until(lost, 30, "the member to notice that the group has lost it")
        server.start()
        wait_until(partial(newer, camera.sent), 30, "a record sent after the broker was back")
        alone = list(told)
        wait_until(lambda: newer(0) and len(told) > 1, 30, "the group to be whole again")
        wait_until(partial(newer, camera.sent), 30, "a record that is read in the group")
    member.close()

    assert alone == [("assigned", OURS)]
    assert told == [("assigned", OURS), ("revoked", OURS), ("assigned", OURS), ("revoked", OURS)]
