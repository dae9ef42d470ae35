"""The embedded broker: librdkafka's own, in a process of its own, behind a port that does not
change.

librdkafka picks another port for the broker at each start. Clients bootstrap from the fixed port,
whose connections are forwarded to the broker; the broker's metadata then names its own port, which
carries the data. So every client finds it again after a restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Coroutine

from sightline import kafka
from sightline.base.process import prepare

log = logging.getLogger(__name__)


async def serve(port: int, *, stop: asyncio.Event | None = None) -> None:
    """Run the broker, reachable at 127.0.0.1:``port``, until SIGTERM, SIGINT or ``stop``."""
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    handle, address = kafka.embedded_broker()
    host, inner_port = address.rsplit(":", 1)

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError):
            upstream_reader, upstream_writer = await asyncio.open_connection(host, int(inner_port))
            with contextlib.closing(upstream_writer):
                await _first_done(_pump(reader, upstream_writer), _pump(upstream_reader, writer))

    server = await asyncio.start_server(forward, "127.0.0.1", port)
    async with server:
        log.info("embedded broker ready port=%s", port)
        await stop.wait()
    del handle


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(64 * 1024):
            writer.write(data)
            await writer.drain()


async def _first_done(*directions: Coroutine[None, None, None]) -> None:
    tasks = [asyncio.create_task(direction) for direction in directions]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    prepare()
    # Run as a module, without Django's start-up, to be ready before the processes that need it.
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(serve(int(sys.argv[1])))
