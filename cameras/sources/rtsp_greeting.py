"""Asks an RTSP camera for a first answer before FFmpeg connects, whose errors do not tell an
operator what to do.

Refuses redirects, which FFmpeg would follow to wherever the camera says.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager

from cameras.sources import failures
from cameras.sources.addresses import Address
from cameras.sources.base import SourceError

MAX_ANSWER = 16 * 1024
MIN_WAIT = 0.01


@contextmanager
def greeted(address: Address, seconds: float) -> Iterator[None]:
    """Run the body once an RTSP server has answered a DESCRIBE (RFC 2326, section 10.2) without
    credentials. Any answer will do except a redirect. Raises SourceError otherwise.

    The connection stays open until the body is done: when it closes, some servers tear down the
    stream that the next connection is just requesting.
    """
    deadline = time.monotonic() + seconds
    try:
        plain = socket.create_connection((address.host, address.port), seconds)
    except OSError as err:
        raise failures.from_os_error(err, address.host, address.port) from err
    with plain:
        try:
            connection = _secured(plain, address)
        except OSError as err:
            raise _silent_or(err, address) from err
        with connection:
            _check_answer(_ask(connection, address, deadline), address)
            yield


def _ask(connection: socket.socket, address: Address, deadline: float) -> bytes:
    head = [
        f"DESCRIBE {address.url} RTSP/1.0",
        "CSeq: 1",
        "User-Agent: Sightline",
        "Accept: application/sdp",
    ]
    answer = b""
    try:
        connection.sendall("\r\n".join([*head, "", ""]).encode())
        while b"\r\n\r\n" not in answer and len(answer) < MAX_ANSWER:
            connection.settimeout(max(MIN_WAIT, deadline - time.monotonic()))
            received = connection.recv(4096)
            if not received:
                break
            answer += received
    except OSError as err:
        raise _silent_or(err, address) from err
    return answer


def _secured(plain: socket.socket, address: Address) -> socket.socket:
    if address.scheme != "rtsps":
        return plain
    # Accept any certificate, as FFmpeg does: cameras use self-signed ones.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain, server_hostname=address.host)


def _silent_or(err: OSError, address: Address) -> SourceError:
    if isinstance(err, TimeoutError):
        return failures.stalled(answered=False)
    if isinstance(err, ssl.SSLError):
        return failures.unreachable(
            f"{address.host} does not speak TLS on port {address.port}. Try rtsp:// instead of rtsps://."
        )
    return failures.from_os_error(err, address.host, address.port)


def _check_answer(answer: bytes, address: Address) -> None:
    if not answer:
        raise failures.hung_up(address.host, address.port)
    lines = answer.decode("latin-1").split("\r\n")
    protocol, _, status = lines[0].partition(" ")
    if not protocol.startswith("RTSP/"):
        raise failures.unreachable(
            f"What answers at {address.host} on port {address.port} does not speak RTSP."
        )
    if status.startswith("3"):
        fields = dict(line.split(":", 1) for line in lines[1:] if ":" in line)
        raise failures.redirected(
            {name.lower(): value for name, value in fields.items()}.get("location", "")
        )
