"""RTSP on one connection (RFC 2326): messages, and interleaved packets between them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_HEAD = 16 * 1024
MAX_BODY = 1024 * 1024
DOLLAR = 0x24
_END = re.compile(rb"\r?\n\r?\n")
_START = re.compile(rb"\$|RTSP/1|[A-Z_]{3,20} (rtsps?:|\*)")
# The longest beginning of a message that may be the end of what has arrived.
_KEPT = 28


class BrokenMessage(Exception):
    """What arrives is not RTSP."""


@dataclass(slots=True)
class Message:
    """A request or a response. Headers keep their order and spelling."""

    start: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    @property
    def is_response(self) -> bool:
        return self.start.startswith("RTSP/")

    @property
    def status(self) -> int:
        """A response's status, 0 if it has none."""
        word = self.start.split(" ")[1:2]
        return int(word[0]) if word and re.fullmatch("[0-9]{3}", word[0]) else 0

    @property
    def method(self) -> str:
        return self.start.split(" ", 1)[0]

    @property
    def url(self) -> str:
        return self.start.partition(" ")[2].partition(" ")[0]

    def values(self, name: str) -> list[str]:
        """All values of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def value(self, name: str) -> str:
        """A header's first value, '' without one."""
        return (self.values(name) or [""])[0]

    def put(self, name: str, value: str) -> None:
        """Set a header in place of all of its name."""
        self.drop(name)
        self.headers.append((name, value))

    def drop(self, name: str) -> None:
        self.headers = [pair for pair in self.headers if pair[0].lower() != name.lower()]

    def encode(self) -> bytes:
        lines = [self.start, *(f"{name}: {value}" for name, value in self.headers), "", ""]
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + self.body


class Splitter:
    """Takes what arrives on a connection apart, in order. Interleaved packets come out as they
    came, in blocks as large as possible and also in parts.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._packet_left = 0

    def feed(self, data: memoryview) -> Iterator[memoryview | Message]:
        """What has become known with `data`. Raises BrokenMessage."""
        if self._rest:
            data = memoryview(self._rest + data)
            self._rest = b""
        while data:
            end = self._packets_end(data)
            if end:
                yield data[:end]
                data = data[end:]
            elif data[0] == DOLLAR:  # the head of a packet is not complete
                self._rest = bytes(data)
                return
            else:
                text, data = bytes(data), data[:0]
                message, used = _message(text)
                data = memoryview(text)[used:]
                if message is not None:
                    yield message
                elif not data or data[0] != DOLLAR:
                    self._rest = bytes(data)
                    return

    def _packets_end(self, data: memoryview) -> int:
        """The number of bytes, from the first one on, that are packets."""
        size = len(data)
        end = self._packet_left
        while end + 4 <= size and data[end] == DOLLAR:
            end += 4 + (data[end + 2] << 8 | data[end + 3])
        self._packet_left = max(0, end - size)
        return min(end, size)


def _message(text: bytes) -> tuple[Message | None, int]:
    """The first message of `text`, None while it is not complete, and the number of bytes that
    are done with. What comes before a message is skipped: some cameras send stray bytes.
    """
    found = _START.search(text)
    if found is None:
        return None, max(0, len(text) - _KEPT)
    begin = found.start()
    if text[begin] == DOLLAR:
        return None, begin
    ends = _END.search(text, begin)
    if ends is None:
        if len(text) - begin > MAX_HEAD:
            raise BrokenMessage("a head without end")
        return None, begin
    message = _parsed(text[begin : ends.start()])
    length = message.value("Content-Length").strip() or "0"
    if not re.fullmatch("[0-9]{1,9}", length) or int(length) > MAX_BODY:
        raise BrokenMessage("a body of no known size")
    end = ends.end() + int(length)
    if len(text) < end:
        return None, begin
    message.body = text[ends.end() : end]
    return message, end


def _parsed(head: bytes) -> Message:
    lines = re.split("\r?\n", head.decode("utf-8", "surrogateescape"))
    pairs = (line.partition(":") for line in lines[1:])
    return Message(lines[0], [(name.strip(), value.strip()) for name, _, value in pairs])
