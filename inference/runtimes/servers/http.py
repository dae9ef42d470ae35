"""HTTP to one model server: connections are kept, every byte comes before the deadline, answers are
bounded, redirects refused.

Built on the standard library's client, whose sockets can be given a deadline for the call as a
whole: requests and urllib3 know one for each single read only, so that a server that sends a
byte a second would be waited for without end.
"""

from __future__ import annotations

import http.client
import select
import socket
import ssl
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from inference.runtimes.errors import InferenceError, ServerUnavailable
from inference.runtimes.servers import failures
from inference.runtimes.servers.addresses import ServerAddress, resolved
from inference.runtimes.servers.deadline import Deadline

CHUNK: Final = 64 * 1024
QUICK_ACK: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. ``headers`` by their names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        """The media type alone, in lower case."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower()


class HttpServer:
    """One model server. Thread-safe: each call has a connection of its own, taken from
    those that are idle.
    """

    def __init__(self, address: ServerAddress, connect_deadline: float) -> None:
        self.address = address
        self._connect_deadline = connect_deadline
        self._tls = _tls() if address.scheme == "https" else None
        self._idle: deque[_Connection] = deque(maxlen=32)

    def __str__(self) -> str:
        return str(self.address)

    def ask(
        self,
        method: str,
        path: str,
        deadline: Deadline,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """The answer, whatever its status says, but never a redirect. ServerUnavailable when
        there is none.
        """
        connection = self._kept()
        reused = connection is not None
        if connection is None:
            connection = self._connect(deadline)
        try:
            reply = self._exchange(connection, deadline, method, path, body, headers or {})
        except (OSError, http.client.HTTPException) as err:
            connection.close()
            raise self._translated(err, reused, deadline) from err
        except BaseException:
            connection.close()
            raise
        # After an error of theirs many servers close the connection without saying so.
        if connection.sock is not None and reply.status < 500:
            self._idle.append(connection)
        else:
            connection.close()
        return reply

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    def _kept(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_quiet():
                return connection
            connection.close()
        return None

    def _connect(self, deadline: Deadline) -> _Connection:
        within = deadline.within(self._connect_deadline)
        connection = _Connection(self.address, self._tls)
        try:
            connection.open(within)
        except ServerUnavailable:
            raise
        except ConnectionRefusedError as err:
            raise failures.refused(self) from err
        except ssl.SSLError as err:
            why = getattr(err, "verify_message", "") or "it does not speak TLS as expected"
            raise ServerUnavailable(
                f"The connection to {self} is not secure: {failures.sentence(why)} Check its"
                " certificate, or use http://."
            ) from err
        except OSError as err:
            raise failures.not_connected(self) from err
        return connection

    def _exchange(
        self,
        connection: _Connection,
        deadline: Deadline,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
    ) -> Reply:
        connection.use(deadline)
        connection.request(method, path, body, dict(headers))
        with connection.getresponse() as response:
            if 300 <= response.status < 400:
                where = (
                    failures.printable(response.headers.get("Location", "")) or "another address"
                )
                raise ServerUnavailable(
                    f"The model server at {self} sends its callers on to {where}, which is not"
                    " followed. Enter the final address."
                )
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise failures.not_understood(
                    self,
                    "it is compressed, which nobody asked for. Switch compression off in the server"
                    " or its proxy.",
                )
            content = _content(response, self)
            return Reply(
                response.status,
                {name.lower(): value for name, value in response.headers.items()},
                content,
            )

    def _translated(self, err: Exception, reused: bool, deadline: Deadline) -> InferenceError:
        if isinstance(err, TimeoutError):
            return failures.late(self, deadline.seconds)
        if reused and isinstance(
            err, http.client.RemoteDisconnected | BrokenPipeError | ConnectionResetError
        ):
            # An idle connection that the server was just closing: what was sent into it was not
            # taken up.
            return failures.TryAgain(str(failures.broken_off(self)))
        if isinstance(err, http.client.IncompleteRead | OSError):
            return failures.broken_off(self)
        return failures.not_understood(
            self, "it does not speak HTTP as expected. Is this the REST port, not the one for gRPC?"
        )


def _content(response: http.client.HTTPResponse, server: HttpServer) -> bytes:
    if response.length is not None:
        if response.length > failures.MAX_REPLY:
            raise failures.too_large(server)
        return response.read()
    parts, size = [], 0
    while part := response.read(CHUNK):
        size += len(part)
        if size > failures.MAX_REPLY:
            raise failures.too_large(server)
        parts.append(part)
    if not parts:
        raise http.client.IncompleteRead(
            b""
        )  # cut off within its head, which the standard library lets pass
    return b"".join(parts)


def _before_reading(waiting: _Socket | _TlsSocket) -> None:
    waiting.settimeout(waiting.deadline.need())
    if QUICK_ACK is not None:
        # Servers that send an answer's head and body apart wait for the first to be acknowledged,
        # which Linux puts off for 40 ms.
        waiting.setsockopt(socket.IPPROTO_TCP, QUICK_ACK, 1)


class _Socket(socket.socket):
    """A socket whose reads and writes all end by one deadline."""

    deadline = Deadline(0)

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        _before_reading(self)
        return super().recv_into(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self.settimeout(self.deadline.need())
        super().sendall(*args, **kwargs)


class _TlsSocket(ssl.SSLSocket):
    """The same with TLS, where ``sendall`` is many ``send``."""

    deadline = Deadline(0)

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        _before_reading(self)
        return super().recv_into(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(self.deadline.need())
        return super().send(*args, **kwargs)


class _Connection(http.client.HTTPConnection):
    """Connects only to what the address check let pass, so that a name cannot be re-pointed in
    between.
    """

    def __init__(self, address: ServerAddress, tls: ssl.SSLContext | None) -> None:
        super().__init__(address.host, address.port)
        if tls is not None:
            self.default_port = http.client.HTTPS_PORT  # leaves the port out of the Host header
        self._address = address
        self._tls = tls
        self.auto_open = 0  # a lost connection is an error, not one that is silently made again

    def open(self, deadline: Deadline) -> None:
        """Connect to the first of the host's addresses that accepts; OSError when none does."""
        failure: OSError = TimeoutError()
        addresses = resolved(self._address, deadline.left)
        for tries_left, ip in zip(range(len(addresses), 0, -1), addresses, strict=True):
            raw = _Socket(
                socket.AF_INET6 if ip.version == 6 else socket.AF_INET, socket.SOCK_STREAM
            )
            try:
                raw.settimeout(deadline.need() / tries_left)
                raw.connect((str(ip), self._address.port))
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                raw.settimeout(deadline.need())
                self.sock = (
                    self._tls.wrap_socket(raw, server_hostname=self._address.host)
                    if self._tls
                    else raw
                )
            except OSError as err:
                failure = err
                raw.close()
            else:
                return
        raise failure

    def use(self, deadline: Deadline) -> None:
        """Let what follows end by ``deadline``."""
        assert isinstance(self.sock, _Socket | _TlsSocket)
        self.sock.deadline = deadline

    def is_quiet(self) -> bool:
        """Whether it is still open: one that can be read from without having been asked has been
        closed, or talks nonsense.
        """
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return not poll.poll(0)


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.sslsocket_class = _TlsSocket
    return context
