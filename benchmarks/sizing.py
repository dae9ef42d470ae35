"""What does a camera cost? Processor time, memory and bytes of each process for a 720p RTSP camera:
the figures of docs/deploy.md.

    python -m benchmarks.sizing [--cameras 4] [--seconds 20]

Real H.264 (a photograph that moves, 25 fps) from a real RTSP server is captured at 5 and at 10
fps; then one viewer watches all cameras at full width; then a model looks at them. Each cost is
what a process uses with it less what it used without it. It is given for each picture, too: a
busy machine takes fewer pictures, but not much less time for each. Afterwards: how long the
questions to the database take that are asked again and again.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import confluent_kafka
import numpy as np
import skimage.data

from benchmarks.age import AgeTally, view
from benchmarks.processes import MIB, processor_seconds
from sightline.worker.worker import resident_bytes
from tests.servers.rtsp import RtspServer
from tests.servers.stack import Stack
from tests.servers.video import Rgb, write_video

PROCESSES = ("broker", "web", "capture", "infer", "imprint", "jobs")
WIDTH, HEIGHT = 1280, 720
WARM_UP_SECONDS = 6.0
MODELS = ("motion", "qr")
MANY = (100, 1000, 10_000)
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Use:
    """Of one process: the share of a core, and resident bytes."""

    share: float
    memory: int


@dataclass(frozen=True, slots=True)
class Period:
    """What was used, and the pictures and predictions a second that were written meanwhile."""

    uses: dict[str, Use]
    pictures: float
    predictions: float

    def show(self, title: str, process: str, before: Period, rate: float, cameras: int) -> None:
        """Print what a process uses more than before, for each of ``rate`` pictures a second and
        for each camera.
        """
        now, then = self.uses[process], before.uses[process]
        each, memory = (
            (now.share - then.share) / rate * 1000,
            (now.memory - then.memory) / cameras / MIB,
        )
        print(
            f"{title:<36} {process:<8} {each:6.2f} ms each, {rate / cameras:5.1f} a second,"
            f" {memory:6.1f} MiB a camera",
            flush=True,
        )


class Meter:
    """Measures the processes of a stack, and counts what they write about its cameras."""

    def __init__(self, stack: Stack, seconds: float) -> None:
        self.stack = stack
        self.seconds = seconds
        self.consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": stack.bootstrap, "group.id": "benchmark"}
        )
        self.cameras: list[str] = []

    def period(self, meanwhile: Callable[[float], None] = time.sleep) -> Period:
        """Let some time pass, then measure."""
        meanwhile(WARM_UP_SECONDS)
        pids = {name: self.stack.pid(name) for name in PROCESSES}
        before, counted, started = (
            {name: processor_seconds(pid) for name, pid in pids.items()},
            self._counted(),
            time.monotonic(),
        )
        meanwhile(self.seconds)
        passed = time.monotonic() - started
        uses = {
            name: Use((processor_seconds(pid) - before[name]) / passed, resident_bytes(pid))
            for name, pid in pids.items()
        }
        pictures, predictions = (
            (now - then) / passed for now, then in zip(self._counted(), counted, strict=True)
        )
        return Period(uses, pictures, predictions)

    def _counted(self) -> tuple[int, int]:
        return self._ends("frames"), self._ends("predictions")

    def _ends(self, kind: str) -> int:
        topics = [
            confluent_kafka.TopicPartition(f"sightline.cameras.{camera}.{kind}", 0)
            for camera in self.cameras
        ]
        return sum(self.consumer.get_watermark_offsets(topic, timeout=10)[1] for topic in topics)


def moving_photograph(frames: int = 100) -> Iterator[Rgb]:
    """A photograph, repeated, that moves 2 pixels a frame: much to encode, as a street has."""
    portrait: Rgb = skimage.data.astronaut()  # type: ignore[no-untyped-call]
    wide = np.tile(portrait, (2, 4, 1))
    for number in range(frames):
        yield np.ascontiguousarray(wide[:HEIGHT, 2 * number : 2 * number + WIDTH])


def watching(stack: Stack, cameras: Sequence[str], tally: AgeTally) -> Callable[[float], None]:
    """One viewer of all cameras at full width."""
    cookies = "; ".join(
        f"{cookie.name}={cookie.value}" for cookie in stack.operator().session.cookies
    )
    return lambda seconds: asyncio.run(
        view(stack, cookies, cameras, tally, time.monotonic() + seconds)
    )


def measure(stack: Stack, url: str, count: int, seconds: float) -> None:
    """Add cameras, then a viewer, then models; print what each adds."""
    operator, meter = stack.operator(), Meter(stack, seconds)
    operator.change_camera("conveyor", enabled=None)
    empty = meter.period()
    print(
        "without cameras: "
        + ", ".join(
            f"{name} {use.share * 100:.1f} % of a core {use.memory / MIB:.0f} MiB"
            for name, use in empty.uses.items()
        )
    )
    meter.cameras = [f"gate-{number}" for number in range(1, count + 1)]
    for camera in meter.cameras:
        operator.add_camera(camera, "rtsp", url, fps="5")
    alone = meter.period()
    alone.show("a picture captured, camera at 5 fps", "capture", empty, alone.pictures, count)
    for camera in meter.cameras:
        operator.change_camera(camera, fps="10")
    alone = meter.period()
    alone.show("a picture captured, camera at 10 fps", "capture", empty, alone.pictures, count)
    tally = AgeTally()
    watched = meter.period(watching(stack, meter.cameras, tally))
    watched.show(
        "a picture sent to one viewer",
        "web",
        alone,
        len(tally.ages) / (seconds + WARM_UP_SECONDS),
        count,
    )
    for model in MODELS:
        operator.extend_deployment(model, *meter.cameras)
        now = meter.period()
        now.show(f"a picture that {model} looks at", "infer", alone, now.predictions, count)
        operator.extend_deployment(model, "conveyor")
    history = operator.get(f"/cameras/{meter.cameras[0]}/history.json?minutes=2").json()["capture"]
    rates = [(kbps, fps) for kbps, fps in zip(history["kbps"], history["fps"], strict=True) if fps]
    print(
        f"a picture has {sum(kbps for kbps, _ in rates) / sum(fps for _, fps in rates) / 8:.0f} kB",
        flush=True,
    )


def questions(folder: Path, counts: Sequence[int]) -> None:
    """How long the questions take that each worker, and the jobs, ask of the database; SQLite in
    memory, so that only the work itself counts.
    """
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "sightline.settings",
        "DATABASE_URL": "sqlite://:memory:",
        "DATA_DIR": str(folder / "own"),
    }
    import django

    django.setup()
    from django.core.management import call_command

    from cameras import health
    from cameras.models import Camera
    from inference.models import Deployment, Model, ModelVersion
    from inference.plans import frame_plans

    def record_states() -> None:
        health.record(Camera.objects.only("slug", "enabled"), {})

    call_command("migrate", verbosity=0)
    version = ModelVersion.objects.create(
        model=Model.objects.create(slug="motion", name="Motion"),
        version="1",
        runtime="builtin-motion",
    )
    deployment = Deployment.objects.create(version=version)
    asked: dict[str, Callable[[], object]] = {
        "each capture worker, every 2 s": lambda: list(Camera.objects.all()),
        "each infer worker, every second": frame_plans,
        "the jobs, every 10 s": record_states,
    }
    for count in counts:
        Camera.objects.all().delete()
        Camera.objects.bulk_create(
            Camera(slug=f"gate-{n}", name=f"Gate {n}", url=f"rtsp://192.168.1.20/{n}")
            for n in range(count)
        )
        deployment.cameras.set(Camera.objects.all())
        print(
            f"{count} cameras: "
            + ", ".join(
                f"{name} {least(question) * 1000:.1f} ms" for name, question in asked.items()
            ),
            flush=True,
        )


def least(question: Callable[[], object]) -> float:
    """The least processor time in seconds that it took."""
    seconds = []
    for _ in range(ROUNDS):
        started = time.process_time()
        question()
        seconds.append(time.process_time() - started)
    return min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as scratch:
        folder = Path(scratch)
        video = write_video(folder / "photograph.mp4", moving_photograph())
        with RtspServer(video, log=folder / "rtsp.log") as camera, Stack(folder) as stack:
            measure(stack, camera.url, options.cameras, options.seconds)
        questions(folder, MANY)


if __name__ == "__main__":
    main()
