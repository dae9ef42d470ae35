"""The hub: one Kafka consumer per web process, in a thread of its own, for all viewers.

It reads the topics of watched cameras only and keeps the newest picture of each. Memory is
bounded by the number of watched cameras, whatever viewers do.
"""

from __future__ import annotations

import asyncio
import logging
import math
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sightline.kafka import OFFSET_END, OFFSET_NEWEST, Consumer, KafkaUnavailable, Record, topics
from sightline.messages import (
    CameraStatus,
    Frame,
    ModelStatus,
    Prediction,
    WorkerStatus,
    worker_key,
)
from sightline.messages.json import MessageError
from streaming.hub.channels import Channel, Kind
from streaming.hub.deliveries import Deliveries
from streaming.hub.model_states import ModelReports
from streaming.hub.scaled_frame import LivePicture
from streaming.hub.subscriptions import (
    LoopBridge,
    Predicted,
    Subscription,
    Update,
)
from streaming.hub.worker_states import WorkerReports

log = logging.getLogger(__name__)

POLL_SECONDS = 0.05
RECORDS_PER_ROUND = 256
LINGER_SECONDS = 3.0
STATUS_SECONDS = 5.0
SILENCE_SECONDS = 2.0
PROBE_SECONDS = 1.0
# A cluster that takes two seconds for an answer is slow, not away.
ANSWER_SECONDS = 3.0
RETRY_SECONDS = 1.0
PREDICTION_LIMIT = 256 * 1024

AWAY = "Kafka does not answer. Pictures go on by themselves when it does."


@dataclass(frozen=True, slots=True)
class KafkaState:
    """Whether Kafka answers; ``known`` is False until the first answer or failure."""

    reachable: bool = True
    detail: str = ""
    known: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """A camera's status and when it was read, in seconds of the monotonic clock."""

    status: CameraStatus
    read_at: float


