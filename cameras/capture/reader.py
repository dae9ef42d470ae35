"""Reads one camera into Kafka, in a thread of its own, until told to stop."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from dataclasses import dataclass, replace
from functools import partial

from django.conf import settings

from cameras.capture.freeze import PictureWatch
from cameras.capture.history import CaptureSummary
from cameras.capture.state import Loss, Tracker
from cameras.capture.tracing import FrameTrace
from cameras.models import KIND_NOT_ALLOWED, Camera, allowed_kinds, check_address
from cameras.sources import failures, open_source
from cameras.sources.base import CorruptFrame, Grab, Source, SourceError, SourceSettings
from cameras.sources.credentials import SecretError
from sightline.base.backoff import Backoff
from sightline.base.frame_rate import FrameRateLimiter
from sightline.kafka import Producer, topics
from sightline.messages import CameraState, Frame
from sightline.telemetry import tracing

log = logging.getLogger(__name__)

MILLISECOND = 1_000_000
SLOW_RETRY = {CameraState.AUTH_FAILED: 30.0}
# Pictures for so long are health: a camera that comes and goes is not asked anew each time that it
# comes.
HEALTHY_SECONDS = 10.0
ATTEMPTS_A_MINUTE = 5
# Asking a camera that does not answer whether it is back costs neither side much.
KNOCK_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How one camera is read; a camera is started again when its plan changes."""

    camera: str
    source: SourceSettings
    max_width: int
    quality: int
    watch_picture: bool = False
    error: str = ""
    error_state: CameraState = CameraState.AUTH_FAILED

    @classmethod
    def of(cls, camera: Camera) -> Plan:
        """The plan that a camera's fields ask for; ``error`` says so when its password cannot be
        read, or its kind is not allowed any more.
        """
        if camera.kind not in allowed_kinds():
            return cls._failing(camera, KIND_NOT_ALLOWED, CameraState.DISABLED)
        try:
            return cls(
                camera.slug,
                camera.source_settings(),
                camera.max_width,
                camera.quality,
                camera.watch_picture,
            )
        except SecretError as err:
            return cls._failing(camera, str(err), CameraState.AUTH_FAILED)

    @classmethod
    def _failing(cls, camera: Camera, error: str, state: CameraState) -> Plan:
        return cls(
            camera.slug,
            SourceSettings(camera.kind, camera.url),
            camera.max_width,
            camera.quality,
            error=error,
            error_state=state,
        )


