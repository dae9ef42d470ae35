"""RTSP's bytes: messages and packets on one connection, however they are cut."""

from __future__ import annotations

import pytest

from cameras.sources.rtsp.messages import BrokenMessage, Message, Splitter

PACKET = b"$\0\0\x08RTSP/1.0"
ANSWER = b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 3\r\n\r\na\r\n"
LEAN = b"RTSP/1.0 200 OK\nCSeq: 3\n\n"
STREAM = ANSWER + PACKET * 2 + LEAN + PACKET + b"\0\0\r\n" + PACKET + ANSWER


def split(stream: bytes, size: int) -> tuple[bytes, list[Message]]:
    """The packets and the messages of a stream that arrives in parts of `size` bytes."""
    splitter, packets, messages = Splitter(), b"", []
    for start in range(0, len(stream), size):
        for piece in splitter.feed(memoryview(stream[start : start + size])):
            if isinstance(piece, Message):
                messages.append(piece)
            else:
                packets += piece
    return packets, messages


@pytest.mark.parametrize("size", [*range(1, 40), len(STREAM)])
def test_packets_and_messages_come_out_whole(size: int) -> None:
    packets, messages = split(STREAM, size)
    assert packets == PACKET * 4
    assert [message.value("cseq") for message in messages] == ["2", "3", "2"]
    assert [message.body for message in messages] == [b"a\r\n", b"", b"a\r\n"]


@pytest.mark.parametrize(
    "stream",
    [
        b"RTSP/1.0 200 OK\r\nX: " + b"x" * 20_000,
        b"RTSP/1.0 200 OK\r\nContent-Length: 9999999\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: many\r\n\r\n",
    ],
)
def test_what_has_no_end_is_refused(stream: bytes) -> None:
    with pytest.raises(BrokenMessage):
        split(stream, 1024)


def test_junk_is_skipped_and_not_kept() -> None:
    splitter = Splitter()
    for _ in range(100):
        assert list(splitter.feed(memoryview(b"\0" * 10_000))) == []
    assert len(splitter._rest) < 100
