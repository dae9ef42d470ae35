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

from cameras.capture.freeze import FreezeDetector
from cameras.capture.history import CaptureHistoryRecorder
from cameras.capture.state import CaptureState, LossReason
from cameras.capture.tracing import FrameTrace
from cameras.models import KIND_NOT_ALLOWED, Camera, allowed_kinds, check_address
from cameras.sources import failures, open_source
from cameras.sources.base import CorruptFrame, Source, SourceError, SourceFrame, SourceSettings
from cameras.sources.credentials import SecretError
from sightline.base.backoff import Backoff
from sightline.base.frame_rate import FrameRateLimiter
from sightline.kafka import Producer, topics
from sightline.messages import CameraState, Cause, Frame
from sightline.telemetry import tracing

log = logging.getLogger(__name__)

MILLISECOND = 1_000_000
SLOW_RETRY = {CameraState.AUTH_FAILED: 30.0}
# How long frames must come before the retry delay is reset: a camera that comes and goes is not
# reopened at once each time.
HEALTHY_SECONDS = 10.0
ATTEMPTS_A_MINUTE = 5
# A camera that does not answer is tried often: a failed connection costs neither side much.
MAX_CONNECT_DELAY = 4.0


@dataclass(frozen=True, slots=True)
class ReaderConfig:
    """How one camera is read; a camera is restarted when this changes."""

    camera: str
    source: SourceSettings
    max_width: int
    quality: int
    watch_picture: bool = False
    error: str = ""
    error_state: CameraState = CameraState.AUTH_FAILED
    error_cause: Cause = Cause.LOGIN_UNREADABLE

    @classmethod
    def of(cls, camera: Camera) -> ReaderConfig:
        """From a camera's fields. ``error`` says if its password cannot be read or its kind is no
        longer allowed.
        """
        if camera.kind not in allowed_kinds():
            return cls._failing(camera, KIND_NOT_ALLOWED, CameraState.DISABLED, Cause.NOT_ALLOWED)
        try:
            return cls(
                camera.slug,
                camera.source_settings(),
                camera.max_width,
                camera.quality,
                camera.watch_picture,
            )
        except SecretError as err:
            return cls._failing(camera, str(err), CameraState.AUTH_FAILED, Cause.LOGIN_UNREADABLE)

    @classmethod
    def _failing(cls, camera: Camera, error: str, state: CameraState, cause: Cause) -> ReaderConfig:
        return cls(
            camera.slug,
            SourceSettings(camera.kind, camera.url),
            camera.max_width,
            camera.quality,
            error=error,
            error_state=state,
            error_cause=cause,
        )


class CameraReader:
    """One camera's thread."""

    def __init__(self, config: ReaderConfig, producer: Producer, worker: str) -> None:
        self.config = config
        self.producer = producer
        self.state = CaptureState(config.camera, worker, config.source.fps)
        self.history = CaptureHistoryRecorder(self.state)
        self.stopping = threading.Event()
        self.seq = 0
        self.topic = topics.frames(config.camera)
        self.rate_limiter = FrameRateLimiter(config.source.fps)
        self.retry_backoff = Backoff(a_minute=ATTEMPTS_A_MINUTE)
        self.connect_backoff = Backoff(maximum=MAX_CONNECT_DELAY)
        self.opened = False
        self.healthy_at = math.inf
        self.freeze_detector: FreezeDetector | None = None
        self.thread = threading.Thread(
            target=self._run, name=f"camera-{config.camera}", daemon=True
        )

    def start(self) -> None:
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
        if self.config.error:
            self.state.enter(self.config.error_state, self.config.error, self.config.error_cause)
            return
        while not self.stopping.is_set():
            self.state.connecting()
            delay = self._attempt()
            self.stopping.wait(delay)

    def _attempt(self) -> float:
        """Read until the camera fails; returns the seconds to wait before the next attempt."""
        self.opened, self.healthy_at = False, math.inf
        try:
            self._read()
        except SourceError as err:
            return self._failed(err)
        except Exception:
            log.exception("camera failed unexpectedly camera=%s", self.config.camera)
            detail = (
                "Reading this camera failed unexpectedly; the log of the capture worker says why."
            )
            return self._failed(SourceError(CameraState.UNREACHABLE, detail, Cause.UNEXPECTED))
        return self._failed(failures.ended())

    def _failed(self, err: SourceError) -> float:
        if self.stopping.is_set():
            return 0.0
        unchanged = self.state.enter(err.state, err.detail, err.cause)
        log.log(
            logging.DEBUG if unchanged else logging.INFO,
            "camera=%s state=%s detail=%s",
            self.config.camera,
            err.state,
            err.detail,
        )
        if not self.opened and not err.answered:
            return self.connect_backoff.next()
        self.connect_backoff.reset()
        return max(self.retry_backoff.next(), SLOW_RETRY.get(err.state, 0.0))

    def _read(self) -> None:
        self.freeze_detector = (
            FreezeDetector(settings.FROZEN_SECONDS, settings.BLACK_SECONDS)
            if self.config.watch_picture
            else None
        )
        with open_source(
            replace(self.config.source, first_seq=self.seq), self.stopping, check=check_address
        ) as source:
            self.opened = True
            for frame in source:
                if self.stopping.is_set():
                    return
                if source.paced or self.rate_limiter.takes(frame.captured_at):
                    self._publish(frame, source)

    def _publish(self, frame: SourceFrame, source: Source) -> None:
        """Encode and send one frame. Each takes a sequence number, so that gaps show what was
        lost.
        """
        seq, self.seq = self.seq, self.seq + 1
        trace = (
            FrameTrace.begin(self.config.camera, seq, frame.captured_at)
            if tracing.traces(seq)
            else None
        )
        try:
            jpeg = frame.jpeg(self.config.quality, self.config.max_width)
        except CorruptFrame as err:
            self.state.frame_lost(f"The last of them: {err}.", LossReason.CORRUPT)
            return
        message = Frame(
            self.config.camera,
            seq,
            frame.captured_at,
            jpeg.width,
            jpeg.height,
            jpeg.data,
            trace=trace.encoded() if trace else "",
        )
        if self._send(message, trace):
            self.state.frame_sent(jpeg.width, jpeg.height, len(jpeg.data), source.codec)
            now = time.monotonic()
            self._note_health(now)
            self._detect_freeze(frame, now)

    def _note_health(self, now: float) -> None:
        self.healthy_at = min(self.healthy_at, now + HEALTHY_SECONDS)
        if now >= self.healthy_at:
            self.retry_backoff.reset()

    def _detect_freeze(self, frame: SourceFrame, now: float) -> None:
        if self.freeze_detector is not None and self.freeze_detector.due(now):
            with contextlib.suppress(CorruptFrame):
                self.state.set_fault(self.freeze_detector.update(frame.luma_sample(), now))

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
            reason = (
                LossReason.TOO_LARGE
                if len(frame.jpeg) > settings.KAFKA_MAX_MESSAGE_BYTES
                else LossReason.QUEUE_FULL
            )
            self.state.frame_lost(f"Kafka did not take them: {self.producer.last_error}.", reason)
        return sent

    def _delivered(self, captured_at: int, trace: FrameTrace | None, error: str) -> None:
        if trace:
            trace.delivered(error)
        if error:
            self.state.frame_undelivered(f"Kafka did not take them: {error}.")
        else:
            self.history.delivered(captured_at)

    def publish_history(self) -> None:
        """Publish what has happened since the last call."""
        history = self.history.take()
        self.producer.send(
            topics.camera_history(self.config.camera), history.to_json(), key=history.KEY
        )