class CameraReader:
    """One camera's thread."""

    def __init__(self, plan: Plan, producer: Producer, worker: str) -> None:
        self.plan = plan
        self.producer = producer
        self.tracker = Tracker(plan.camera, worker, plan.source.fps)
        self.summary = CaptureSummary(self.tracker)
        self.stopping = threading.Event()
        self.seq = 0
        self.topic = topics.frames(plan.camera)
        self.pace = FrameRateLimiter(plan.source.fps)
        self.backoff = Backoff(a_minute=ATTEMPTS_A_MINUTE)
        self.knocks = Backoff(most=KNOCK_SECONDS)
        self.opened = False
        self.healthy_at = math.inf
        self.watch: PictureWatch | None = None
        self.thread = threading.Thread(target=self._run, name=f"camera-{plan.camera}", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self.thread.start()

    def stop(self) -> None:
        """Ask the thread to end; ``join`` waits for it."""
        self.stopping.set()

    def join(self, timeout: float) -> bool:
        """Whether the thread has ended within ``timeout`` seconds."""
        if self.thread.ident is not None:
            self.thread.join(timeout)
        return not self.thread.is_alive()

    def _run(self) -> None:
        if self.plan.error:
            self.tracker.enter(self.plan.error_state, self.plan.error)
            return
        while not self.stopping.is_set():
            self.tracker.connecting()
            wait = self._attempt()
            self.stopping.wait(wait)

    def _attempt(self) -> float:
        """Read until the camera fails; the seconds to wait before the next attempt."""
        self.opened, self.healthy_at = False, math.inf
        try:
            self._read()
        except SourceError as err:
            return self._failed(err)
        except Exception:
            log.exception("camera failed unexpectedly camera=%s", self.plan.camera)
            detail = (
                "Reading this camera failed unexpectedly; the log of the capture worker says why."
            )
            return self._failed(SourceError(CameraState.UNREACHABLE, detail))
        return self._failed(failures.ended())

    def _failed(self, err: SourceError) -> float:
        if self.stopping.is_set():
            return 0.0
        known = self.tracker.enter(err.state, err.detail)
        log.log(
            logging.DEBUG if known else logging.INFO,
            "camera=%s state=%s detail=%s",
            self.plan.camera,
            err.state,
            err.detail,
        )
        if not self.opened and not err.answered:
            return self.knocks.next()
        self.knocks.reset()
        return max(self.backoff.next(), SLOW_RETRY.get(err.state, 0.0))

    def _read(self) -> None:
        self.watch = (
            PictureWatch(settings.FROZEN_SECONDS, settings.BLACK_SECONDS)
            if self.plan.watch_picture
            else None
        )
        with open_source(
            replace(self.plan.source, first_seq=self.seq), self.stopping, check=check_address
        ) as source:
            self.opened = True
            for grab in source:
                if self.stopping.is_set():
                    return
                if source.paced or self.pace.takes(grab.captured_at):
                    self._take(grab, source)

    def _take(self, grab: Grab, source: Source) -> None:
        """Encode and send one picture. Every picture taken has a number, so that gaps show what
        was lost.
        """
        seq, self.seq = self.seq, self.seq + 1
        trace = (
            FrameTrace.begin(self.plan.camera, seq, grab.captured_at)
            if tracing.traces(seq)
            else None
        )
        try:
            jpeg = grab.jpeg(self.plan.quality, self.plan.max_width)
        except CorruptFrame as err:
            self.tracker.lost(f"The last of them: {err}.", Loss.CORRUPT)
            return
        parent = trace.encoded() if trace else ""
        frame = Frame(
            self.plan.camera,
            seq,
            grab.captured_at,
            jpeg.width,
            jpeg.height,
            jpeg.data,
            trace=parent,
        )
        if self._send(frame, trace):
            self.tracker.took(jpeg.width, jpeg.height, len(jpeg.data), source.codec)
            self._note_health()
            self._look(grab)

    def _note_health(self) -> None:
        now = time.monotonic()
        self.healthy_at = min(self.healthy_at, now + HEALTHY_SECONDS)
        if now >= self.healthy_at:
            self.backoff.reset()

    def _look(self, grab: Grab) -> None:
        if self.watch is None or not self.watch.due(now := time.monotonic()):
            return
        with contextlib.suppress(CorruptFrame):
            self.tracker.shows(self.watch.see(grab.look(), now))

    def _send(self, frame: Frame, trace: FrameTrace | None) -> bool:
        sent = self.producer.send(
            self.topic,
            frame.jpeg,
            key=frame.camera,
            headers=frame.headers(),
            timestamp=frame.captured_at // MILLISECOND,
            on_delivery=partial(self._delivered, frame.captured_at, trace),
        )
        if not sent:
            loss = (
                Loss.TOO_LARGE
                if len(frame.jpeg) > settings.KAFKA_MAX_MESSAGE_BYTES
                else Loss.QUEUE_FULL
            )
            self.tracker.lost(f"Kafka did not take them: {self.producer.last_error}.", loss)
        return sent

    def _delivered(self, captured_at: int, trace: FrameTrace | None, error: str) -> None:
        if trace:
            trace.delivered(error)
        if error:
            self.tracker.undelivered(f"Kafka did not take them: {error}.")
        else:
            self.summary.delivered(captured_at)

    def tell_history(self) -> None:
        """Publish what has happened since the last time."""
        history = self.summary.take()
        self.producer.send(
            topics.camera_history(self.plan.camera), history.to_json(), key=history.KEY
        )
