"""What a web process says of itself."""

from __future__ import annotations

from functools import cache

from sightline.messages import WorkerStatus
from sightline.reporter import Reporter
from streaming.hub import hub


@cache
def web_reporter() -> Reporter:
    """This process's reporter, started by the command that serves."""
    return Reporter("web", counters)


def counters() -> dict[str, int]:
    """Who watches here, and what is read for them."""
    source = hub()
    return {"viewers": source.viewers, "feeds": len(source.pictures), "malformed": source.malformed}


def this_process() -> WorkerStatus:
    """This process as it is now, whether or not Kafka carries its reports."""
    return web_reporter().report.status()
