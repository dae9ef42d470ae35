"""Poison: records and frames that no model can take. Each costs itself, once, and nothing before
it is counted as done.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from sightline.kafka import Admin, Record, topics
from sightline.messages import ModelStatus, Prediction, WorkerStatus
from tests.faults.rig import Rig, last_for, since
from tests.faults.streams import FedCamera, Reports, Stream, Tail, deployed, longest_gap
from tests.faults.table import Row, Table
from tests.inference.pictures import blank, encode
from tests.inference.runtimes.servers.servers import Answer, Asked, RestServer, as_json
from tests.inference.runtimes.servers.test_kserve_rest import echo_json
from tests.inference.streams.flows import IRIS
from tests.servers.ports import free_port
from tests.servers.raw_records import send_raw
from tests.servers.waiting import wait_until

LETTER_SECONDS = 5.0
NEXT_SECONDS = 1.0
MAX_TRIES = 3
PATIENCE = 60
DLT_SECONDS = 15.0
LETTER_BYTES = 200_000
BRIGHT, DARK = encode(blank(320, 180, 200)), encode(blank(320, 180, 20))
HUGE = encode(blank(8192, 4400))
EXPECTED = (
    "3 tries at most, a dead letter, then the next one; the offset is stored only once Kafka has"
    " the letter"
)


@dataclass(frozen=True, slots=True)
class Poison:
    """What a stream cannot take, and what it can."""

    name: str
    stream: str
    bad: object
    good: object
    headers: tuple[tuple[bytes, bytes], ...] = ()


NOT_UTF8 = ((b"\xff\xfe", b"1"),)
POISONS = [
    Poison("truncated JPEG", "bright", BRIGHT[: len(BRIGHT) // 2], BRIGHT),
    Poison("empty value", "iris", None, IRIS),
    Poison("wrong schema", "iris", {"sepal_length": "long"}, IRIS),
    Poison("36 megapixels", "bright", HUGE, BRIGHT),
    Poison("larger than the limit", "iris", b"x" * 9_000_000, IRIS),
    Poison("NaN boxes", "nan", DARK, BRIGHT),
    Poison("wrong tensor shape", "tensors", {"x": [1.0]}, {"x": [1.0, 2.0]}),
    Poison("a number that is not finite", "iris", b'{"sepal_length": 1e999}', IRIS),
    Poison(
        "a header's name that is not UTF-8", "iris", b"{}", IRIS, headers=((b"\xff\xfe", b"1"),)
    ),
    Poison("BaseException", "hard", {"hard": True}, {"id": 1}),
    Poison("500 for this record alone", "roots", {"x": -1.0}, {"x": 9.0}),
]


def roots(asked: Asked) -> Answer:
    """A model server that fails on negative numbers."""
    if asked.path.endswith("/metadata"):
        return as_json({}, 404)
    if asked.method != "POST":
        return as_json({"model_version_status": [{"state": "AVAILABLE"}]})
    numbers = [row["x"] for row in json.loads(asked.body)["instances"]]
    if min(numbers) < 0:
        return as_json({"error": "a negative number"}, 500)
    return as_json({"predictions": [number**0.5 for number in numbers]})


@pytest.fixture(scope="module")
def streams(rig: Rig, on_kafka: None) -> Iterator[dict[str, Stream]]:
    """Models of records, all in the one worker."""
    with ExitStack() as running:
        server = running.enter_context(RestServer(echo_json))
        failing = running.enter_context(RestServer(roots))
        made = {
            "iris": Stream(rig.stack, "iris", "iris_model"),
            "bright": Stream(rig.stack, "bright", "picture_model"),
            "nan": Stream(rig.stack, "nan", "nan_model"),
            "tensors": Stream(
                rig.stack,
                "tensors",
                runtime="kserve-rest",
                options={"address": server.address, "model": "m"},
            ),
        }
        made["hard"] = Stream(rig.stack, "hard", "giving_up_model")
        made["roots"] = Stream(
            rig.stack,
            "roots",
            runtime="tfserving-rest",
            options={"address": failing.address, "model": "m"},
        )
        for stream in made.values():
            running.enter_context(stream)
        configure(rig, made["iris"].inputs.name, "max.message.bytes", "10000000")
        for name, good in {poison.stream: poison.good for poison in POISONS}.items():
            made[name].works(good)
        yield made


def configure(rig: Rig, topic: str, name: str, value: str) -> None:
    """Change a topic's setting."""
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    client = AdminClient({"bootstrap.servers": rig.kafka.bootstrap})
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    client.incremental_alter_configs([resource])[resource].result(10)


