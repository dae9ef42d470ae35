"""Probes a camera once: what it sends, or in plain words why nothing comes."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from cameras.models import KIND_NOT_ALLOWED, Camera, allowed_kinds, check_address
from cameras.sources import open_source
from cameras.sources.base import CorruptFrame, Jpeg, Source, SourceError
from cameras.sources.credentials import SecretError

WATCH_SECONDS = 2.0
THUMBNAIL_WIDTH = 320
THUMBNAIL_QUALITY = 70
PROBE_QUALITY = 90


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The camera's own size and frames a second, or ``error``, one plain sentence."""

    error: str = ""
    codec: str = ""
    width: int = 0
    height: int = 0
    fps: float = 0.0
    thumbnail: bytes = b""


def probe(camera: Camera) -> ProbeResult:
    """Connect, watch for two seconds, disconnect."""
    try:
        if camera.kind not in allowed_kinds():
            return ProbeResult(error=KIND_NOT_ALLOWED)
        with open_source(
            camera.source_settings(), threading.Event(), check=check_address
        ) as source:
            return _watch(source)
    except (SourceError, SecretError) as err:
        return ProbeResult(error=str(err))


def _watch(source: Source) -> ProbeResult:
    first: Jpeg | None = None
    thumbnail = b""
    times: list[int] = []
    damaged = 0
    for frame in source:
        times.append(frame.captured_at)
        try:
            if first is None:
                thumbnail = frame.jpeg(THUMBNAIL_QUALITY, THUMBNAIL_WIDTH).data
                first = frame.jpeg(PROBE_QUALITY, None)
        except CorruptFrame:
            damaged += 1
        if time.time_ns() - times[0] > WATCH_SECONDS * 1e9:
            break
    if first is None:
        return ProbeResult(
            error=f"The camera connects, but its pictures are unusable ({damaged} damaged)."
            if damaged
            else "The camera connects, but sends no pictures."
        )
    return ProbeResult(
        codec=source.codec,
        width=first.width,
        height=first.height,
        fps=_rate(times),
        thumbnail=thumbnail,
    )


def _rate(times: list[int]) -> float:
    """Frames a second between the first and the last of ``times`` (ns)."""
    if len(times) < 2 or times[-1] == times[0]:
        return 0.0
    return round((len(times) - 1) * 1e9 / (times[-1] - times[0]), 1)
