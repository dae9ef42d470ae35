"""HTTP snapshots: a camera polled for one frame after another."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from typing import Self

from cameras.sources import failures
from cameras.sources.addresses import Address
from cameras.sources.base import DestinationCheck, SourceSettings
from cameras.sources.http import HttpCamera, JpegFrame, content_type, translated
from cameras.sources.jpeg import MAX_BYTES
from sightline.base.frame_rate import Ticker
from sightline.messages import Cause

ACCEPTED = {"", "image/jpeg", "image/jpg", "image/pjpeg", "application/octet-stream"}


class SnapshotSource:
    """Polls at the settings' fps over one persistent connection, or as fast as a slower camera
    answers.
    """

    codec = "jpeg"
    paced = True

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
        self._first: bytes | None = None

    def __enter__(self) -> Self:
        self._camera = HttpCamera(self._settings, self._address, self._check)
        try:
            self._first = self._poll(self._camera)
        except BaseException:
            self._camera.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        if self._camera is not None:
            self._camera.close()

    def __iter__(self) -> Iterator[JpegFrame]:
        assert self._camera is not None
        ticker = Ticker(self._settings.fps, self._stop)
        while ticker.wait():
            data, self._first = self._first or self._poll(self._camera), None
            yield JpegFrame(time.time_ns(), data)

    def _poll(self, camera: HttpCamera) -> bytes:
        response = camera.get()
        try:
            _refuse_type(content_type(response))
            with translated(self._address):
                return _read(io.BufferedReader(camera.body(response)))
        finally:
            response.close()


def _read(body: io.BufferedReader) -> bytes:
    data = body.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise failures.unreachable(
            f"The camera sends pictures larger than {MAX_BYTES >> 20} MiB.", Cause.TOO_LARGE
        )
    return data


def _refuse_type(media_type: str) -> None:
    if media_type in ACCEPTED:
        return
    if media_type.startswith("text/html"):
        raise failures.unreachable(
            "The address answers with a web page, not a picture. Look in the camera's manual for"
            " its snapshot address.",
            Cause.OTHER_KIND,
        )
    if media_type.startswith("multipart/"):
        raise failures.unreachable(
            "The address answers with a video stream. Choose the kind 'MJPEG' for it.",
            Cause.OTHER_KIND,
        )
    raise failures.unreachable(
        f"The address answers with {media_type}, not a JPEG picture.", Cause.NO_VIDEO
    )
