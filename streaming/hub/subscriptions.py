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

from streaming.hub.channels import Channel, Kind

PREDICTIONS_PER_CAMERA = 32
PREDICTIONS_PER_MAIL = 2048


class Predicted(NamedTuple):
    """A prediction, as the message that viewers get, and the ``captured_at`` and ``seq`` of the
    frame that it is for.
    """

    frame: tuple[int, int]
    text: str


@dataclass(slots=True)
class Update:
    """What came in since the last time: which feeds have something newer, and predictions."""

    feeds: set[Channel] = field(default_factory=set)
    predictions: deque[tuple[Channel, Predicted]] = field(
        default_factory=lambda: deque(maxlen=PREDICTIONS_PER_MAIL)
    )
    health: bool = False

    def __bool__(self) -> bool:
        return bool(self.feeds or self.predictions or self.health)

    def add(self, other: Update) -> None:
        """Take over what ``other`` holds."""
        self.feeds |= other.feeds
        self.predictions.extend(other.predictions)
        self.health |= other.health


class Subscription:
    """One viewer's interest. For the loop that it was made in; ``close`` it."""

    def __init__(self, relay: LoopBridge) -> None:
        self._relay = relay
        self._rung = False
        self._waiter: asyncio.Future[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self.feeds: set[Channel] = set()
        self.fresh: set[Channel] = set()
        self.predictions: dict[str, deque[Predicted]] = {}
        self.health_changed = False

    def watch(self, *feeds: Channel) -> None:
        """Follow more feeds. What is known already counts as fresh."""
        for feed in set(feeds) - self.feeds:
            self.feeds.add(feed)
            self.fresh.add(feed)
            self._relay.join(self, feed)
        self.wake()

    def unwatch(self, *feeds: Channel) -> None:
        """Follow less."""
        for feed in self.feeds & set(feeds):
            self.feeds.discard(feed)
            self.fresh.discard(feed)
            if feed.kind is Kind.PREDICTIONS:
                self.predictions.pop(feed.camera, None)
            self._relay.leave(self, feed)

    def close(self) -> None:
        """Follow nothing any more."""
        self.unwatch(*self.feeds)
        self._relay.forget(self)
        if self._alarm is not None:
            self._alarm.cancel()

    def wake(self) -> None:
        """Let ``wait`` return."""
        self._rung = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self, seconds: float) -> None:
        """Return when something new came since the last call, after ``seconds`` at the latest,
        now and then for nothing. For one task.
        """
        if not self._rung:
            self._set_alarm(max(seconds, 0.0))
            self._waiter = self._relay.loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._rung = False

    def _set_alarm(self, seconds: float) -> None:
        due = self._relay.loop.time() + seconds
        if self._alarm is not None:
            # One that rings too early stays: a new one for each frame would cost more than a
            # wake-up for nothing.
            if self._alarm.when() <= due:
                return
            self._alarm.cancel()
        self._alarm = self._relay.loop.call_at(due, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self.wake()

    def take_fresh(self) -> set[Channel]:
        """The feeds with something newer since the last call."""
        fresh, self.fresh = self.fresh, set()
        return fresh

    def take_predictions(self, camera: str) -> Iterable[Predicted]:
        """The predictions of a camera since the last call, oldest first; of many, the newest."""
        return self.predictions.pop(camera, ())

    def add_prediction(self, camera: str, prediction: Predicted) -> None:
        """Queue a prediction; the oldest falls out."""
        self.predictions.setdefault(camera, deque(maxlen=PREDICTIONS_PER_CAMERA)).append(prediction)


class LoopBridge:
    """Passes news from the hub's thread on to the subscriptions of one loop: one wake-up of the
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
        self._mail = Update()
        self._rung = False

    def subscribe(self) -> Subscription:
        """A new viewer."""
        subscription = Subscription(self)
        self.subscriptions.add(subscription)
        return subscription

    def forget(self, subscription: Subscription) -> None:
        """The viewer has gone."""
        self.subscriptions.discard(subscription)

    def join(self, subscription: Subscription, feed: Channel) -> None:
        """Begin to pass on a feed."""
        viewers = self.viewers.setdefault(feed, set())
        if not viewers:
            self.want(feed)
        viewers.add(subscription)

    def leave(self, subscription: Subscription, feed: Channel) -> None:
        """No longer pass on a feed."""
        viewers = self.viewers.get(feed, set())
        viewers.discard(subscription)
        if feed in self.viewers and not viewers:
            del self.viewers[feed]
            self.drop(feed)

    def post(self, news: Update) -> bool:
        """Called by the hub's thread. False when the loop is gone."""
        with self._lock:
            self._mail.add(news)
            if self._rung:
                return True
            self._rung = True
        try:
            self.loop.call_soon_threadsafe(self._deliver)
        except RuntimeError:
            return False
        return True

    def _deliver(self) -> None:
        with self._lock:
            mail, self._mail, self._rung = self._mail, Update(), False
        for feed in mail.feeds:
            for viewer in self.viewers.get(feed, ()):
                viewer.fresh.add(feed)
                viewer.wake()
        for feed, prediction in mail.predictions:
            for viewer in self.viewers.get(feed, ()):
                viewer.add_prediction(feed.camera, prediction)
                viewer.fresh.add(feed)
                viewer.wake()
        if mail.health:
            for viewer in self.subscriptions:
                viewer.health_changed = True
                viewer.wake()
