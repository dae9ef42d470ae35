"""The event-loop side of the hub: what its thread reads is passed on to the viewers of one asyncio
loop.

Pictures are never queued: a viewer is told that there is a new one and takes the newest when it
can.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from streaming.hub.channels import Channel, ChannelKind

PREDICTIONS_PER_CAMERA = 32
PREDICTIONS_PER_UPDATE = 2048


class PredictionMessage(NamedTuple):
    """A prediction, as the message that viewers get, and the ``captured_at`` and ``seq`` of the
    frame that it is for.
    """

    frame: tuple[int, int]
    text: str


@dataclass(slots=True)
class Update:
    """What came in since the last time: which channels have something newer, and predictions."""

    channels: set[Channel] = field(default_factory=set)
    predictions: deque[tuple[Channel, PredictionMessage]] = field(
        default_factory=lambda: deque(maxlen=PREDICTIONS_PER_UPDATE)
    )
    health: bool = False

    def __bool__(self) -> bool:
        return bool(self.channels or self.predictions or self.health)

    def add(self, other: Update) -> None:
        """Take over what ``other`` holds."""
        self.channels |= other.channels
        self.predictions.extend(other.predictions)
        self.health |= other.health


class Subscription:
    """One viewer's interest. For the loop that it was made in; ``close`` it."""

    def __init__(self, bridge: LoopBridge) -> None:
        self._bridge = bridge
        self._woken = False
        self._waiter: asyncio.Future[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self.channels: set[Channel] = set()
        self.fresh: set[Channel] = set()
        self.predictions: dict[str, deque[PredictionMessage]] = {}
        self.health_changed = False

    def watch(self, *channels: Channel) -> None:
        """Follow more channels. What is known already counts as fresh."""
        for channel in set(channels) - self.channels:
            self.channels.add(channel)
            self.fresh.add(channel)
            self._bridge.join(self, channel)
        self.wake()

    def unwatch(self, *channels: Channel) -> None:
        """Follow less."""
        for channel in self.channels & set(channels):
            self.channels.discard(channel)
            self.fresh.discard(channel)
            if channel.kind is ChannelKind.PREDICTIONS:
                self.predictions.pop(channel.camera, None)
            self._bridge.leave(self, channel)

    def close(self) -> None:
        """Follow nothing any more."""
        self.unwatch(*self.channels)
        self._bridge.forget(self)
        if self._alarm is not None:
            self._alarm.cancel()

    def wake(self) -> None:
        """Let ``wait`` return."""
        self._woken = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self, seconds: float) -> None:
        """Return when something new came since the last call, after ``seconds`` at the latest,
        now and then for nothing. For one task.
        """
        if not self._woken:
            self._set_alarm(max(seconds, 0.0))
            self._waiter = self._bridge.loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._woken = False

    def _set_alarm(self, seconds: float) -> None:
        due = self._bridge.loop.time() + seconds
        if self._alarm is not None:
            # One that rings too early stays: a new one for each frame would cost more than a
            # wake-up for nothing.
            if self._alarm.when() <= due:
                return
            self._alarm.cancel()
        self._alarm = self._bridge.loop.call_at(due, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self.wake()

    def take_fresh(self) -> set[Channel]:
        """The channels with something newer since the last call."""
        fresh, self.fresh = self.fresh, set()
        return fresh

    def take_predictions(self, camera: str) -> Iterable[PredictionMessage]:
        """The predictions of a camera since the last call, oldest first; of many, the newest."""
        return self.predictions.pop(camera, ())

    def add_prediction(self, camera: str, prediction: PredictionMessage) -> None:
        """Queue a prediction; the oldest falls out."""
        self.predictions.setdefault(camera, deque(maxlen=PREDICTIONS_PER_CAMERA)).append(prediction)


class LoopBridge:
    """Passes update from the hub's thread on to the subscriptions of one loop: one wake-up of the
    loop at a time, whatever comes in.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        want: Callable[[Channel], None],
        drop: Callable[[Channel], None],
    ) -> None:
        self.loop = loop
        self.want = want
        self.drop = drop
        self.viewers: dict[Channel, set[Subscription]] = {}
        self.subscriptions: set[Subscription] = set()
        self._lock = threading.Lock()
        self._pending = Update()
        self._woken = False

    def subscribe(self) -> Subscription:
        """A new viewer."""
        subscription = Subscription(self)
        self.subscriptions.add(subscription)
        return subscription

    def forget(self, subscription: Subscription) -> None:
        """The viewer has gone."""
        self.subscriptions.discard(subscription)

    def join(self, subscription: Subscription, channel: Channel) -> None:
        """Begin to pass on a channel."""
        viewers = self.viewers.setdefault(channel, set())
        if not viewers:
            self.want(channel)
        viewers.add(subscription)

    def leave(self, subscription: Subscription, channel: Channel) -> None:
        """No longer pass on a channel."""
        viewers = self.viewers.get(channel, set())
        viewers.discard(subscription)
        if channel in self.viewers and not viewers:
            del self.viewers[channel]
            self.drop(channel)

    def post(self, update: Update) -> bool:
        """Called by the hub's thread. False when the loop is gone."""
        with self._lock:
            self._pending.add(update)
            if self._woken:
                return True
            self._woken = True
        try:
            self.loop.call_soon_threadsafe(self._deliver)
        except RuntimeError:
            return False
        return True

    def _deliver(self) -> None:
        with self._lock:
            update, self._pending, self._woken = self._pending, Update(), False
        for channel in update.channels:
            for viewer in self.viewers.get(channel, ()):
                viewer.fresh.add(channel)
                viewer.wake()
        for channel, prediction in update.predictions:
            for viewer in self.viewers.get(channel, ()):
                viewer.add_prediction(channel.camera, prediction)
                viewer.fresh.add(channel)
                viewer.wake()
        if update.health:
            for viewer in self.subscriptions:
                viewer.health_changed = True
                viewer.wake()
