"""HTTP MJPEG: `multipart/x-mixed-replace`, whose parts are JPEGs and are passed on unchanged."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from http.client import parse_headers
from typing import Self

import requests

from cameras.sources import failures
from cameras.sources.addresses import Address
from cameras.sources.base import DestinationCheck, SourceSettings
from cameras.sources.http import HttpCamera, JpegFrame, content_type, translated
from cameras.sources.jpeg import MAX_BYTES
from sightline.messages import Cause

BUFFER_BYTES = 64 * 1024
MAX_PREAMBLE = 64 * 1024


class MjpegSource:
    """A camera that answers one request with an endless row of frames."""

    codec = "mjpeg"
    paced = False

    def __init__(
        self,
        settings: SourceSettings,
        address: Address,
        stop: threading.Event,
        check: DestinationCheck,
    ) -> None:
        self._settings = settings
        self._address = address
        self._stop = stop
        self._check = check
        self._camera: HttpCamera | None = None
        self._response: requests.Response | None = None

    def __enter__(self) -> Self:
        self._camera = HttpCamera(self._settings, self._address, self._check)
        try:
            self._response = self._camera.get()
            _refuse_type(content_type(self._response))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        if self._response is not None:
            self._response.close()
        if self._camera is not None:
            self._camera.close()

    def __iter__(self) -> Iterator[JpegFrame]:
        assert self._camera is not None
        assert self._response is not None
        body = self._camera.body(self._response)
        began = False
        jpegs = parts(io.BufferedReader(body, BUFFER_BYTES), body.restart_deadline)
        while not self._stop.is_set():
            with translated(self._address):
                data = next(jpegs, None)
            if data is None:
                raise failures.ended(began=began)
            began = True
            yield JpegFrame(time.time_ns(), data)


def parts(stream: io.BufferedIOBase, begin: Callable[[], None] = lambda: None) -> Iterator[bytes]:
    """The bodies of a multipart stream (RFC 2046, as cameras write it). Calls `begin` as each part
    starts.

    The first line is the delimiter, because cameras often announce another one than they use.
    Raises SourceError for a part that is too long.
    """
    delimiter = _first_delimiter(stream)
    while delimiter:
        begin()
        length = parse_headers(stream).get("Content-Length", "").strip()
        known = length.isdecimal()
        if known:
            # Yield at once: the delimiter may come only with the next frame.
            body = stream.read(_bounded(int(length)))
            if len(body) < int(length):
                return
            yield body
            begin()
        rest = _until(stream, delimiter)
        if rest is None:
            return
        body, last = rest
        if not known:
            yield body
        if last:
            return


def _first_delimiter(stream: io.BufferedIOBase) -> bytes:
    seen = 0
    while seen < MAX_PREAMBLE and (line := stream.readline(MAX_PREAMBLE)):
        seen += len(line)
        if line.startswith(b"--") and len(line.strip()) > 2:
            return line.strip()
    return b""


def _until(stream: io.BufferedIOBase, delimiter: bytes) -> tuple[bytes, bool] | None:
    """The bytes before the next delimiter, and whether it closes the stream. None at the end of
    the stream.
    """
    body = bytearray()
    while line := stream.readline(MAX_BYTES + 1):
        start = line.find(delimiter)
        body += line if start < 0 else line[:start]
        _bounded(len(body))
        if start >= 0:
            closing = line[start + len(delimiter) :].startswith(b"--")
            return bytes(body.removesuffix(b"\n").removesuffix(b"\r")), closing
    return None


def _bounded(length: int) -> int:
    if length > MAX_BYTES:
        raise failures.unreachable(
            f"The camera sends pictures larger than {MAX_BYTES >> 20} MiB.", Cause.TOO_LARGE
        )
    return length


def _refuse_type(media_type: str) -> None:
    if media_type.startswith("multipart/"):
        return
    if media_type.startswith("text/html"):
        raise failures.unreachable(
            "The address answers with a web page, not a video. Look in the camera's manual for its"
            " MJPEG address.",
            Cause.OTHER_KIND,
        )
    if media_type == "image/jpeg":
        raise failures.unreachable(
            "The address answers with a single picture. Choose the kind 'snapshot' for it.",
            Cause.OTHER_KIND,
        )
    raise failures.unreachable(
        f"The address answers with {media_type or 'something unnamed'}, not an MJPEG video.",
        Cause.NO_VIDEO,
    )
