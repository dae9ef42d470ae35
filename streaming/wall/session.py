"""What one viewer of the wall is sent: the newest frames of the tiles that can take one,
predictions, states.

One task sends everything, so that a client who does not read holds up this task and nothing else.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict

from sightline.base.frame_rate import FrameRateLimiter
from streaming import protocol
from streaming.hub.channels import Channel, ChannelKind
from streaming.hub.deliveries import Way
from streaming.hub.hub import Hub
from streaming.hub.model_states import ModelChanges
from streaming.hub.scaled_frame import FrameError
from streaming.hub.tracing import Painting
from streaming.wall.tiles import Tile

REPLIES = 64
ROUND_SECONDS = 1.0

SendText = Callable[[str], Awaitable[None]]
SendBytes = Callable[[bytes], Awaitable[None]]


class Wall:
    """The tiles of one viewer. All methods belong to the event loop."""

    def __init__(self, hub: Hub, send_text: SendText, send_bytes: SendBytes) -> None:
        self.hub = hub
        self.send_text = send_text
        self.send_bytes = send_bytes
        self.subscription = hub.subscribe()
        self.subscription.health_changed = True
        self.tiles: dict[str, Tile] = {}
        self.replies: deque[str] = deque(maxlen=REPLIES)
        self.waiting: dict[str, float] = {}
        self.states: dict[str, tuple[str, int]] = {}
        self.models = ModelChanges(hub.models)
        self.painting = Painting()
        self.next_round = 0.0

    def close(self) -> None:
        """The viewer has gone."""
        self.subscription.close()

    def watch(self, camera: str, fps: float, width: int, *, enabled: bool) -> None:
        """Show a camera, or change its rate and width. At 0 fps only its states are sent."""
        tile = self.tiles.get(camera)
        if tile is None:
            tile = self.tiles[camera] = Tile(camera, width, FrameRateLimiter(fps) if fps else None)
        elif (tile.width, tile.limiter.rate if tile.limiter else 0) != (width, fps):
            before = set(tile.channels)
            tile.reshape(fps, width)
            self.subscription.unwatch(*before.difference(tile.channels))
            self.waiting[camera] = 0.0
        tile.enabled = enabled
        self.subscription.watch(*tile.channels)

    def unwatch(self, camera: str) -> None:
        """Stop showing a camera."""
        tile = self.tiles.pop(camera, None)
        if tile is not None:
            self.subscription.unwatch(*tile.channels)
            self.models.forget(camera)
            self.waiting.pop(camera, None)
            self.states.pop(camera, None)

    def revoke(self, camera: str, state: str, detail: str) -> None:
        """Take a camera away from the viewer and say why."""
        self.unwatch(camera)
        self.reply(protocol.unreported_status(camera, state, time.time_ns(), detail))

    def acknowledge(self, camera: str, seq: int) -> None:
        """The viewer has received a frame."""
        tile = self.tiles.get(camera)
        if tile is not None:
            tile.flow.acknowledge(seq, time.monotonic())
            if camera in self.waiting:
                self.waiting[camera] = 0.0
                self.subscription.wake()

    def painted(self, camera: str, seq: int, at: int) -> None:
        """The viewer shows a frame that is traced, since ``at`` (ns since the epoch, by the
        clock of this server as the viewer knows it).
        """
        self.painting.painted(camera, seq, at)

    def reply(self, text: str) -> None:
        """Queue a text message; when too many wait, the oldest is dropped."""
        self.replies.append(text)
        self.subscription.wake()

    async def run(self) -> None:
        """Send until cancelled."""
        await self.send_text(protocol.hello())
        while True:
            await self.step()
            await self.subscription.wait(self._pause())

    async def step(self) -> None:
        """Send everything that is due now."""
        while self.replies:
            await self.send_text(self.replies.popleft())
        if self.subscription.health_changed and self.hub.kafka.known:
            self.subscription.health_changed = False
            await self.send_text(protocol.system(self.hub.kafka.reachable, self.hub.kafka.detail))
        fresh = _cameras_by_kind(self.subscription.take_fresh())
        now = time.monotonic()
        await self._send_models(fresh[ChannelKind.MODELS], now)
        await self._send_states(fresh[ChannelKind.STATUS], now)
        await self._send_predictions(fresh[ChannelKind.PREDICTIONS], now)
        await self._send_frames(fresh[ChannelKind.FRAMES], now)

    def _pause(self) -> float:
        now = time.monotonic()
        return max(0.0, min([self.next_round, *self.waiting.values()]) - now)

    async def _send_models(self, cameras: set[str], now: float) -> None:
        if now >= self.next_round and self.hub.kafka.reachable:
            # A dead worker sends nothing; this round notices its silence.
            cameras |= self.tiles.keys()
        if not cameras:
            return
        for said, seeing in self.models.take(cameras & self.tiles.keys()).items():
            await self.send_text(protocol.model(asdict(said), seeing))

    async def _send_states(self, cameras: set[str], now: float) -> None:
        if now >= self.next_round:
            self.next_round = now + ROUND_SECONDS
            cameras |= {camera for camera in self.tiles if self.hub.status(camera) is None}
        for camera in cameras & self.tiles.keys():
            await self._send_state(self.tiles[camera])

    async def _send_state(self, tile: Tile) -> None:
        reported = self.hub.status(tile.camera)
        if reported is not None:
            self.states.pop(tile.camera, None)
            if tile.sends_state(
                (
                    reported.state,
                    reported.since,
                    reported.detail,
                    reported.cause,
                    reported.width,
                    reported.height,
                )
            ):
                await self.send_text(protocol.status(reported))
        elif not tile.enabled:
            await self._send_own_state(
                tile, "disabled", "This camera is switched off in its settings."
            )
        elif self.hub.settled:
            await self._send_own_state(tile, "unknown", "No capture worker reports this camera.")

    async def _send_own_state(self, tile: Tile, state: str, detail: str) -> None:
        known, since = self.states.get(tile.camera, ("", 0))
        if known != state:
            since = time.time_ns()
            self.states[tile.camera] = (state, since)
        if tile.sends_state((state, since)):
            await self.send_text(protocol.unreported_status(tile.camera, state, since, detail))

    async def _send_predictions(self, cameras: set[str], now: float) -> None:
        for tile in [self.tiles[camera] for camera in cameras & self.tiles.keys()]:
            for text in tile.due(self.subscription.take_predictions(tile.camera), now):
                await self.send_text(text)

    async def _send_frames(self, cameras: set[str], now: float) -> None:
        cameras |= {camera for camera, due in self.waiting.items() if due <= now}
        ready = [
            tile
            for camera in cameras
            if (tile := self.tiles.get(camera)) is not None and self._may_go(tile, now)
        ]
        for tile in ready:
            # Start scaling every frame before waiting for the first.
            if (live := self.hub.frame(tile.frames)) is not None:
                live.start(tile.size_of(live.frame))
        for tile in ready:
            await self._send_frame(tile)

    def _may_go(self, tile: Tile, now: float) -> bool:
        live = self.hub.frame(tile.frames)
        self.waiting.pop(tile.camera, None)
        if live is None:
            return False
        if (wait := tile.flow.wait(now)) > 0:
            self.waiting[tile.camera] = now + wait
            return False
        return tile.offer(live.frame)

    async def _send_frame(self, tile: Tile) -> None:
        live = self.hub.frame(tile.frames)
        if live is None or self.tiles.get(tile.camera) is not tile:
            return
        size = tile.size_of(live.frame)
        try:
            scaled_frame = await live.at(size)
        except FrameError:
            return
        now = time.monotonic()
        tile.went(scaled_frame.frame, size, now)
        data = scaled_frame.written(protocol.frame)
        await self.send_bytes(data)
        self.hub.deliveries.sent(Way.WALL, scaled_frame.frame, len(data))
        if live.frame.trace:
            self.painting.sent(live)
        for text in tile.due((), now):
            await self.send_text(text)


def _cameras_by_kind(channels: Iterable[Channel]) -> defaultdict[ChannelKind, set[str]]:
    cameras: defaultdict[ChannelKind, set[str]] = defaultdict(set)
    for camera, kind in channels:
        cameras[kind].add(camera)
    return cameras
