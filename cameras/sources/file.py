"""A video file, played in a loop at the pace of its time stamps."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from cameras.sources import failures, video
from cameras.sources.addresses import Address
from cameras.sources.base import DestinationCheck, SourceSettings
from cameras.sources.container import ContainerSource, VideoFrames
from sightline.messages import Cause

# Real containers only: no playlist or script that names other files.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mjpeg,h264,hevc"
MAX_GAP = 10.0


class FileSource(ContainerSource):
    """A file on this machine instead of a camera."""

    def __init__(
        self,
        settings: SourceSettings,
        address: Address,
        stop: threading.Event,
        check: DestinationCheck,
    ) -> None:
        super().__init__(stop)
        self._path = address.path
        self.no_video = f"The file {self._path} holds no video."

    def _open(self) -> InputContainer:
        options = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
        try:
            return av.open(f"file:{self._path}", options=options)
        except FileNotFoundError as err:
            raise failures.unreachable(f"There is no file {self._path}.", Cause.LOCAL) from err
        except PermissionError as err:
            raise failures.unreachable(
                f"The file {self._path} may not be read by this process.", Cause.NOT_PERMITTED
            ) from err
        except (av.error.FFmpegError, OSError) as err:
            raise failures.unreachable(
                f"The file {self._path} is not a video that can be played.", Cause.LOCAL
            ) from err

    def _read(self, container: InputContainer, stream: VideoStream) -> VideoFrames:
        while not self._stop.is_set():
            shown = 0
            for frame in self._round(container, stream):
                shown += 1
                yield frame
            if not shown and not self._stop.is_set():
                raise failures.unreachable(
                    f"No picture can be decoded from the file {self._path}.", Cause.LOCAL
                )

    def _round(self, container: InputContainer, stream: VideoStream) -> VideoFrames:
        """Play the file once from its start, each frame at its time."""
        started = None
        try:
            container.seek(0)
            for frame in video.decoded_frames(container, stream):
                if not isinstance(frame, video.DecodedFrame):
                    continue
                at = frame.decoded.time or 0.0
                started = time.monotonic() - at if started is None else started
                if self._stop.wait(min(MAX_GAP, max(0.0, started + at - time.monotonic()))):
                    return
                yield replace(frame, captured_at=time.time_ns())
        except (av.error.FFmpegError, OSError) as err:
            raise failures.unreachable(
                f"The file {self._path} cannot be played any further.", Cause.LOCAL
            ) from err
