"""An RTSP camera: GStreamer's RTSP server, in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Self
from urllib.parse import quote

import av

from .login import Login
from .ports import LOOPBACK, free_port, is_listening
from .process import Child
from .server import Server

SCRIPT = Path(__file__).with_name("rtsp_server.py")
DEBIAN_PYTHON = "/usr/bin/python3"  # the one that has GStreamer's bindings
CODECS = {"h264": "h264", "hevc": "h265"}


class RtspServer(Server):
    """A camera that plays `videos` (MP4, all H.264 or all H.265) in turn, for ever; without any it
    sends sound only.

    The same port over stop() and start(). With `login` it wants its credentials, by the login's
    scheme.
    """

    def __init__(
        self,
        *videos: Path,
        log: Path,
        port: int | None = None,
        mount: str = "/live",
        login: Login | None = None,
    ) -> None:
        self.videos = videos
        self.port = port or free_port()
        self.mount = mount
        self.login = login
        self._child = Child([], log)

    @property
    def url(self) -> str:
        """The address without credentials."""
        return f"rtsp://{LOOPBACK}:{self.port}{self.mount}"

    @property
    def url_with_login(self) -> str:
        """The address with the percent-encoded credentials in it, for clients that want them
        there.
        """
        if self.login is None:
            return self.url
        userinfo = f"{quote(self.login.username, safe='')}:{quote(self.login.password, safe='')}"
        return f"rtsp://{userinfo}@{LOOPBACK}:{self.port}{self.mount}"

    def start(self) -> Self:
        """Starts it and waits until it accepts connections (about 0.3 s)."""
        self._child.argv = self._command()
        self._child.start()
        self._child.wait_until(lambda: is_listening(self.port), 20, "the RTSP camera to listen")
        return self

    def _command(self) -> list[str]:
        command = [DEBIAN_PYTHON, "-I", str(SCRIPT), f"--port={self.port}", f"--mount={self.mount}"]
        if self.login:
            command += [
                f"--user={self.login.username}",
                f"--password={self.login.password}",
                f"--auth={self.login.scheme}",
            ]
        if self.videos:
            command += [
                f"--codec={_codec(self.videos[0])}",
                *(f"--file={video}" for video in self.videos),
            ]
        return command


def _codec(video: Path) -> str:
    with av.open(str(video)) as container:
        return CODECS[container.streams.video[0].codec_context.name]
