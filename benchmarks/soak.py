"""Does Sightline stay as it is for as long as it runs? Memory, descriptors and threads of all its
processes, on a real Kafka, while it works.

    python -m benchmarks.soak [--seconds 1800] [--cameras 6]

Demo cameras, each seen by the QR and the motion model, one with boxes drawn into its stream; a
stream of records, of which some are none; a viewer who stays, viewers who come and go (some
without a farewell), pages that are looked at. The warm-up begins with a rush, as many visits as
in the hour after it: what visits leave behind in the web's memory, holes between what is used,
would otherwise be mistaken for growth while it finds its level. Every minute a line. At the end
the slopes after the warm-up. The promise: memory grows by less than 1 MiB an hour, descriptors
and threads stay as many as they are. Status 1 when a process grows, or ended.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import confluent_kafka
import websockets

from benchmarks.age import AgeTally, view
from benchmarks.growth import HEADING, Course, Held, Judgement
from benchmarks.processes import MIB, quantile
from tests.servers.kafka import KafkaServer
from tests.servers.stack import Operator, Stack

PROCESSES = ("web", "capture", "infer", "imprint", "records", "jobs")
# Processes give memory back once a minute and take it again in seconds: what they hold in between
# is read often enough to be seen.
SAMPLE_SECONDS = 1.0
WARM_UP_SECONDS = 300.0
VISITORS, VISIT_SECONDS = 2, 15.0
RUSH_VISITORS, RUSH_VISIT_SECONDS, RUSH_SECONDS = 6, 2.0, 240.0
RECORDS_A_SECOND = 20
POISON_EVERY = 50
IMPRINTED = "conveyor"
PAGES = (
    "/",
    "/cameras/conveyor/",
    "/models/",
    "/models/qr/",
    "/system/",
    "/system/state.json",
    "/cameras/conveyor/snapshot.jpg",
    "/admin/",
)
INPUTS, OUTPUTS, ERRORS = (
    f"sightline.models.free.1.{kind}" for kind in ("inputs", "outputs", "errors")
)
RECORD_STREAM = """
from inference.models import Deployment, Model, ModelVersion
model = Model.objects.create(slug="free", name="Free")
options = {"model": "free_model"}
version = ModelVersion.objects.create(model=model, version="1", runtime="python", options=options)
Deployment.objects.create(version=version, kind="records", delivery="every")
"""


class Records:
    """Sends records to the model, some of which are none, and counts what comes back."""

    def __init__(self, bootstrap: str) -> None:
        self.producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "acks": "all"})
        self.consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": bootstrap, "group.id": "soak"}
        )
        self.sent = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._send, name="records", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _send(self) -> None:
        while not self._ended.wait(1 / RECORDS_A_SECOND):
            self.sent += 1
            self.producer.produce(
                INPUTS,
                b"{" if self.sent % POISON_EVERY == 0 else json.dumps({"id": self.sent}).encode(),
            )
            self.producer.poll(0)

    def answered(self) -> int:
        """Outputs and dead letters so far."""
        ends = [
            self.consumer.get_watermark_offsets(
                confluent_kafka.TopicPartition(topic, 0), timeout=10
            )[1]
            for topic in (OUTPUTS, ERRORS)
        ]
        return sum(ends)

    def stop(self) -> None:
        """Send no more, and wait until Kafka has all."""
        self._ended.set()
        self._thread.join()
        self.producer.flush(20)

    def settle(self, seconds: float) -> int:
        """How many have no answer after so long."""
        until = time.monotonic() + seconds
        while (left := self.sent - self.answered()) > 0 and time.monotonic() < until:
            time.sleep(0.2)
        return left


@dataclass(slots=True)
class Crowd:
    """The viewers: the one who stays, and what became of those who come and go."""

    stack: Stack
    operator: Operator
    cameras: Sequence[str]
    until: float
    tally: AgeTally = field(default_factory=AgeTally)
    visits: int = 0
    breaks: int = 0

    @property
    def cookies(self) -> str:
        return "; ".join(
            f"{cookie.name}={cookie.value}" for cookie in self.operator.session.cookies
        )

    async def stay(self) -> None:
        """Watch all cameras to the end; a connection that breaks off is counted and made again."""
        while time.monotonic() < self.until:
            try:
                await view(self.stack, self.cookies, self.cameras, self.tally, self.until)
            except (websockets.WebSocketException, OSError):
                self.breaks += 1
                await asyncio.sleep(1)

    async def come_and_go(self, rush: float) -> None:
        """Visitors for a while each, many of them for the first ``rush`` seconds."""
        rush_until = time.monotonic() + rush
        await asyncio.gather(
            *(self._visit(RUSH_VISIT_SECONDS, rush_until) for _ in range(RUSH_VISITORS))
        )
        await asyncio.gather(*(self._visit(VISIT_SECONDS, self.until) for _ in range(VISITORS)))

    async def _visit(self, longest: float, until: float) -> None:
        """One visitor after the other: a few cameras on a wall, one as a stream, or pages."""
        kinds = (self._wall, self._stream, self._pages)
        while (left := until - time.monotonic()) > 1:
            seconds = min(left, random.uniform(1, longest))
            try:
                await kinds[self.visits % len(kinds)](time.monotonic() + seconds)
            except (websockets.WebSocketException, OSError):
                self.breaks += 1
                await asyncio.sleep(1)
            self.visits += 1

    async def _wall(self, until: float) -> None:
        await view(
            self.stack,
            self.cookies,
            random.sample(self.cameras, random.randint(1, len(self.cameras))),
            AgeTally(),
            until,
        )

    async def _stream(self, until: float) -> None:
        """A stream that is torn off: the connection is reset."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.stack.port)
        camera = random.choice(self.cameras)
        overlay = random.randint(0, 1) if camera == IMPRINTED else 0
        path = f"/cameras/{camera}/stream.mjpg?overlay={overlay}"
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: localhost:{self.stack.port}\r\nCookie:"
            f" {self.cookies}\r\n\r\n".encode()
        )
        reply = await reader.readline()
        if b" 200 " not in reply:
            raise RuntimeError(f"{path}: {reply.decode().strip()}")
        while time.monotonic() < until and await reader.read(64 * 1024):
            pass
        writer.transport.abort()

    async def _pages(self, until: float) -> None:
        for page in PAGES:
            await asyncio.to_thread(self.operator.get, page)
            await asyncio.sleep(max(0.0, min(1.0, until - time.monotonic())))


