"""The hub: one Kafka consumer per web process, in a thread of its own, for all viewers.

It reads the topics of watched cameras only and keeps the newest frame of each. Memory is
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

from sightline.kafka import KafkaUnavailable, PartitionReader
from sightline.messages import CameraStatus
from streaming.hub.channels import Channel
from streaming.hub.deliveries import Deliveries
from streaming.hub.model_states import ModelReports
from streaming.hub.reader import SILENCE_SECONDS, HubReader
from streaming.hub.scaled_frame import LiveFrame
from streaming.hub.states import CameraReport, KafkaState
from streaming.hub.subscriptions import LoopBridge, Subscription, Update
from streaming.hub.worker_states import WorkerReports

log = logging.getLogger(__name__)

LINGER_SECONDS = 3.0
STATUS_SECONDS = 5.0
RETRY_SECONDS = 1.0


class Hub:
    """Reads for all viewers of this process. ``subscribe`` starts it."""

    def __init__(
        self,
        make_consumer: Callable[[], PartitionReader] = PartitionReader,
        linger: float = LINGER_SECONDS,
    ) -> None:
        self.make_consumer = make_consumer
        self.linger = linger
        self.kafka = KafkaState()
        self.started_at = 0.0
        self.listening_since = math.inf
        self.malformed = 0
        self.frames: dict[Channel, LiveFrame] = {}
        self.reports: dict[str, CameraReport] = {}
        self.models = ModelReports()
        self.workers = WorkerReports()
        self.deliveries = Deliveries()
        self._commands: queue.SimpleQueue[tuple[Channel, int]] = queue.SimpleQueue()
        self._bridges: dict[asyncio.AbstractEventLoop, LoopBridge] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the reader thread unless it runs."""
        with self._lock:
            if self._thread is None:
                self.started_at = time.monotonic()
                self._stopping.clear()
                self._thread = threading.Thread(target=self._run, name="hub", daemon=True)
                self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Stop the reader thread and wait for it."""
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
            bridge = self._bridges.get(loop)
            if bridge is None:
                bridge = self._bridges[loop] = LoopBridge(loop, want=self._want, drop=self._drop)
        return bridge.subscribe()

    def frame(self, channel: Channel) -> LiveFrame | None:
        """The newest frame, if the channel is watched and one came."""
        return self.frames.get(channel)

    def status(self, camera: str) -> CameraStatus | None:
        """The newest report of the camera's capture worker; None when it is older than
        STATUS_SECONDS.
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
            return sum(len(bridge.subscriptions) for bridge in self._bridges.values())

    @property
    def settled(self) -> bool:
        """Whether the hub has been reading long enough to have a report of every working camera."""
        return self._thread is not None and time.monotonic() - self.started_at > SILENCE_SECONDS

    def _want(self, channel: Channel) -> None:
        self._commands.put((channel, 1))

    def _drop(self, channel: Channel) -> None:
        self._commands.put((channel, -1))

    def _post(self, update: Update) -> None:
        with self._lock:
            bridges = list(self._bridges.items())
        for loop, bridge in bridges:
            if not bridge.post(update):
                self._abandon(loop, bridge)

    def _abandon(self, loop: asyncio.AbstractEventLoop, bridge: LoopBridge) -> None:
        with self._lock:
            self._bridges.pop(loop, None)
        for channel in list(bridge.viewers):
            self._drop(channel)

    def _run(self) -> None:
        reader = HubReader(self)
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
