"""A video file that plays for ever, at the pace of its time stamps."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import av
from av.container import InputContainer

from cameras.address import Address
from cameras.sources import failures, video
from cameras.sources.base import SourceSettings

if TYPE_CHECKING:
    from cameras.sources import Check

# Real containers only: no playlist or script that names other files.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mjpeg,h264,hevc"
LONGEST_GAP = 10.0


class FileSource:
    """A file on this machine instead of a camera. `codec` is known once it is open."""

    paced = False

    def __init__(self, settings: SourceSettings, address: Address, stop: threading.Event, check: Check) -> None:
        self.codec = ""
        self._path = address.path
        self._stop = stop
        self._container: InputContainer | None = None

    def __enter__(self) -> Self:
        options = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
        try:
            self._container = av.open(f"file:{self._path}", options=options)
        except FileNotFoundError as err:
            raise failures.unreachable(f"There is no file {self._path}.") from err
        except PermissionError as err:
            raise failures.unreachable(f"The file {self._path} may not be read by this process.") from err
        except (av.error.FFmpegError, OSError) as err:
            raise failures.unreachable(f"The file {self._path} is not a video that can be played.") from err
        if not self._container.streams.video:
            self.__exit__()
            raise failures.unreachable(f"The file {self._path} holds no video.")
        return self

    def __exit__(self, *exc: object) -> None:
        if self._container is not None:
            self._container.close()

    def __iter__(self) -> Iterator[video.VideoGrab | video.BrokenGrab]:
        assert self._container is not None
        stream = self._container.streams.video[0]
        video.prepare(stream)
        self.codec = stream.codec_context.name
        while not self._stop.is_set():
            shown = 0
            for grab in self._round(self._container):
                shown += 1
                yield grab
            if not shown and not self._stop.is_set():
                raise failures.unreachable(f"No picture can be decoded from the file {self._path}.")

    def _round(self, container: InputContainer) -> Iterator[video.VideoGrab | video.BrokenGrab]:
        """The file once, from its start. Each frame waits for its time."""
        started = None
        try:
            container.seek(0)
            for grab in video.grabs(container, container.streams.video[0]):
                if not isinstance(grab, video.VideoGrab):
                    continue
                at = grab.frame.time or 0.0
                started = time.monotonic() - at if started is None else started
                if self._stop.wait(min(LONGEST_GAP, max(0.0, started + at - time.monotonic()))):
                    return
                yield replace(grab, captured_at=time.time_ns())
        except (av.error.FFmpegError, OSError) as err:
            raise failures.unreachable(f"The file {self._path} cannot be played any further.") from err
