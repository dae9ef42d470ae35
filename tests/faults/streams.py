"""What the fault tests feed themselves: models of records and of pictures, a camera whose
pictures they make up, and eyes on what becomes of it.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from typing import Any, Self

from sightline.kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Admin,
    Headers,
    KafkaUnavailable,
    PartitionReader,
    Producer,
    Record,
    topics,
)
from sightline.kafka.topics import Topic
from sightline.messages import Frame, WorkerStatus
from sightline.messages.json import MessageError
from tests.servers.stack import Stack
from tests.servers.waiting import wait_until
from tests.support import send_frame

DEPLOY = """
from cameras.models import Camera
from inference.models import Deployment, Model, ModelVersion
model = Model.objects.create(slug={slug!r}, name={slug!r}, partitions={partitions})
version = ModelVersion.objects.create(
    model=model, version="1", runtime={runtime!r}, options={options!r}
)
deployment = Deployment.objects.create(version=version, kind={kind!r}, delivery={delivery!r})
deployment.cameras.set(Camera.objects.filter(slug__in={cameras!r}))
"""
WITHDRAW = """
from inference.models import Deployment, Model
Deployment.objects.filter(version__model__slug={slug!r}).delete()
Model.objects.filter(slug={slug!r}).delete()
"""


@contextmanager
def deployed(
    stack: Stack, slug: str, runtime: str, options: dict[str, object], *cameras: str
) -> Iterator[None]:
    """A model that looks at cameras, for the length of the block."""
    values = {
        "slug": slug,
        "runtime": runtime,
        "options": options,
        "partitions": 1,
        "kind": "pictures",
        "delivery": "latest",
        "cameras": cameras,
    }
    stack.shell(DEPLOY.format(**values))
    try:
        yield
    finally:
        stack.shell(WITHDRAW.format(slug=slug))


class Tail:
    """Follows all partitions of a topic in a thread of its own; `seen` has each record with the
    moment (monotonic) at which it came.
    """

    def __init__(self, topic: Topic, offset: int = OFFSET_BEGINNING) -> None:
        self.topic = topic
        self.offset = offset
        self.seen: list[tuple[float, Record]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"tail-{topic.name}", daemon=True)

    def _run(self) -> None:
        admin, consumer = Admin(), PartitionReader()
        admin.ensure([self.topic])
        for partition in range(admin.partitions()[self.topic.name]):
            consumer.watch(self.topic, partition, self.offset)
        while not self._stopping.is_set():
            if (record := consumer.poll(0.1)) is not None:
                self.seen.append((time.monotonic(), record))
        consumer.close()

    @property
    def records(self) -> list[Record]:
        return [record for _, record in list(self.seen)]

    def first(
        self, wanted: Callable[[Record], object], timeout: float, what: str, since: float = 0.0
    ) -> tuple[float, Record]:
        """The first record that is wanted of those that came after `since`, and when it came;
        TimeoutError.
        """
        found: list[tuple[float, Record]] = []

        def look() -> bool:
            found[:] = [
                (at, record) for at, record in list(self.seen) if at > since and wanted(record)
            ][:1]
            return bool(found)

        wait_until(look, timeout, what)
        return found[0]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping.set()
        self._thread.join(10)


class Stream:
    """A model of records on the stack, with eyes on its outputs and dead letters, for the length
    of a `with` block.
    """

    def __init__(
        self,
        stack: Stack,
        slug: str,
        model: str = "",
        *,
        delivery: str = "every",
        partitions: int = 1,
        runtime: str = "python",
        options: Mapping[str, object] | None = None,
    ) -> None:
        """`model`: a class that the stack knows; or a runtime with its `options`."""
        self.stack = stack
        self.slug = slug
        self.values = {
            "slug": slug,
            "runtime": runtime,
            "options": dict(options or {"model": model}),
            "partitions": partitions,
            "kind": "records",
            "delivery": delivery,
            "cameras": (),
        }
        self.inputs, self.answers, self.errors = topics.record_topics(slug, "1", partitions)
        self.group = topics.records_group(slug, "1")
        self.partitions = partitions
        self.outputs, self.letters = Tail(self.answers), Tail(self.errors)
        self.producer = Producer(
            **{"message.max.bytes": 10_000_000, "acks": "all", "message.timeout.ms": 60_000}
        )
        self.admin = Admin()

    def send(
        self,
        value: object,
        *,
        key: str | bytes | None = None,
        headers: Headers = (),
        partition: int = 0,
    ) -> None:
        """Put a record into the inputs: bytes and None as they are, all else as JSON."""
        raw = value if isinstance(value, bytes | None) else json.dumps(value).encode()
        assert self.producer.send(
            self.inputs, raw, key=key, headers=headers, partition=partition
        ), self.producer.last_error

    def flush(self) -> None:
        assert self.producer.flush(30) == 0

    def end(self, topic: Topic) -> int:
        """The offset that comes next, of partition 0."""
        return self.admin.ends([(topic.name, 0)])[topic.name, 0]

    def stored(self) -> int:
        """Where the group goes on in partition 0; 0 before it has said so."""
        return self.admin.committed(self.group, [(self.inputs.name, 0)]).get(
            (self.inputs.name, 0), 0
        )

    def works(self, good: object, timeout: float = 60.0) -> None:
        """Wait until it answers."""
        self.send(good)
        wait_until(lambda: self.outputs.seen, timeout, f"{self.slug} to answer")

    def __enter__(self) -> Self:
        self.admin.ensure((self.inputs, self.answers, self.errors))
        self.stack.shell(DEPLOY.format(**self.values))
        self.outputs.__enter__()
        self.letters.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.letters.__exit__()
        self.outputs.__exit__()
        self.stack.shell(WITHDRAW.format(slug=self.slug))


FED = """
from cameras.models import Camera
Camera.objects.get_or_create(slug="fed", defaults={{"name": "Fed", "kind": "rtsp", "url": "rtsp://127.0.0.1:{port}/live"}})
"""


class FedCamera:
    """A camera at an address where nobody is: what comes from it is what the test sends."""

    slug = "fed"

    def __init__(self, stack: Stack, port: int) -> None:
        """`port`: one where nobody listens."""
        stack.shell(FED.format(port=port))
        self.producer = Producer()
        self.topic = topics.frames(self.slug)
        self.seq = 0
        Admin().ensure(topics.camera_topics(self.slug, imprint=False))

    def send(self, jpeg: bytes, width: int = 64, height: int = 36) -> int:
        """A frame as a capture worker sends it; its number."""
        self.seq += 1
        send_frame(self.producer, Frame(self.slug, self.seq, time.time_ns(), width, height, jpeg))
        self.producer.flush(10)
        return self.seq

    def send_raw(self, value: bytes | None, headers: dict[str, bytes]) -> None:
        """A record that no capture worker would send."""
        assert self.producer.send(self.topic, value, key=self.slug, headers=headers)
        self.producer.flush(10)


class Reports:
    """What the workers report of themselves, from now on."""

    def __init__(self) -> None:
        self.tail = Tail(topics.status(), OFFSET_END)

    def workers(self, role: str, since: float = 0.0) -> list[tuple[float, WorkerStatus]]:
        """The reports of a role's workers, oldest first."""
        found = []
        for at, record in list(self.tail.seen):
            if (
                at > since
                and (record.key or b"").startswith(f"worker/{role}-".encode())
                and record.value
            ):
                with suppress(MessageError):
                    found.append((at, WorkerStatus.from_json(record.value)))
        return found

    def wait_for(
        self,
        role: str,
        wanted: Callable[[WorkerStatus], object],
        timeout: float,
        since: float = 0.0,
    ) -> tuple[float, WorkerStatus]:
        """The first report of a role's worker that is wanted, and when it came; TimeoutError."""

        def look() -> list[tuple[float, WorkerStatus]]:
            return [(at, status) for at, status in self.workers(role, since) if wanted(status)]

        return wait_until(look, timeout, f"a report of {role}")[0]

    def __enter__(self) -> Self:
        self.tail.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.tail.__exit__()


def longest_gap(moments: Sequence[float], start: float, end: float) -> float:
    """The longest time without any of the moments, between `start` and `end`."""
    return max(
        later - sooner
        for sooner, later in pairwise(
            [start, *(moment for moment in sorted(moments) if start < moment < end), end]
        )
    )


def answers_again(ask: Callable[[], Any], since: float, timeout: float, what: str) -> float:
    """Seconds from `since` until `ask` gives something true; Kafka that is away counts as
    nothing.
    """

    def look() -> object:
        try:
            return ask()
        except KafkaUnavailable:
            return None

    wait_until(look, timeout, what)
    return time.monotonic() - since
