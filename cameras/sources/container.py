"""The base of the sources that FFmpeg opens."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Self

from av.container import InputContainer
from av.video.stream import VideoStream

from cameras.sources import failures, video
from sightline.messages import Cause

VideoFrames = Iterator[video.DecodedFrame | video.UndecodableFrame]


class ContainerSource(ABC):
    """Reads the first video stream of a container. `no_video` is the operator's sentence if there
    is none.
    """

    paced = False
    no_video: str

    def __init__(self, stop: threading.Event) -> None:
        self.codec = ""
        self._stop = stop
        self._container: InputContainer | None = None

    @abstractmethod
    def _open(self) -> InputContainer:
        """Connect. Raises SourceError."""

    @abstractmethod
    def _read(self, container: InputContainer, stream: VideoStream) -> VideoFrames:
        """Yield frames until the stop event is set. Raises SourceError."""

    def __enter__(self) -> Self:
        self._container = self._open()
        if not self._container.streams.video:
            self.__exit__()
            raise failures.unreachable(self.no_video, Cause.NO_VIDEO)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._container is not None:
            self._container.close()

    def __iter__(self) -> VideoFrames:
        assert self._container is not None
        stream = self._container.streams.video[0]
        video.prepare(stream)
        self.codec = stream.codec_context.name
        return self._read(self._container, stream)
