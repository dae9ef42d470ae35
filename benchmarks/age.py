"""How old is a frame when it reaches a viewer, and does memory stay flat? Prints both, for four
720p demo cameras on this machine.

    python -m benchmarks.age [--seconds 30] [--cameras 4] [--viewers 1]

Every camera is read by the QR and the motion model, so the processor is as busy as a real wall
makes it. The age is from the moment the frame left the camera's decoder to the moment the viewer
has it in hand. In the same run the same frames are read straight from Kafka: what the web stage
adds is the ratio of the two.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import struct
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import confluent_kafka
import websockets

from benchmarks.processes import MIB, processor_seconds, quantiles, slope
from sightline.worker.worker import resident_bytes
from tests.servers.stack import Stack

PROCESSES = ("broker", "web", "capture", "infer", "imprint", "records", "jobs")
WARM_UP_SECONDS = 10.0
SAMPLE_SECONDS = 5.0


@dataclass(slots=True)
class AgeTally:
    """What was seen: frame ages in ms, and predictions by model with their ages."""

    ages: list[float] = field(default_factory=list)
    predictions: dict[str, list[float]] = field(default_factory=dict)


async def view(
    stack: Stack, cookies: str, cameras: Sequence[str], tally: AgeTally, until: float
) -> None:
    """One viewer: watches all cameras, acknowledges every frame at once, notes ages until the
    monotonic time ``until``.
    """
    headers = {"Cookie": cookies, "Origin": stack.url}
    async with websockets.connect(
        f"ws://localhost:{stack.port}/ws/wall/", additional_headers=headers, max_size=None
    ) as socket:
        for camera in cameras:
            await socket.send(
                json.dumps({"type": "watch", "camera": camera, "fps": 10, "width": 1280})
            )
        while (left := until - time.monotonic()) > 0:
            try:
                message = await asyncio.wait_for(socket.recv(), left)
            except TimeoutError:
                return
            now = time.time_ns()
            if isinstance(message, bytes):
                (length,) = struct.unpack(">I", message[:4])
                header = json.loads(message[4 : 4 + length])
                tally.ages.append((now - header["captured_at"]) / 1e6)
                await socket.send(
                    json.dumps({"type": "ack", "camera": header["camera"], "seq": header["seq"]})
                )
            else:
                note(json.loads(message), tally, now)


def note(message: dict[str, object], tally: AgeTally, now: int) -> None:
    """Note a prediction's age."""
    if message["type"] == "predictions":
        frame = message["frame"]
        assert isinstance(frame, dict)
        tally.predictions.setdefault(str(message["model"]), []).append(
            (now - frame["captured_at"]) / 1e6
        )


def read_kafka(stack: Stack, cameras: Sequence[str], ages: list[float], until: float) -> None:
    """The rival in the same run: a bare consumer of the same frames, without the web stage."""
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": stack.bootstrap,
            "group.id": "benchmark",
            "fetch.wait.max.ms": 5,
            "socket.nagle.disable": True,
        }
    )
    consumer.assign(
        [
            confluent_kafka.TopicPartition(
                f"sightline.cameras.{camera}.frames", 0, confluent_kafka.OFFSET_END
            )
            for camera in cameras
        ]
    )
    while time.monotonic() < until:
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            headers = dict(message.headers() or ())
            captured_at = int(headers["captured_at"] or 0)
            ages.append((time.time_ns() - captured_at) / 1e6)
    consumer.close()


async def sample(stack: Stack, samples: list[dict[str, int]], until: float) -> None:
    """Note the memory of all processes every few seconds."""
    while time.monotonic() < until:
        samples.append({name: resident_bytes(stack.pid(name)) for name in PROCESSES})
        await asyncio.sleep(SAMPLE_SECONDS)


async def measure(stack: Stack, cameras: Sequence[str], seconds: float, viewers: int) -> None:
    """Watch, then print."""
    operator = stack.operator()
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in operator.session.cookies)
    warm = time.monotonic() + WARM_UP_SECONDS
    await asyncio.gather(*(view(stack, cookies, cameras, AgeTally(), warm) for _ in range(viewers)))
    until = time.monotonic() + seconds
    tallies = [AgeTally() for _ in range(viewers)]
    direct: list[float] = []
    samples: list[dict[str, int]] = []
    before = {name: processor_seconds(stack.pid(name)) for name in PROCESSES}
    await asyncio.gather(
        asyncio.to_thread(read_kafka, stack, cameras, direct, until),
        sample(stack, samples, until),
        *(view(stack, cookies, cameras, tally, until) for tally in tallies),
    )
    used = {name: processor_seconds(stack.pid(name)) - before[name] for name in PROCESSES}
    report(tallies, direct, samples, used, seconds, len(cameras))


def report(
    tallies: Sequence[AgeTally],
    direct: Sequence[float],
    samples: Sequence[dict[str, int]],
    used: dict[str, float],
    seconds: float,
    cameras: int,
) -> None:
    """Print what was measured."""
    ages = [age for tally in tallies for age in tally.ages]
    rate = len(ages) / seconds / len(tallies)
    print(
        f"\n{cameras} cameras, {len(tallies)} viewers, {seconds:g} s, {len(ages)} frames seen,"
        f" {rate:.1f} a second a viewer"
    )
    print(f"frame age at the viewer      {quantiles(ages)}")
    print(
        f"frame age in a bare consumer {quantiles(direct)}   web stage / bare:"
        f" {sorted(ages)[len(ages) // 2] / sorted(direct)[len(direct) // 2]:.2f}"
    )
    for model, values in sorted(tallies[0].predictions.items()):
        print(
            f"prediction age, {model:<12} {quantiles(values)}  "
            f" {len(values) / seconds / cameras:.1f} a second a camera"
        )
    for name in PROCESSES:
        memory = [entry[name] / MIB for entry in samples]
        print(
            f"{name:<8} {used[name] / seconds * 100:5.1f} % of a core  {memory[-1]:6.1f} MiB "
            f" {slope(memory, SAMPLE_SECONDS):+7.1f} MiB/h"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--viewers", type=int, default=1)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="sightline-bench-") as folder,
        Stack(Path(folder)) as stack,
    ):
        cameras = ["conveyor", *(f"conveyor-{number}" for number in range(2, options.cameras + 1))]
        operator = stack.operator()
        for number, camera in enumerate(cameras[1:], start=2):
            operator.add_camera(camera, "demo", f"demo:conveyor?line={number}")
        for model in ("qr", "motion"):
            operator.extend_deployment(model, *cameras)
        asyncio.run(measure(stack, cameras, options.seconds, options.viewers))


if __name__ == "__main__":
    main()