def of_offset(offset: int) -> Callable[[Record], bool]:
    """Whether a letter is about the record at this offset."""
    return lambda record: record.header_map.get("dlt-original-offset") == str(offset).encode()


def store_watched(
    stream: Stream, offset: int, letters_before: int, until: Callable[[], bool]
) -> bool:
    """Whether the offset was ever stored while Kafka did not have the letter; watched until both
    are there.
    """
    too_early = False

    def both() -> bool:
        nonlocal too_early
        stored = stream.stored()
        # Asked after the offset was: a letter that came between the two is no excuse.
        letters = stream.end(stream.errors)
        too_early = too_early or (stored > offset and letters == letters_before)
        return stored > offset and letters > letters_before and until()

    wait_until(both, PATIENCE, "the letter and the offset")
    return too_early


@pytest.mark.parametrize("poison", POISONS, ids=lambda poison: poison.name.replace(" ", "-"))
def test_a_poison_record_costs_itself(
    rig: Rig, streams: dict[str, Stream], table: Table, poison: Poison
) -> None:
    stream = streams[poison.stream]
    outputs, letters = len(stream.outputs.seen), stream.end(stream.errors)
    offset = stream.end(stream.inputs)
    sent = time.monotonic()
    if poison.headers:
        assert isinstance(poison.bad, bytes)
        send_raw(rig.kafka.bootstrap, stream.inputs.name, poison.bad, poison.headers)
    else:
        stream.send(poison.bad)
    stream.send(poison.good)
    stream.flush()
    too_early = store_watched(stream, offset, letters, lambda: len(stream.outputs.seen) > outputs)
    letter_at, letter = stream.letters.first(of_offset(offset), PATIENCE, "the dead letter")
    next_at = stream.outputs.seen[outputs][0]
    tries = int(letter.header_map["dlt-delivery-attempt"])
    wrong = [
        *([f"tried {tries} times"] if tries > MAX_TRIES else []),
        *(["the offset was stored before the letter was there"] if too_early else []),
        *(["the letter is not the record as it came"] if not kept(letter, poison.bad) else []),
    ]
    table.add(
        Row(
            f"Record: {poison.name}",
            EXPECTED,
            detect_s=since(sent, letter_at),
            recover_s=max(0.0, since(letter_at, next_at)),
            bound_detect_s=LETTER_SECONDS,
            bound_recover_s=NEXT_SECONDS,
            dropped=0,
            secrets=rig.secrets(),
            note=f"{tries} of {MAX_TRIES} tries",
            missed="; ".join(wrong),
        )
    )


def kept(letter: Record, bad: object) -> bool:
    """Whether the letter holds the record as it was sent; of one above the limit, that it says
    where it is.
    """
    if not isinstance(bad, bytes):
        return bad is not None or letter.value is None
    return letter.value == (bad if len(bad) < 8 * 2**20 else None)


