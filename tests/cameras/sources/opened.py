"""Opens a source in a test; JPEGs to serve."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import cv2
import numpy as np
import pytest
import simplejpeg

from cameras.sources import open_source
from cameras.sources.base import SourceError, SourceFrame, SourceSettings

SECONDS = 1.5


def settings(
    kind: str, url: str, username: str = "", password: str = "", **more: Any
) -> SourceSettings:
    """Settings with time-outs short enough for a test."""
    return SourceSettings(
        kind, url, username, password, **{"open_timeout": SECONDS, "read_timeout": SECONDS, **more}
    )


def take(count: int, of: SourceSettings) -> list[SourceFrame]:
    """The first frames of a source."""
    with open_source(of, threading.Event()) as source:
        return list(itertools.islice(source, count))


def failure(of: SourceSettings) -> SourceError:
    """The error with which a source ends, at once or later."""
    with pytest.raises(SourceError) as caught, open_source(of, threading.Event()) as source:
        for _ in source:
            pass
    assert caught.value.detail.endswith(".")
    return caught.value


def jpeg(shade: int = 128, width: int = 320, height: int = 180) -> bytes:
    """A gradient of about this shade."""
    image = np.empty((height, width, 3), np.uint8)
    image[:] = np.linspace(shade // 2, shade, width, dtype=np.uint8)[None, :, None]
    cv2.putText(
        image, str(shade), (20, height // 2), cv2.FONT_HERSHEY_SIMPLEX, 2, (255, 255, 255), 3
    )
    data: bytes = simplejpeg.encode_jpeg(image, 85, "bgr", "420")
    return data
