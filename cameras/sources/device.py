"""A camera plugged into this machine, by Video4Linux."""

from __future__ import annotations

import threading

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from cameras.sources import failures, video
from cameras.sources.addresses import Address
from cameras.sources.base import DestinationCheck, SourceSettings
from cameras.sources.container import ContainerSource, VideoFrames
from sightline.messages import Cause


class DeviceSource(ContainerSource):
    """`/dev/videoN` at the size and rate that the driver has set."""

    def __init__(
        self,
        settings: SourceSettings,
        address: Address,
        stop: threading.Event,
        check: DestinationCheck,
    ) -> None:
        super().__init__(stop)
        self._settings = settings
        self._path = address.path
        self.no_video = f"The device {self._path} gives no video."

    def _open(self) -> InputContainer:
        timeout = (self._settings.open_timeout, self._settings.read_timeout)
        try:
            return av.open(self._path, format="v4l2", timeout=timeout)
        except FileNotFoundError as err:
            raise failures.unreachable(
                f"No camera is plugged in at {self._path}.", Cause.LOCAL
            ) from err
        except PermissionError as err:
            raise failures.unreachable(
                f"This process may not use {self._path}. Add its user to the group 'video'.",
                Cause.NOT_PERMITTED,
            ) from err
        except (av.error.FFmpegError, OSError, ValueError) as err:
            raise failures.unreachable(
                f"The camera at {self._path} cannot be opened, or is in use.", Cause.LOCAL
            ) from err

    def _read(self, container: InputContainer, stream: VideoStream) -> VideoFrames:
        frames = video.decoded_frames(container, stream)
        while not self._stop.is_set():
            try:
                frame = next(frames, None)
            except (av.error.FFmpegError, OSError) as err:
                raise failures.unreachable(
                    f"The camera at {self._path} stopped sending pictures.", Cause.LOCAL
                ) from err
            if frame is not None:
                yield frame
