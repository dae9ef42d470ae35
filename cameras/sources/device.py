"""A camera plugged into this machine, by Video4Linux."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Self

import av
from av.container import InputContainer

from cameras.address import Address
from cameras.sources import failures, video
from cameras.sources.base import SourceSettings

if TYPE_CHECKING:
    from cameras.sources import Check


class DeviceSource:
    """`/dev/videoN` at the size and rate that the driver has set."""

    paced = False

    def __init__(self, settings: SourceSettings, address: Address, stop: threading.Event, check: Check) -> None:
        self.codec = ""
        self._settings = settings
        self._path = address.path
        self._stop = stop
        self._container: InputContainer | None = None

    def __enter__(self) -> Self:
        timeout = (self._settings.open_timeout, self._settings.read_timeout)
        try:
            self._container = av.open(self._path, format="v4l2", timeout=timeout)
        except FileNotFoundError as err:
            raise failures.unreachable(f"No camera is plugged in at {self._path}.") from err
        except PermissionError as err:
            raise failures.unreachable(f"This process may not use {self._path}. Add its user to the group 'video'.") from err
        except (av.error.FFmpegError, OSError, ValueError) as err:
            raise failures.unreachable(f"The camera at {self._path} cannot be opened, or is in use.") from err
        return self

    def __exit__(self, *exc: object) -> None:
        if self._container is not None:
            self._container.close()

    def __iter__(self) -> Iterator[video.VideoGrab | video.BrokenGrab]:
        assert self._container is not None
        stream = self._container.streams.video[0]
        video.prepare(stream)
        self.codec = stream.codec_context.name
        grabs = video.grabs(self._container, stream)
        while not self._stop.is_set():
            try:
                grab = next(grabs, None)
            except (av.error.FFmpegError, OSError) as err:
                raise failures.unreachable(f"The camera at {self._path} stopped sending pictures.") from err
            if grab is not None:
                yield grab
