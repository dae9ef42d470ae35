"""RTSP cameras (H.264, H.265, MJPEG and whatever else FFmpeg decodes) through PyAV."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from urllib.parse import quote

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from cameras.sources import failures, video
from cameras.sources.addresses import Address
from cameras.sources.base import AddressError, DestinationCheck, SourceError, SourceSettings
from cameras.sources.container import ContainerSource, VideoFrames
from cameras.sources.rtsp_greeting import greeted
from sightline.messages import CameraState

# FFmpeg keeps the encoded "user:password" in a buffer of 128 bytes and silently cuts off the rest.
MAX_LOGIN = 127
# Characters that a URL's userinfo may hold unencoded (RFC 3986), which keeps the login short.
PLAIN_IN_LOGIN = "!$&'()*+,;="
PROTOCOLS = {"tcp": "rtsp,rtsps,tls,tcp", "udp": "rtsp,rtsps,tls,tcp,udp,rtp"}
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

    def _open(self) -> InputContainer:
        try:
            self._check(self._address.host, self._address.port)
        except AddressError as err:
            raise failures.unreachable(str(err)) from err
        with greeted(self._address, self._settings.open_timeout):
            return self._opened()

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
                )

    def _opened(self) -> InputContainer:
        settings = self._settings
        try:
            return av.open(
                _with_login(self._address.url, settings.username, settings.password),
                format="rtsp",
                options=_options(settings.transport),
                timeout=(settings.open_timeout, settings.read_timeout),
            )
        except (av.error.FFmpegError, OSError) as err:
            # Not chained: the library's message contains the URL with the password.
            raise self._translated(err) from None

    def _frames(
        self, container: InputContainer, stream: VideoStream
    ) -> Iterator[video.DecodedFrame | video.UndecodableFrame | None]:
        try:
            yield from video.decoded_frames(container, stream)
        except (av.error.FFmpegError, OSError) as err:
            raise (failures.stalled() if _is_timeout(err) else failures.ended()) from None
        raise failures.ended()

    def _translated(self, err: Exception) -> SourceError:
        if isinstance(err, av.error.HTTPUnauthorizedError):
            return failures.auth_failed() if self._settings.username else failures.auth_needed()
        if isinstance(err, av.error.HTTPForbiddenError):
            return failures.forbidden()
        if isinstance(err, av.error.HTTPNotFoundError):
            return failures.not_found()
        if _is_timeout(err):
            return failures.stalled()
        if isinstance(err, av.error.HTTPOtherClientError):
            return failures.unreachable("The camera sends no video at this address.")
        if isinstance(err, (av.error.InvalidDataError, av.error.HTTPError)):
            return failures.unreachable(
                "The camera answers, but gives no video that can be read at this address."
            )
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


def _with_login(url: str, username: str, password: str) -> str:
    if not username:
        return url
    login = f"{quote(username, safe=PLAIN_IN_LOGIN)}:{quote(password, safe=PLAIN_IN_LOGIN)}"
    if len(login) > MAX_LOGIN:
        raise SourceError(
            CameraState.AUTH_FAILED, "The user name and password together are too long for RTSP."
        )
    scheme, rest = url.split("://", 1)
    return f"{scheme}://{login}@{rest}"


def _is_timeout(err: Exception) -> bool:
    return isinstance(err, (av.error.ExitError, TimeoutError))
