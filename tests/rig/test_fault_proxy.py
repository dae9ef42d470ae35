from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.servers.ports import LOOPBACK, free_port
from tests.servers.proxy import FaultProxy
from tests.servers.waiting import wait_until


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    """In front of a server that sends back what it gets."""
    listener = socket.create_server((LOOPBACK, free_port()))
    threading.Thread(target=_echo, args=(listener,), daemon=True).start()
    with FaultProxy(listener.getsockname()[1]) as proxy:
        yield proxy
    listener.close()


def _echo(listener: socket.socket) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(client,), daemon=True).start()


def _serve(client: socket.socket) -> None:
    with client:
        try:
            while data := client.recv(4096):
                client.sendall(data)
        except OSError:
            return


def connect(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection((LOOPBACK, proxy.port), 10)


def says(connection: socket.socket, text: bytes) -> bytes:
    connection.sendall(text)
    return connection.recv(4096)


def test_it_passes_on_and_counts(proxy: FaultProxy) -> None:
    with connect(proxy) as connection:
        assert says(connection, b"hello") == b"hello"
        assert (proxy.accepted, proxy.open, proxy.bytes_up, proxy.bytes_down) == (1, 1, 5, 5)
    wait_until(lambda: proxy.open == 0)


def test_a_reset_ends_connections_and_the_next_one_is_welcome(proxy: FaultProxy) -> None:
    with connect(proxy) as connection:
        says(connection, b"hello")
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    with connect(proxy) as connection:
        assert says(connection, b"again") == b"again"


def test_what_a_black_hole_swallowed_comes_out_when_it_closes(proxy: FaultProxy) -> None:
    with connect(proxy) as connection:
        says(connection, b"hello")
        proxy.black_hole()
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            says(connection, b"anybody there")
        with connect(proxy) as another:  # accepted, and no more
            another.settimeout(0.2)
            with pytest.raises(TimeoutError):
                says(another, b"hello")
        proxy.forward()
        connection.settimeout(10)
        assert connection.recv(4096) == b"anybody there"


def test_a_refused_port_opens_again(proxy: FaultProxy) -> None:
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    proxy.forward()
    with connect(proxy) as connection:
        assert says(connection, b"hello") == b"hello"


def test_bytes_are_late_each_way_or_few(proxy: FaultProxy) -> None:
    with connect(proxy) as connection:
        proxy.delay(0.2)
        started = time.monotonic()
        assert says(connection, b"hello") == b"hello"
        assert time.monotonic() - started >= 0.4
        proxy.throttle(50)
        started = time.monotonic()
        connection.sendall(b"x" * 20)
        received = b""
        while len(received) < 20:
            received += connection.recv(4096)
        assert time.monotonic() - started >= 0.3


def test_answers_can_be_spoilt(proxy: FaultProxy) -> None:
    proxy.mangle(lambda: bytes.upper)
    with connect(proxy) as connection:
        assert says(connection, b"hello") == b"HELLO"