class Soak:
    """The processes and their courses."""

    def __init__(self, stack: Stack, kafka: KafkaServer, records: Records, crowd: Crowd) -> None:
        self.stack, self.kafka, self.records, self.crowd = stack, kafka, records, crowd
        self.pids = self._pids()
        self.courses = {name: Course() for name in self.pids}
        self.ended: list[str] = []
        self.started = time.monotonic()

    def _pids(self) -> dict[str, int]:
        return {
            "up": self.stack.child.pid,
            **{name: self.stack.pid(name) for name in PROCESSES},
            "kafka": self.kafka.pid,
        }

    async def sample(self) -> None:
        """Note what the processes hold; one that was replaced is noted as ended, and its course
        begins anew.
        """
        due = 1
        while (now := time.monotonic()) < self.crowd.until:
            for name, pid in self._pids().items():
                if pid != self.pids[name]:
                    self.ended.append(f"{name} {self.pids[name]}")
                    self.pids[name], self.courses[name] = pid, Course()
                try:
                    self.courses[name].seen.append((now - self.started, Held.by(pid)))
                except OSError:
                    continue  # it has just ended: the next round knows its successor
            if now - self.started >= due * 60:
                due += 1
                await asyncio.to_thread(self._tell, due - 1)
            await asyncio.sleep(SAMPLE_SECONDS)

    def _tell(self, minute: int) -> None:
        ages, self.crowd.tally.ages = self.crowd.tally.ages, []
        self.crowd.tally.predictions.clear()
        memory = "  ".join(
            f"{name} {course.seen[-1][1].own / MIB:.0f}"
            for name, course in self.courses.items()
            if course.seen
        )
        age = (
            f"{len(ages) / 60:.0f} frames/s, p95 {quantile(ages, 95):.0f} ms"
            if ages
            else "no frames"
        )
        answered = f"{self.records.answered():,} of {self.records.sent:,} records"
        visits = (
            f"{self.crowd.visits} visits, {self.crowd.breaks} broken off, {len(self.ended)}"
            " processes ended"
        )
        print(f"{minute:>3} min  {age}; {answered}; {visits}; MiB: {memory}", flush=True)

    def judged(self, warm_up: float) -> bool:
        """Print the slopes; whether nothing grows and nothing ended. Kafka's own memory is its
        own affair.
        """
        print(f"\nafter {warm_up:.0f} s of warm-up, the lowest value of each minute:\n{HEADING}")
        well = not self.ended
        for name, course in self.courses.items():
            judgement = Judgement.of(name, course, warm_up)
            print(judgement.line if judgement else f"{name:<10} too few minutes")
            well = well and (judgement is None or judgement.verdict != "GROWS" or name == "kafka")
        for ended in self.ended:
            print(f"ENDED on its own: {ended}")
        return well


def prepare(stack: Stack, operator: Operator, count: int) -> list[str]:
    """Cameras and models."""
    cameras = [IMPRINTED, *(f"conveyor-{number}" for number in range(2, count + 1))]
    for number, camera in enumerate(cameras[1:], start=2):
        operator.add_camera(camera, "demo", f"demo:conveyor?line={number}")
    operator.change_camera(IMPRINTED, imprint="on")
    for model in ("qr", "motion"):
        operator.extend_deployment(model, *cameras)
    stack.shell(RECORD_STREAM)
    return cameras


async def work(soak: Soak, rush: float) -> None:
    await asyncio.gather(soak.crowd.stay(), soak.crowd.come_and_go(rush), soak.sample())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--cameras", type=int, default=6)
    options = parser.parse_args()
    warm_up = min(WARM_UP_SECONDS, options.seconds / 3)
    models = {"PYTHON_MODELS": "tests.models_for_tests.FreeModel"}
    with tempfile.TemporaryDirectory(prefix="sightline-soak-") as name:
        folder = Path(name)
        with (
            KafkaServer(folder / "kafka", folder / "kafka.log") as kafka,
            Stack(folder, kafka=kafka.bootstrap, environment=models) as stack,
        ):
            operator = stack.operator()
            cameras = prepare(stack, operator, options.cameras)
            records = Records(kafka.bootstrap)
            records.start()
            soak = Soak(
                stack,
                kafka,
                records,
                Crowd(stack, operator, cameras, time.monotonic() + options.seconds),
            )
            asyncio.run(work(soak, RUSH_SECONDS * warm_up / WARM_UP_SECONDS))
            records.stop()
            unanswered = records.settle(20)
            well = soak.judged(warm_up)
            print(f"{records.sent:,} records sent, {unanswered} of them without an answer")
    sys.exit(0 if well and not unanswered else 1)


if __name__ == "__main__":
    main()
