"""RTSP cameras (H.264, H.265, MJPEG and whatever else FFmpeg decodes) through PyAV."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from cameras.sources import failures, video
from cameras.sources.addresses import Address
from cameras.sources.base import AddressError, DestinationCheck, SourceError, SourceSettings
from cameras.sources.container import ContainerSource, VideoFrames
from cameras.sources.rtsp.relay import Relay
from sightline.messages import CameraState, Cause

PROTOCOLS = {"tcp": "rtsp,tcp", "udp": "rtsp,tcp,udp,rtp"}
# Nothing can be decoded before a key frame, and a camera may send one only every ten seconds.
UNDECODED_SECONDS = 15.0


class RtspSource(ContainerSource):
    """A camera that streams over RTSP. Each frame comes out as soon as its last packet is in."""

    no_video = "The camera sends no video."

    def __init__(
        self,
        settings: SourceSettings,
        address: Address,
        stop: threading.Event,
        check: DestinationCheck,
    ) -> None:
        super().__init__(stop)
        self._settings = settings
        self._address = address
        self._check = check
        self._relay: Relay | None = None

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        if self._relay is not None:
            self._relay.close()

    def _open(self) -> InputContainer:
        try:
            addresses = self._check(self._address.host, self._address.port)
        except AddressError as err:
            raise failures.unreachable(str(err), Cause.ADDRESS_REFUSED) from err
        self._relay = Relay(self._settings, self._address, addresses)
        self._relay.start()
        try:
            return self._opened(self._relay)
        except BaseException:
            self._relay.close()
            raise

    def _read(self, container: InputContainer, stream: VideoStream) -> VideoFrames:
        patience = max(UNDECODED_SECONDS, 2 * self._settings.read_timeout)
        decoded_at = time.monotonic()
        frames = self._frames(container, stream)
        while not self._stop.is_set():
            asked_at = time.monotonic()
            frame = next(frames)
            now = time.monotonic()
            if now - asked_at >= self._settings.read_timeout:
                # FFmpeg timed out and released the last frame it held; it would wait as long again.
                raise failures.stalled()
            if frame is not None:
                yield frame
            if isinstance(frame, video.DecodedFrame):
                decoded_at = now
            elif now - decoded_at > patience:
                raise SourceError(
                    CameraState.STALLED,
                    "The camera sends data, but no picture can be decoded from it.",
                    Cause.UNDECODABLE,
                )

    def _opened(self, relay: Relay) -> InputContainer:
        settings = self._settings
        # With TLS the media stay on the connection: beside it they would not be encrypted.
        transport = "tcp" if self._address.scheme == "rtsps" else settings.transport
        try:
            return av.open(
                relay.url,
                format="rtsp",
                options=_options(transport),
                timeout=(settings.open_timeout, settings.read_timeout),
            )
        except (av.error.FFmpegError, OSError) as err:
            # Not chained: the library's message contains the relay's token.
            raise relay.failure or self._translated(err, relay) from None

    def _frames(
        self, container: InputContainer, stream: VideoStream
    ) -> Iterator[video.DecodedFrame | video.UndecodableFrame | None]:
        try:
            yield from video.decoded_frames(container, stream)
        except (av.error.FFmpegError, OSError) as err:
            raise (failures.stalled() if _is_timeout(err) else self._ended()) from None
        raise self._ended()

    def _ended(self) -> SourceError:
        return (self._relay and self._relay.failure) or failures.ended()

    def _translated(self, err: Exception, relay: Relay) -> SourceError:
        if isinstance(err, av.error.HTTPForbiddenError):
            return failures.forbidden()
        if isinstance(err, av.error.HTTPNotFoundError):
            return failures.not_found()
        if relay.waits or _is_timeout(err):
            return failures.stalled(answered=relay.answered)
        if isinstance(err, av.error.HTTPOtherClientError):
            return failures.unreachable(
                "The camera sends no video at this address.", Cause.NO_VIDEO
            )
        if isinstance(err, (av.error.InvalidDataError, av.error.HTTPError)):
            return failures.no_video()
        return failures.from_os_error(err, self._address.host, self._address.port)


def _options(transport: str) -> dict[str, str]:
    return {
        "rtsp_transport": transport if transport in PROTOCOLS else "tcp",
        "protocol_whitelist": PROTOCOLS.get(transport, PROTOCOLS["tcp"]),
        "allowed_media_types": "video",
        # Do not analyse the stream beforehand: the decoder learns everything from the first key
        # frame. Frames read for the analysis would come late and all at once, and "nobuffer" would
        # drop that key frame.
        "analyzeduration": "1",
        "probesize": "32",
        "fpsprobesize": "0",
    }


def _is_timeout(err: Exception) -> bool:
    return isinstance(err, (av.error.ExitError, TimeoutError))
