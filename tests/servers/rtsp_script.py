"""An RTSP camera that follows a script: what it answers to the n-th request, or to a method, can be
anything. Its media are packets of junk, which nothing can decode.
"""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from .tcp import MuteServer

SDP = (
    "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=camera\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:{control}\r\n"
)
PACKET = b"$\0\0\x10" + b"\x80\x60" + b"\0" * 14


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: the number of it on this camera, from 1 on, and its words."""

    number: int
    method: str
    url: str
    head: str


@dataclass(slots=True)
class Script:
    """`answers` gives a whole answer, or None for the usual one. `host` and `control` are what the
    SDP names, `base` the Content-Base. `after_play` is sent in the middle of the media.
    """

    answers: Callable[[Asked], str | None] = lambda asked: None
    host: str = "127.0.0.1"
    control: str = "trackID=1"
    base: str = ""
    transport: str = "RTP/AVP/TCP;unicast;interleaved=0-1"
    after_play: str = ""
    asked: list[Asked] = field(default_factory=list)


class ScriptedCamera(MuteServer):
    """Serves one connection after the other by its script."""

    def __init__(self, script: Script | None = None) -> None:
        super().__init__()
        self.script = script or Script()

    @property
    def url(self) -> str:
        return f"rtsp://{self.authority}/live"

    def handle(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            client.settimeout(10)
            stream = client.makefile("rb")
            while head := _head(stream.readline):
                method, url = head.split(" ")[:2]
                asked = Asked(len(self.script.asked) + 1, method, url, head)
                self.script.asked.append(asked)
                client.sendall(self._answer(asked).encode())
                if method == "PLAY":
                    client.sendall(PACKET * 3 + self.script.after_play.encode() + PACKET)

    def _answer(self, asked: Asked) -> str:
        number = re.search(r"CSeq: *(\d+)", asked.head, re.IGNORECASE)
        script, body, more = self.script, "", ""
        if (given := script.answers(asked)) is None:
            if asked.method == "DESCRIBE":
                body = SDP.format(host=script.host, control=script.control)
                more = "Content-Type: application/sdp\r\n"
                more += f"Content-Base: {script.base}\r\n" if script.base else ""
            if asked.method == "SETUP":
                more = f"Transport: {script.transport}\r\n"
            given = f"200 OK\r\nSession: 7\r\nPublic: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n{more}"
        head = f"RTSP/1.0 {given}CSeq: {number[1] if number else 0}\r\n"
        return head + (f"Content-Length: {len(body)}\r\n" if body else "") + "\r\n" + body


def _head(readline: Callable[[], bytes]) -> str:
    """The next request's head. The player's interleaved reports before it are skipped."""
    lines: list[str] = []
    while line := readline():
        text = line.decode("latin-1").rstrip("\r\n")
        found = re.search(r"[A-Z_]+ rtsps?://.*", text)
        if not lines and found:
            lines.append(found[0])
        elif lines and text:
            lines.append(text)
        elif lines:
            return "\r\n".join(lines)
    return ""
