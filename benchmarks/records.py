"""How many records a second does a record stream answer? Prints it beside two rivals, measured in
the same run.

    python -m benchmarks.records [--records 100000] [--kafka HOST:PORT]

The first rival is the loop that most people write first: read a record, ask the model, send the
answer, wait until Kafka has it. The model costs nothing there, so that the loops alone are
compared. The second is the model's own bare loop, without Kafka, JSON and schema: what is left
of its speed when it answers a stream. That model keeps the processor for 100 µs a record. A turn
ends when Kafka has the last answer, which takes as long after few records as after many; so
there are many. Without --kafka the embedded broker serves, in a process of its own; exactly-once
needs a real one.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers.ports import free_port, is_listening
from tests.servers.process import Child

if TYPE_CHECKING:
    from inference.plans import RecordPlan

HOME = Path(__file__).resolve().parent.parent
NAIVE_SECONDS = 4.0
TURNS = 5
GOAL_NAIVE = 10.0
GOAL_BARE = 0.9
RECORD = {"sepal_length": 5.1, "sepal_width": 3, "petal_length": 1.4, "petal_width": 0.2}
SCHEMA = {
    "type": "object",
    "properties": {name: {"type": "number"} for name in RECORD},
    "required": list(RECORD),
}


def fill(model: str, records: int) -> None:
    """Put ``records`` records into the model's inputs."""
    from sightline.kafka import Admin, DeliveryReport, ReliableProducer, topics

    Admin().ensure(topics.record_topics(model, "1"))
    producer, report, topic = ReliableProducer(), DeliveryReport(), topics.inputs(model, "1").name
    for number in range(records):
        value = json.dumps({"id": number, **RECORD}).encode()
        while not producer.send(topic, value, b"key", [("source", b"benchmark")], 0, report):
            producer.poll(0.1)
    producer.close(60)
    assert report.left == 0, report.error


def stream(plan: RecordPlan, records: int) -> float:
    """Records a second, from the first one read to the last one acknowledged and committed."""
    from inference.runner.state import RunnerState
    from inference.streams.predict import RecordPredictor
    from inference.streams.stream import RecordStream

    stopping = threading.Event()
    predictor = RecordPredictor(plan, stopping)
    predictor.load()
    running = RecordStream(
        plan, predictor, RunnerState(plan.model, plan.version), stopping, "benchmark"
    )
    running.open()
    while not running.delivery.offsets:
        running.step(0.01)
        started = time.perf_counter()
        before = running.state.predicted
    while max(running.delivery.offsets.values()) < records:
        running.step(0.01)
    seconds = time.perf_counter() - started
    running.close()
    return (records - before) / seconds


def naive(model: str, predict: Callable[[dict[str, object]], dict[str, object]]) -> float:
    """Records a second of the loop that waits for each answer to be acknowledged."""
    from sightline.kafka import GroupConsumer, Producer, topics

    consumer = GroupConsumer("benchmark.naive", **{"auto.offset.reset": "earliest"})
    consumer.subscribe([topics.inputs(model, "1")])
    producer, outputs = Producer(acks="all"), topics.outputs(model, "1")
    count = 0
    started = time.perf_counter()
    while time.perf_counter() - started < NAIVE_SECONDS:
        record = consumer.poll(0.2)
        if record is None or record.value is None:
            continue
        if not count:
            started = time.perf_counter()
        producer.send(
            outputs,
            json.dumps(predict(json.loads(record.value))).encode(),
            key=record.key,
            headers=record.headers,
        )
        producer.flush(10)
        consumer.commit_offsets({(record.topic, record.partition): record.offset + 1})
        count += 1
    seconds = time.perf_counter() - started
    consumer.close()
    return count / seconds


def bare(predict: Callable[[dict[str, object]], dict[str, object]], records: int) -> float:
    """Records a second of the model alone."""
    inputs: list[dict[str, object]] = [{"id": number, **RECORD} for number in range(records)]
    started = time.perf_counter()
    for record in inputs:
        predict(record)
    return records / (time.perf_counter() - started)


def plan(model: str, name: str, *, exactly_once: bool = False) -> RecordPlan:
    """A model version of the tests' classes."""
    from inference.plans import RecordPlan

    return RecordPlan(
        model=model,
        version="1",
        runtime="python",
        options=json.dumps({"model": name}),
        input_schema=json.dumps(SCHEMA),
        exactly_once=exactly_once,
    )


def against_waiting(title: str, records: int, exactly_once: bool) -> bool:
    """The free model, beside the loop that waits; whether the goal is met."""
    from tests.models_for_tests import FreeModel

    fill(f"naive-{title}", min(records, 20_000))
    fill(f"free-{title}", records)
    slow = naive(f"naive-{title}", FreeModel().predict)
    fast = stream(plan(f"free-{title}", "free_model", exactly_once=exactly_once), records)
    print(
        f"{title:<12}  free model    {fast:9,.0f} records/s; waiting for each answer {slow:9,.0f}:"
        f" {fast / slow:5.1f} x (goal {GOAL_NAIVE:g})"
    )
    return fast >= GOAL_NAIVE * slow


def against_bare(title: str, records: int, exactly_once: bool) -> bool:
    """The 100 µs model, beside its bare loop; whether the goal is met. In turns, because other
    work on the machine slows down both.
    """
    from tests.models_for_tests import BusyModel

    ratios, speeds = [], []
    for turn in range(TURNS):
        name = f"busy-{title}-{turn}"
        fill(name, records // TURNS)
        alone = bare(BusyModel().predict, records // TURNS)
        speeds.append(stream(plan(name, "busy_model", exactly_once=exactly_once), records // TURNS))
        ratios.append(speeds[-1] * 2 / (alone + bare(BusyModel().predict, records // TURNS)))
    ratio = statistics.median(ratios)
    shown = ", ".join(f"{value:.2f}" for value in ratios)
    print(
        f"{title:<12}  100 µs model  {statistics.median(speeds):9,.0f} records/s; of the bare loop"
        f" {ratio:.2f} (goal {GOAL_BARE:g}; turns: {shown})"
    )
    return ratio >= GOAL_BARE


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--kafka", default="", help="a real Kafka instead of the embedded broker")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        os.environ |= {
            "DATA_DIR": folder,
            "DJANGO_SETTINGS_MODULE": "sightline.settings",
            "KAFKA_BOOTSTRAP_SERVERS": options.kafka or f"127.0.0.1:{port}",
            "KAFKA_EMBEDDED": "0" if options.kafka else "1",
            "TOPIC_PREFIX": f"benchmark{os.getpid()}",
            "PYTHON_MODELS": "tests.models_for_tests.FreeModel,tests.models_for_tests.BusyModel",
            "LOG_LEVEL": "WARNING",
        }
        import django

        django.setup()
        with Child(
            [sys.executable, "-m", "sightline.kafka.broker", str(port)],
            Path(folder) / "broker.log",
            cwd=HOME,
        ) as broker:
            broker.wait_until(lambda: is_listening(port))
            met = [
                against(title, options.records, title == "exactly-once")
                for title in (["every", "exactly-once"] if options.kafka else ["every"])
                for against in (against_waiting, against_bare)
            ]
    sys.exit(0 if all(met) else 1)


if __name__ == "__main__":
    main()
