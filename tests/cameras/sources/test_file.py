"""Video files play in a loop at their own pace; devices that are missing are reported."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import pytest

from cameras.sources import open_source
from cameras.sources.base import SourceError
from tests.cameras.sources.opened import failure, settings, take
from tests.servers.video import scene_video


def test_a_file_plays_on_over_its_end_at_its_own_pace(tmp_path: Path) -> None:
    path = scene_video(tmp_path / "my scene.mp4", frames=10, width=320, height=180, fps=50)
    source = open_source(settings("file", f"file://{tmp_path}/my%20scene.mp4"), threading.Event())
    with source:
        frames = list(itertools.islice(source, 25))
    assert path.exists()
    assert source.codec == "h264"
    assert frames[9].captured_at - frames[0].captured_at > 0.17e9
    assert frames[12].jpeg(80, 160).width == 160


def test_it_ends_at_once_when_stopped(tmp_path: Path) -> None:
    path = scene_video(tmp_path / "slow.mp4", frames=3, width=320, height=180, fps=1)
    stop = threading.Event()
    with open_source(settings("file", str(path)), stop) as source:
        frames = iter(source)
        next(frames)
        threading.Timer(0.05, stop.set).start()
        assert list(frames) == []


def test_a_missing_file_is_named() -> None:
    assert (
        failure(settings("file", "/nowhere/dock.mp4")).detail
        == "There is no file /nowhere/dock.mp4."
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.txt", b"no video"),
        (
            "list.m3u8",
            b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        ),
        ("list.ffconcat", b"ffconcat version 1.0\nfile '/etc/passwd'\n"),
    ],
)
def test_what_is_no_video_or_names_other_files_is_refused(
    tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert "is not a video that can be played" in failure(settings("file", str(path))).detail


def test_a_camera_that_is_not_plugged_in_is_named() -> None:
    with pytest.raises(SourceError, match="No camera is plugged in at /dev/video99"):
        take(1, settings("device", "/dev/video99"))
