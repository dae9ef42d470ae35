"""A network that can be broken: a TCP proxy on loopback that cuts, swallows, delays, slows down,
spoils or refuses what goes through it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from .ports import LOOPBACK, free_port

Spoil = Callable[[bytes], bytes]
Result = TypeVar("Result")

CHUNK = 16 * 1024
BUFFERED = 8 * 2**20
TICK = 0.1
SMALL_BUFFER = 16 * 1024
RESET = struct.pack("ii", 1, 0)  # close() sends a reset, no farewell


@dataclass(frozen=True, slots=True)
class Weather:
    """What the network does to each direction: seconds that a byte is under way, bytes a second
    (0 = all that come), whether any come at all.
    """

    delay: float = 0.0
    rate: float = 0.0
    passes: bool = True


class FaultProxy:
    """Passes connections to `port` on to `target`, a port of `host`; what it does to them can be
    changed while it runs.

    `bytes_up` (to the target), `bytes_down` and `accepted` (connections) count from the start;
    `open` is the number of connections now. It runs in a thread of this process. One fault at a
    time: each method replaces the one before, and `forward` ends it.
    """

    def __init__(self, target: int, port: int | None = None, host: str = LOOPBACK) -> None:
        self.host = host
        self.target = target
        self.port = port or free_port()
        self.accepted = self.bytes_up = self.bytes_down = 0
        self.spoil: Callable[[], Spoil] | None = None
        self.weather = Weather()
        self.changed = asyncio.Event()
        self._connections: set[_Connection] = set()
        self._loop: asyncio.AbstractEventLoop
        self._thread: threading.Thread
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        """host:port, to build an address of any scheme on."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def open(self) -> int:
        return len(self._connections)

    def start(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name=f"proxy-{self.port}", daemon=True
        )
        self._thread.start()
        self._do(self._listen())
        return self

    def stop(self) -> None:
        """Closes the port and all connections, for good."""
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def forward(self) -> None:
        """All is well, from now on. What was held back goes on its way."""
        self.spoil = None
        self._do(self._become(Weather()))
        self._do(self._listen())

    def reset(self) -> None:
        """Cuts all connections with a TCP reset. New ones are welcome."""
        self._do(self._cut())

    def refuse(self) -> None:
        """Unplugged: cuts all connections and closes the port."""
        self._do(self._close())

    def black_hole(self) -> None:
        """Connections stay open and are accepted; nothing comes through, either way."""
        self._do(self._become(Weather(passes=False)))

    def delay(self, seconds: float) -> None:
        """Each byte takes so long, in each direction."""
        self._do(self._become(Weather(delay=seconds)))

    def throttle(self, bytes_per_second: float) -> None:
        """So few bytes get through, in each direction of each connection."""
        self._do(self._become(Weather(rate=bytes_per_second)))

    def mangle(self, spoil: Callable[[], Spoil]) -> None:
        """What the target sends on connections made from now on is changed; each gets a function
        of its own, and keeps it.
        """
        self.spoil = spoil

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _do(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(
                self._welcome, LOOPBACK, self.port, limit=CHUNK
            )

    async def _close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        await self._cut()

    async def _end(self) -> None:
        await self._close()
        await asyncio.gather(
            *(asyncio.all_tasks() - {asyncio.current_task()}), return_exceptions=True
        )

    async def _cut(self) -> None:
        for connection in list(self._connections):
            connection.cut()

    async def _become(self, weather: Weather) -> None:
        self.weather = weather
        self.changed.set()
        self.changed = asyncio.Event()

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        connection = _Connection(self, reader, writer)
        self._connections.add(connection)
        try:
            await connection.serve()
        finally:
            self._connections.discard(connection)

    async def passing(self) -> Weather:
        """The weather, once it lets anything through."""
        while not self.weather.passes:
            await self.changed.wait()
        return self.weather


class _Connection:
    """One client's connection and ours to the target."""

    def __init__(
        self, proxy: FaultProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.proxy = proxy
        self.reader, self.writer = reader, writer
        self.target: asyncio.StreamWriter | None = None
        self.task = asyncio.current_task()
        self.spoil = proxy.spoil() if proxy.spoil else None

    async def serve(self) -> None:
        """Until one side hangs up or the connection is cut; then both are closed."""
        try:
            await self.proxy.passing()
            reader, self.target = await asyncio.open_connection(
                self.proxy.host, self.proxy.target, limit=CHUNK
            )
            for writer in (self.writer, self.target):
                # Little room on the way, so that a slow side is soon felt by the other.
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER
                )
                writer.transport.set_write_buffer_limits(SMALL_BUFFER)
            up = asyncio.ensure_future(self._pump(self.reader, self.target, self._count_up))
            down = asyncio.ensure_future(self._pump(reader, self.writer, self._count_down))
            try:
                await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in (up, down):
                    pump.cancel()
                await asyncio.gather(up, down, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for end in (self.writer, self.target):
                if end is not None:
                    end.close()

    def cut(self) -> None:
        """End both sides with a reset."""
        for end in (self.writer, self.target):
            if end is not None:
                with contextlib.suppress(OSError):
                    end.get_extra_info("socket").setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, RESET
                    )
                end.transport.abort()
        if self.task is not None:
            self.task.cancel()

    def _count_up(self, data: bytes) -> bytes:
        self.proxy.bytes_up += len(data)
        return data

    def _count_down(self, data: bytes) -> bytes:
        self.proxy.bytes_down += len(data)
        return self.spoil(data) if self.spoil else data

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counted: Spoil
    ) -> None:
        """Reader and writer are two tasks, so that a delay holds up the bytes and not the flow."""
        way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(BUFFERED // CHUNK)
        receiving = asyncio.ensure_future(self._receive(reader, way))
        try:
            while data := await self._next(way):
                await self._send(writer, counted(data))
                way.task_done()
        finally:
            receiving.cancel()

    async def _receive(
        self, reader: asyncio.StreamReader, way: asyncio.Queue[tuple[float, bytes]]
    ) -> None:
        data = b"-"
        while data:
            await self.proxy.passing()
            if self.proxy.weather.rate:
                await way.join()  # a slow line takes no more than it can carry
            try:
                data = await reader.read(CHUNK)
            except OSError:
                data = b""
            await way.put((time.monotonic() + self.proxy.weather.delay, data))

    async def _next(self, way: asyncio.Queue[tuple[float, bytes]]) -> bytes:
        due, data = await way.get()
        if (left := due - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self.proxy.changed.wait()
        await self.proxy.passing()
        return data

    async def _send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        while data:
            weather = await self.proxy.passing()
            size = max(1, int(weather.rate * TICK)) if weather.rate else len(data)
            part, data = data[:size], data[size:]
            writer.write(part)
            await writer.drain()
            if weather.rate:
                await asyncio.sleep(len(part) / weather.rate)
