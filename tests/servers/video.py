"""Loop videos for the RTSP camera, made from pictures with the x264 encoder inside the PyAV
wheel.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import av
import numpy as np
import skimage.data
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]
Codec = Literal["libx264", "libx265"]

FPS = 25
FACE_SIZE = (1280, 720)
_FACE_AT = (384, 104)
# The face in skimage's 512 x 512 astronaut, read by eye: ear to ear, hairline to chin (x0, y0, x1,
# y1).
_FACE = (176, 68, 274, 181)
FACE_BOX = (
    (_FACE_AT[0] + _FACE[0]) / FACE_SIZE[0],
    (_FACE_AT[1] + _FACE[1]) / FACE_SIZE[1],
    (_FACE_AT[0] + _FACE[2]) / FACE_SIZE[0],
    (_FACE_AT[1] + _FACE[3]) / FACE_SIZE[1],
)
"""Where face_picture() and face_video() show the face: x0, y0, x1, y1 in 0..1."""


def write_video(
    path: Path, pictures: Iterable[Rgb], *, fps: int = FPS, codec: Codec = "libx264"
) -> Path:
    """An MP4 of RGB pictures (h, w, 3; even sizes, all the same): a key frame a second, no
    B-frames, yuv420p.

    Two seconds of 720p take about a second to encode.
    """
    frames = iter(pictures)
    first = next(frames)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps, options=_encoder_options(codec, fps))
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in itertools.chain([first], frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def _encoder_options(codec: Codec, fps: int) -> dict[str, str]:
    quick = {"preset": "ultrafast", "g": str(fps), "bf": "0"}
    if codec == "libx265":
        return {**quick, "x265-params": f"log-level=error:keyint={fps}:min-keyint={fps}:bframes=0"}
    return {**quick, "profile": "main", "crf": "20"}


def scene(frame: int, width: int = 640, height: int = 360) -> Rgb:
    """A still grey gradient with a bright square that moves 4 pixels a frame."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = np.linspace(40, 120, width, dtype=np.uint8)[None, :, None]
    side = height // 4
    x = 4 * frame % (width - side)
    picture[height // 2 : height // 2 + side, x : x + side] = (240, 200, 40)
    return picture


def scene_video(
    path: Path,
    *,
    frames: int = 50,
    width: int = 640,
    height: int = 360,
    fps: int = FPS,
    codec: Codec = "libx264",
) -> Path:
    """A video of `scene`: frame n of the file shows scene(n)."""
    return write_video(path, (scene(n, width, height) for n in range(frames)), fps=fps, codec=codec)


def picture_video(path: Path, picture: Rgb, *, frames: int = 50) -> Path:
    """A still picture as a video."""
    return write_video(path, (picture for _ in range(frames)))


def face_picture() -> Rgb:
    """The astronaut's portrait that scikit-image carries, on grey, 1280 x 720; the face is at
    FACE_BOX.
    """
    portrait: Rgb = skimage.data.astronaut()  # type: ignore[no-untyped-call]
    picture = np.full((FACE_SIZE[1], FACE_SIZE[0], 3), 96, np.uint8)
    x, y = _FACE_AT
    picture[y : y + portrait.shape[0], x : x + portrait.shape[1]] = portrait
    return picture


def face_video(path: Path) -> Path:
    """face_picture() as a video of two seconds."""
    return picture_video(path, face_picture())