FRAMES = [
    Poison("truncated JPEG", "qr", BRIGHT[: len(BRIGHT) // 2], BRIGHT),
    Poison("empty value", "qr", b"", BRIGHT),
    Poison("headers missing", "qr", None, BRIGHT),
    Poison("36 megapixels", "qr", HUGE, BRIGHT),
    Poison("NaN boxes", "dark", DARK, BRIGHT),
]


@pytest.fixture(scope="module")
def fed(rig: Rig, on_kafka: None) -> Iterator[FedCamera]:
    """A camera that two models look at: the QR reader, and one that gives NaN boxes of dark
    pictures.
    """
    camera = FedCamera(rig.stack, free_port())
    slugs = {"read": ("builtin-qr", {}), "dark": ("python", {"model": "nan_model"})}
    with ExitStack() as running:
        for slug, (runtime, options) in slugs.items():
            running.enter_context(deployed(rig.stack, slug, runtime, dict(options), camera.slug))
        with Tail(topics.predictions(camera.slug)) as predictions:

            def both_see() -> bool:
                camera.send(BRIGHT)
                return {
                    Prediction.from_json(record.value).model for record in predictions.records
                } == slugs.keys()

            wait_until(both_see, PATIENCE, "both models to see the camera", interval=0.3)
        yield camera


@pytest.mark.parametrize("poison", FRAMES, ids=lambda poison: poison.name.replace(" ", "-"))
def test_a_poison_frame_costs_itself(
    rig: Rig, fed: FedCamera, table: Table, poison: Poison
) -> None:
    model = "dark" if poison.stream == "dark" else "read"
    with (
        Tail(topics.errors(model, "1")) as letters,
        Tail(topics.predictions(fed.slug)) as predictions,
    ):
        wait_until(lambda: predictions.seen, PATIENCE, "what was seen before")
        offset = stream_end(fed)
        sent = time.monotonic()
        if poison.bad is None:
            fed.send_raw(BRIGHT, {})
        else:
            assert isinstance(poison.bad, bytes)
            fed.send(poison.bad)
        letter_at, letter = letters.first(of_offset(offset), PATIENCE, "the dead letter")
        seq = fed.send(BRIGHT)
        next_at, _ = predictions.first(
            lambda record: seen(record, model, seq), PATIENCE, "the next prediction", sent
        )
    table.add(
        Row(
            f"Frame: {poison.name}",
            "A dead letter; the next picture is looked at",
            detect_s=since(sent, letter_at),
            recover_s=since(letter_at, next_at),
            bound_detect_s=LETTER_SECONDS,
            bound_recover_s=NEXT_SECONDS,
            secrets=rig.secrets(),
            note=f"{int(letter.header_map['dlt-delivery-attempt'])} try",
        )
    )


def stream_end(fed: FedCamera) -> int:
    """The offset that its next frame will have."""
    return Admin().ends([(fed.topic.name, 0)])[fed.topic.name, 0]


def seen(record: Record, model: str, seq: int) -> bool:
    prediction = Prediction.from_json(record.value)
    return prediction.model == model and prediction.frame.seq == seq


@contextmanager
def without_letters(rig: Rig, stream: Stream) -> Iterator[None]:
    """Kafka takes no dead letters: their topic has a limit that is smaller than the letter."""
    limit = Admin().config(stream.errors.name)["max.message.bytes"]
    configure(rig, stream.errors.name, "max.message.bytes", "1000")
    try:
        yield
    finally:
        configure(rig, stream.errors.name, "max.message.bytes", limit)


@pytest.mark.parametrize("delivery", ["every", "exactly-once"])
def test_while_kafka_takes_no_dead_letters_nothing_counts_as_done(
    rig: Rig, on_kafka: None, table: Table, delivery: str
) -> None:
    bad = b"{" + b" " * LETTER_BYTES
    with Stream(rig.stack, f"letters-{delivery}", "iris_model", delivery=delivery) as stream:
        stream.works(IRIS)
        with rig.memory("records") as memory, Tail(topics.status()) as states:
            with without_letters(rig, stream):
                offset = stream.end(stream.inputs)
                began = time.monotonic()
                stream.send(bad)
                for _ in range(20):
                    stream.send(IRIS)
                stream.flush()
                told_at = said_so(states, stream, began)
                last_for(DLT_SECONDS - since(began))
                stored = stream.stored()
                tries = max(status.failed for status in reports_of(states, stream))
            mended = time.monotonic()
            letter_at, _ = stream.letters.first(
                of_offset(offset), PATIENCE, "the dead letter", mended
            )
            wait_until(lambda: stream.stored() == offset + 21, PATIENCE, "all offsets to be stored")
            recovered = since(mended)
            outputs = len(stream.outputs.seen)
    wrong = [
        *(["an offset was stored beyond the record"] if stored > offset else []),
        *([f"sent {tries} times in {DLT_SECONDS:g} s"] if tries > DLT_SECONDS else []),
        *(
            [f"{outputs} answers of 21"]
            if outputs < 21 or (outputs > 21 and delivery != "every")
            else []
        ),
        *(["nobody was told"] if told_at is None else []),
    ]
    table.add(
        Row(
            f"Kafka takes no dead letters ({delivery})",
            "No offset is stored beyond the record, one try a second at most, the model's state"
            " says why",
            detect_s=None if told_at is None else since(began, told_at),
            recover_s=recovered,
            bound_detect_s=10,
            bound_recover_s=15,
            memory_mib=memory.most,
            dropped=0,
            secrets=rig.secrets(),
            note=(
                f"the letter was sent {tries} times in {DLT_SECONDS:g} s, and arrived"
                f" {since(mended, letter_at):.1f} s after the end"
            ),
            missed="; ".join(wrong),
        )
    )


def reports_of(states: Tail, stream: Stream) -> list[ModelStatus]:
    """What the worker reports of the model; it counts a dead letter each time that it makes one."""
    key = f"model/{stream.slug}@1".encode()
    return [
        ModelStatus.from_json(record.value)
        for record in states.records
        if record.key == key and record.value
    ]


def said_so(states: Tail, stream: Stream, began: float) -> float | None:
    """When the model's state said that Kafka does not take the results."""
    key = f"model/{stream.slug}@1".encode()
    try:
        at, _ = states.first(
            lambda record: record.key == key and b"Kafka does not take" in (record.value or b""),
            DLT_SECONDS,
            "the reason",
            began,
        )
    except TimeoutError:
        return None
    return at


def has_worked(pid: int, status: WorkerStatus) -> bool:
    """Whether it is this process that reports, and it has answered some records."""
    return status.pid == pid and status.counters.get("predicted", 0) > 20


def test_a_second_worker_joins_and_leaves_ten_times(rig: Rig, on_kafka: None, table: Table) -> None:
    with Stream(rig.stack, "shared", "slow_model", partitions=4) as stream, Reports() as reports:
        stream.works({"id": -1})
        ended, sent = threading.Event(), [0]

        def send() -> None:
            while not ended.wait(0.02):
                stream.send({"id": sent[0]}, partition=sent[0] % 4)
                sent[0] += 1

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        began = time.monotonic()
        for turn in range(10):
            with rig.stack.another(f"second-{turn}", "runworkers", "records") as worker:
                reports.wait_for("records", partial(has_worked, worker.pid), PATIENCE)
                worker.send_signal(signal.SIGTERM)
                assert worker.wait(20) == 0
        lasted = time.monotonic()
        ended.set()
        sender.join()
        stream.flush()

        def answered() -> set[bytes | None]:
            return {record.value for record in stream.outputs.records}

        wait_until(lambda: len(answered()) > sent[0], PATIENCE, "all answers")
        pause = longest_gap([at for at, _ in stream.outputs.seen], began, lasted)
        twice = len(stream.outputs.seen) - len(answered())
    table.add(
        Row(
            "A second records worker joins and leaves ten times (SIGTERM)",
            "No result is lost, a pause of 5 s at most",
            recover_s=round(pause, 2),
            bound_recover_s=5,
            dropped=sent[0] + 1 - len(answered()),
            secrets=rig.secrets(),
            note=f"{sent[0]:,} records, {twice} of them answered twice",
            missed="answers came twice although all workers ended in order" if twice else "",
        )
    )