class Hub:
    """Reads for all viewers of this process. ``subscribe`` starts it."""

    def __init__(
        self, make_consumer: Callable[[], Consumer] = Consumer, linger: float = LINGER_SECONDS
    ) -> None:
        self.make_consumer = make_consumer
        self.linger = linger
        self.kafka = KafkaState()
        self.started_at = 0.0
        self.listening_since = math.inf
        self.malformed = 0
        self.pictures: dict[Channel, LivePicture] = {}
        self.reports: dict[str, Report] = {}
        self.models = ModelReports()
        self.workers = WorkerReports()
        self.deliveries = Deliveries()
        self._commands: queue.SimpleQueue[tuple[Channel, int]] = queue.SimpleQueue()
        self._relays: dict[asyncio.AbstractEventLoop, LoopBridge] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to read, if that has not begun yet."""
        with self._lock:
            if self._thread is None:
                self.started_at = time.monotonic()
                self._stopping.clear()
                self._thread = threading.Thread(target=self._run, name="hub", daemon=True)
                self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """End reading; waits for the thread."""
        self._stopping.set()
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(timeout)

    def subscribe(self) -> Subscription:
        """A viewer in the running loop."""
        self.start()
        loop = asyncio.get_running_loop()
        with self._lock:
            relay = self._relays.get(loop)
            if relay is None:
                relay = self._relays[loop] = LoopBridge(loop, want=self._want, drop=self._drop)
        return relay.subscribe()

    def picture(self, feed: Channel) -> LivePicture | None:
        """The newest picture, if the feed is watched and one came."""
        return self.pictures.get(feed)

    def status(self, camera: str) -> CameraStatus | None:
        """What the camera's capture worker says of it; None when it has not said anything for
        some seconds.
        """
        self.start()
        report = self.reports.get(camera)
        if report is None or time.monotonic() - report.read_at > STATUS_SECONDS:
            return None
        return report.status

    @property
    def viewers(self) -> int:
        """How many pages and streams follow something now."""
        with self._lock:
            return sum(len(relay.subscriptions) for relay in self._relays.values())

    @property
    def settled(self) -> bool:
        """Whether the hub has been reading for so long that every working camera has been heard
        of.
        """
        return self._thread is not None and time.monotonic() - self.started_at > SILENCE_SECONDS

    def _want(self, feed: Channel) -> None:
        self._commands.put((feed, 1))

    def _drop(self, feed: Channel) -> None:
        self._commands.put((feed, -1))

    def _post(self, news: Update) -> None:
        with self._lock:
            relays = list(self._relays.items())
        for loop, relay in relays:
            if not relay.post(news):
                self._abandon(loop, relay)

    def _abandon(self, loop: asyncio.AbstractEventLoop, relay: LoopBridge) -> None:
        with self._lock:
            self._relays.pop(loop, None)
        for feed in list(relay.viewers):
            self._drop(feed)

    def _run(self) -> None:
        reader = _Reader(self)
        while not self._stopping.is_set():
            try:
                reader.open()
                while not self._stopping.is_set():
                    reader.step()
            except KafkaUnavailable as err:
                reader.note_kafka(False, str(err))
                self._stopping.wait(RETRY_SECONDS)
            except Exception:
                log.exception("hub failed, starts again")
                self._stopping.wait(RETRY_SECONDS)
            finally:
                reader.close()


class _Reader:
    """The part of the hub that belongs to its thread. What viewers want outlives ``close``;
    ``open`` takes it up again.
    """

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.news = Update()
        self.wanted: dict[Channel, int] = {}
        self.expires: dict[Channel, float] = {}
        self.reading: dict[str, Channel] = {}
        self.watched: set[Channel] = set()
        self.status_topic = topics.status()
        self.consumer = hub.make_consumer()
        self.last_answer = self.next_probe = 0.0

    def open(self) -> None:
        """Read the statuses of all cameras; KafkaUnavailable when no broker is configured."""
        self.consumer = self.hub.make_consumer()
        self.consumer.watch(self.status_topic, offset=OFFSET_END)

    def close(self) -> None:
        """Give the connection back."""
        self.reading.clear()
        self.watched.clear()
        self.consumer.close()

    def step(self) -> None:
        """Read what is there, at most for POLL_SECONDS when nothing is, and pass it on."""
        self._follow_wishes()
        self._read()
        self._look_after_kafka()
        self._post()

    def _follow_wishes(self) -> None:
        now = time.monotonic()
        while not self.hub._commands.empty():
            self._count(*self.hub._commands.get(), now)
        for feed in [feed for feed, expiry in self.expires.items() if expiry <= now]:
            self._unwatch(feed)
        missing = self.wanted.keys() - self.watched
        if missing:
            # Asking for the metadata first saves the second that the client would take to find out
            # where a topic is.
            self.consumer.answers(PROBE_SECONDS)
        for feed in missing:
            self._watch(feed)

    def _count(self, feed: Channel, change: int, now: float) -> None:
        if feed.kind in (Kind.STATUS, Kind.MODELS):
            return
        count = self.wanted.pop(feed, 0) + change
        if count > 0:
            self.wanted[feed] = count
            self.expires.pop(feed, None)
        else:
            self.expires[feed] = now + self.hub.linger

    def _watch(self, feed: Channel) -> None:
        topic = feed.topic
        self.consumer.watch(topic, offset=_start(feed))
        self.watched.add(feed)
        self.reading[topic.name] = feed

    def _unwatch(self, feed: Channel) -> None:
        del self.expires[feed]
        self.hub.pictures.pop(feed, None)
        if feed in self.watched:
            topic = feed.topic
            self.consumer.unwatch(topic)
            self.watched.discard(feed)
            del self.reading[topic.name]

    def _read(self) -> None:
        timeout = POLL_SECONDS
        for _ in range(RECORDS_PER_ROUND):
            record = self.consumer.poll(timeout)
            if record is None:
                return
            timeout = 0
            self.last_answer = time.monotonic()
            self._take(record)

    def _take(self, record: Record) -> None:
        try:
            if (feed := self.reading.get(record.topic)) is None:
                self._take_status(record)
            elif feed.kind is Kind.PREDICTIONS:
                self._take_prediction(feed, record)
            else:
                self._take_frame(feed, record)
        except MessageError as err:
            self.hub.malformed += 1
            log.debug(
                "record skipped topic=%s offset=%s error=%s", record.topic, record.offset, err
            )

    def _take_frame(self, feed: Channel, record: Record) -> None:
        frame = Frame.from_record(feed.camera, record.value, record.header_map, record.offset)
        self.hub.pictures[feed] = LivePicture(frame)
        self.news.feeds.add(feed)

    def _take_prediction(self, feed: Channel, record: Record) -> None:
        if len(record.value or b"") > PREDICTION_LIMIT:
            raise MessageError("the prediction is too large to be shown")
        prediction = Prediction.from_json(record.value)
        if prediction.camera != feed.camera:
            raise MessageError(
                f"a prediction for {prediction.camera} on the topic of {feed.camera}"
            )
        try:
            # Written anew, not passed through: no field that we do not know, no NaN, reaches a
            # browser.
            text = prediction.to_json().decode()
        except (TypeError, ValueError) as err:
            raise MessageError(str(err)) from err
        frame = prediction.frame.captured_at, prediction.frame.seq
        self.news.predictions.append((feed, Predicted(frame, f'{{"type":"predictions",{text[1:]}')))

    def _take_status(self, record: Record) -> None:
        key = record.key or b""
        if record.topic != self.status_topic.name:
            return
        if key.startswith(b"camera/"):
            status = CameraStatus.from_json(record.value)
            self.hub.reports[status.camera] = Report(status, time.monotonic())
            self.news.feeds.add(Channel(status.camera, Kind.STATUS))
        elif key.startswith(b"model/"):
            self.news.feeds |= {
                Channel(camera, Kind.MODELS)
                for camera in self._take_model(key.decode(errors="replace"), record.value)
            }
        elif key.startswith(b"worker/"):
            self._take_worker(key.decode(errors="replace"), record.value)

    def _take_model(self, key: str, value: bytes | None) -> frozenset[str]:
        """The cameras that a model's report is news for; without a value it is its last."""
        return (
            self.hub.models.add(ModelStatus.from_json(value))
            if value
            else self.hub.models.remove(key)
        )

    def _take_worker(self, key: str, value: bytes | None) -> None:
        if value:
            self.hub.workers.add(WorkerStatus.from_json(value))
        else:
            self.hub.workers.remove(key.removeprefix(worker_key("")))

    def _look_after_kafka(self) -> None:
        now = time.monotonic()
        if now - self.last_answer < SILENCE_SECONDS:
            self.note_kafka(True, "")
        elif now >= self.next_probe:
            # Nobody may be producing: silence alone is no proof, so ask.
            if self.consumer.answers(ANSWER_SECONDS):
                self.last_answer = time.monotonic()
                self.note_kafka(True, "")
            else:
                self.note_kafka(False, AWAY)
            self.next_probe = time.monotonic() + PROBE_SECONDS

    def note_kafka(self, reachable: bool, detail: str) -> None:
        """Tell all viewers when it changed."""
        if not self.hub.kafka.known or self.hub.kafka.reachable != reachable:
            log.log(
                logging.INFO if reachable else logging.WARNING,
                "kafka reachable=%s detail=%s",
                reachable,
                detail,
            )
            self.hub.kafka = KafkaState(reachable, detail, known=True)
            self.hub.listening_since = time.monotonic()
            self.news.health = True
            self._post()

    def _post(self) -> None:
        if self.news:
            self.hub._post(self.news)
            self.news = Update()


def _start(feed: Channel | None) -> int:
    # An old picture tells a viewer what the camera saw last; an old status or prediction would pass
    # for a new one.
    return (
        OFFSET_NEWEST
        if feed is not None and feed.kind in (Kind.FRAMES, Kind.ANNOTATED)
        else OFFSET_END
    )


_hub: Hub | None = None
_hub_lock = threading.Lock()


def hub() -> Hub:
    """This process's hub."""
    global _hub
    with _hub_lock:
        if _hub is None:
            _hub = Hub()
        return _hub


def stop_hub() -> None:
    """End this process's hub, if it has one."""
    global _hub
    with _hub_lock:
        ending, _hub = _hub, None
    if ending is not None:
        ending.stop()
