"""The hub's thread: reads the watched channels and the status topic for all viewers."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from sightline.kafka import OFFSET_END, OFFSET_NEWEST, Record, topics
from sightline.messages import (
    CameraStatus,
    Frame,
    MessageError,
    ModelStatus,
    Prediction,
    WorkerStatus,
    worker_key,
)
from streaming import protocol
from streaming.hub.channels import Channel, ChannelKind
from streaming.hub.scaled_frame import LiveFrame
from streaming.hub.states import CameraReport, KafkaState
from streaming.hub.subscriptions import PredictionMessage, Update

if TYPE_CHECKING:
    from streaming.hub.hub import Hub

log = logging.getLogger(__name__)

POLL_SECONDS = 0.05
RECORDS_PER_ROUND = 256
SILENCE_SECONDS = 2.0
PROBE_SECONDS = 1.0
# A cluster that takes two seconds for an answer is slow, not away.
ANSWER_SECONDS = 3.0
PREDICTION_LIMIT = 256 * 1024

AWAY = "Kafka does not answer. Pictures go on by themselves when it does."


class HubReader:
    """Reads Kafka for the hub, in the hub's thread. The requested channels outlive ``close``; they
    are read again after ``open``.
    """

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.update = Update()
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
        """Close the connection."""
        self.reading.clear()
        self.watched.clear()
        self.consumer.close()

    def step(self) -> None:
        """Read what is there, waiting at most POLL_SECONDS, and pass it on."""
        self._apply_commands()
        self._read()
        self._probe_kafka()
        self._post()

    def _apply_commands(self) -> None:
        now = time.monotonic()
        while not self.hub._commands.empty():
            self._count(*self.hub._commands.get(), now)
        for channel in [channel for channel, expiry in self.expires.items() if expiry <= now]:
            self._unwatch(channel)
        missing = self.wanted.keys() - self.watched
        if missing:
            # Requesting the metadata first saves the second that the client would need to find a
            # topic's leader.
            self.consumer.check(PROBE_SECONDS)
        for channel in missing:
            self._watch(channel)

    def _count(self, channel: Channel, change: int, now: float) -> None:
        if channel.kind in (ChannelKind.STATUS, ChannelKind.MODELS):
            return
        count = self.wanted.pop(channel, 0) + change
        if count > 0:
            self.wanted[channel] = count
            self.expires.pop(channel, None)
        else:
            self.expires[channel] = now + self.hub.linger

    def _watch(self, channel: Channel) -> None:
        topic = channel.topic
        self.consumer.watch(topic, offset=_start(channel))
        self.watched.add(channel)
        self.reading[topic.name] = channel

    def _unwatch(self, channel: Channel) -> None:
        del self.expires[channel]
        self.hub.frames.pop(channel, None)
        if channel in self.watched:
            topic = channel.topic
            self.consumer.unwatch(topic)
            self.watched.discard(channel)
            del self.reading[topic.name]

    def _read(self) -> None:
        timeout = POLL_SECONDS
        for _ in range(RECORDS_PER_ROUND):
            record = self.consumer.poll(timeout)
            if record is None:
                return
            timeout = 0
            self.last_answer = time.monotonic()
            self._dispatch(record)

    def _dispatch(self, record: Record) -> None:
        try:
            if (channel := self.reading.get(record.topic)) is None:
                self._read_status(record)
            elif channel.kind is ChannelKind.PREDICTIONS:
                self._read_prediction(channel, record)
            else:
                self._read_frame(channel, record)
        except MessageError as err:
            self.hub.malformed += 1
            log.debug(
                "record skipped topic=%s offset=%s error=%s", record.topic, record.offset, err
            )

    def _read_frame(self, channel: Channel, record: Record) -> None:
        frame = Frame.from_record(channel.camera, record.value, record.header_map, record.offset)
        self.hub.frames[channel] = LiveFrame(frame)
        self.update.channels.add(channel)

    def _read_prediction(self, channel: Channel, record: Record) -> None:
        if len(record.value or b"") > PREDICTION_LIMIT:
            raise MessageError("the prediction is too large to be shown")
        prediction = Prediction.from_json(record.value)
        if prediction.camera != channel.camera:
            raise MessageError(
                f"a prediction for {prediction.camera} on the topic of {channel.camera}"
            )
        try:
            text = protocol.predictions(prediction)
        except (TypeError, ValueError) as err:
            raise MessageError(str(err)) from err
        frame = prediction.frame.captured_at, prediction.frame.seq
        self.update.predictions.append((channel, PredictionMessage(frame, text)))

    def _read_status(self, record: Record) -> None:
        key = record.key or b""
        if record.topic != self.status_topic.name:
            return
        if key.startswith(b"camera/"):
            status = CameraStatus.from_json(record.value)
            self.hub.reports[status.camera] = CameraReport(status, time.monotonic())
            self.update.channels.add(Channel(status.camera, ChannelKind.STATUS))
        elif key.startswith(b"model/"):
            self.update.channels |= {
                Channel(camera, ChannelKind.MODELS)
                for camera in self._read_model(key.decode(errors="replace"), record.value)
            }
        elif key.startswith(b"worker/"):
            self._read_worker(key.decode(errors="replace"), record.value)

    def _read_model(self, key: str, value: bytes | None) -> frozenset[str]:
        """The cameras whose viewers a model's report concerns; without a value it is its last."""
        return (
            self.hub.models.add(ModelStatus.from_json(value))
            if value
            else self.hub.models.remove(key)
        )

    def _read_worker(self, key: str, value: bytes | None) -> None:
        if value:
            self.hub.workers.add(WorkerStatus.from_json(value))
        else:
            self.hub.workers.remove(key.removeprefix(worker_key("")))

    def _probe_kafka(self) -> None:
        now = time.monotonic()
        if now - self.last_answer < SILENCE_SECONDS:
            self.note_kafka(True)
        elif now >= self.next_probe:
            # Perhaps nothing is produced: silence proves nothing, so query the broker.
            if self.consumer.check(ANSWER_SECONDS):
                self.last_answer = time.monotonic()
                self.note_kafka(True)
            else:
                self.note_kafka(False, AWAY)
            self.next_probe = time.monotonic() + PROBE_SECONDS

    def note_kafka(self, reachable: bool, reason: str = "") -> None:
        """Notify all viewers when it changes. The reason is for the log: it may name commands."""
        if not self.hub.kafka.known or self.hub.kafka.reachable != reachable:
            log.log(
                logging.INFO if reachable else logging.WARNING,
                "kafka reachable=%s detail=%s",
                reachable,
                reason,
            )
            self.hub.kafka = KafkaState(reachable, "" if reachable else AWAY, known=True)
            self.hub.listening_since = time.monotonic()
            self.update.health = True
            self._post()

    def _post(self) -> None:
        if self.update:
            self.hub._post(self.update)
            self.update = Update()


def _start(channel: Channel | None) -> int:
    # An old frame shows what the camera saw last; an old status or prediction would pass for a new
    # one.
    return (
        OFFSET_NEWEST
        if channel is not None and channel.kind in (ChannelKind.FRAMES, ChannelKind.ANNOTATED)
        else OFFSET_END
    )
