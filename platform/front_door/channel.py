"""One connection: its headers come in time, and what it sends has a limit.

Twisted collects a whole body, and parses forms in the event loop, before it begins the request.
Here the application begins when the headers are complete, nothing is parsed, and a body is read
only as fast as the application takes it.
"""

from __future__ import annotations

from typing import Any

from twisted.web import http

from sightline.front_door import limits, uploads
from sightline.front_door.request import Request

PHRASES = {413: b"Content Too Large", 429: b"Too Many Requests", 408: b"Request Timeout"}


class Channel(http.HTTPChannel):
    """A connection, from its first byte on."""

    requestFactory = Request
    closing = False
    _deadline: Any = None
    _counted = False
    _receiving = False
    _rest_of_body: int | None = None

    def connectionMade(self) -> None:
        """Called by Twisted. An address with too many connections is told so."""
        super().connectionMade()
        self._address = str(getattr(self.transport.getPeer(), "host", ""))
        self._counted = self.factory.addresses.take(self._address)
        if self._counted:
            self._expect_headers()
        else:
            self.refuse(429, limits.TOO_MANY)

    def dataReceived(self, data: bytes) -> None:
        """Called by Twisted. The time for headers runs from the first byte of a request on."""
        if self.closing:
            return
        if not self._receiving and not self._handlingRequest:
            self._expect_headers()
        super().dataReceived(data)

    def rawDataReceived(self, data: bytes) -> None:
        """Called by Twisted: some of the body, or the next request."""
        if not self.closing:
            super().rawDataReceived(data)

    def lineReceived(self, line: bytes) -> None:
        """Called by Twisted: a line of the headers."""
        if not self.closing:
            super().lineReceived(line)

    def allHeadersReceived(self) -> None:
        """Called by Twisted. A body that says it is too large is refused before it comes."""
        request = self.requests[-1]
        self._expect(limits.BODY_SECONDS)
        self._receiving = True
        if (self.length or 0) > self._most(request):
            self.refuse(413, limits.TOO_LARGE)
            return
        super().allHeadersReceived()
        if self.length != 0:
            request.begin(self._command, self._path, self._version)

    def allContentReceived(self) -> None:
        """Called by Twisted: the request is complete."""
        if self.closing:
            return
        self._expect(None)
        self._receiving = False
        super().allContentReceived()

    def uploads(self) -> None:
        """A large file comes: as long as something comes, it may take its time."""
        self._expect(None)

    def refuse(self, status: int, sentence: str) -> None:
        """Answer before the request is complete, and close."""
        if self.closing or self.transport is None:
            return
        body = sentence.encode() + b"\n"
        self.transport.write(
            b"HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"Content-Length: %d\r\nConnection: close\r\n\r\n%s"
            % (status, PHRASES[status], len(body), body)
        )
        self.linger()

    def linger(self) -> None:
        """Close so that the answer arrives: a connection that is closed with unread bytes is
        reset, and the client never reads what it was told.
        """
        self.closing = True
        self.setTimeout(None)
        self._networkProducer.unregisterProducer()
        self._networkProducer.resumeProducing()
        self.transport.loseWriteConnection()
        self._expect(limits.LINGER_SECONDS)

    def release(self) -> None:
        """The connection is closed, whoever spoke on it last."""
        self._expect(None)
        if self._counted:
            self._counted = False
            self.factory.addresses.release(self._address)

    def connectionLost(self, reason: Any) -> None:
        """Called by Twisted."""
        self.release()
        super().connectionLost(reason)

    def readConnectionLost(self) -> None:
        """Called by Twisted: the client has said all that it says."""
        self.transport.loseConnection()

    def _most(self, request: Request) -> int:
        path = self._path.split(b"?", 1)[0]
        return uploads.limit() if uploads.is_upload(self._command, path) else limits.BODY_BYTES

    def _expect_headers(self) -> None:
        if self._deadline is None:
            self._expect(limits.HEADER_SECONDS)

    def _expect(self, seconds: float | None) -> None:
        """Close when nothing else is expected within ``seconds``; None: wait."""
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.callLater(seconds, self._too_late)

    def _too_late(self) -> None:
        self._deadline = None
        if self.transport is not None:
            self.transport.abortConnection()
