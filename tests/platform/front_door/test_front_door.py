"""The web's front door, on a real server."""

from __future__ import annotations

import base64
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import closing

import pytest
import requests

from tests.servers.waiting import wait_until
from tests.streaming.site import Site

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A web server; it needs no broker."""
    site = Site(
        tmp_path_factory.mktemp("site"),
        bootstrap="127.0.0.1:9",
        prefix="door",
        CONNECTIONS_PER_ADDRESS="40",
        STREAMS_PER_USER="30",
        SOCKETS_PER_USER="20",
    )
    site.prepare()
    site.start()
    yield site
    site.child.stop()


def connect(site: Site) -> socket.socket:
    return socket.create_connection(("127.0.0.1", site.port), timeout=20)


def answer(connection: socket.socket) -> bytes:
    """All that comes until the server closes."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def head(method: str, path: str, **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@pytest.mark.parametrize("path", ["/nothing-here", "/accounts/login/", "/admin/inference/model/"])
def test_a_large_body_is_refused_by_its_length_before_it_is_sent(site: Site, path: str) -> None:
    with closing(connect(site)) as connection:
        connection.sendall(head("POST", path, Content_Length=str(600 * MIB)) + b"x")
        said = answer(connection)
    assert said.startswith(b"HTTP/1.1 413")
    assert b"2 MiB" in said


@pytest.mark.parametrize("path", ["/nothing-here", "/admin/inference/model/add/"])
def test_a_body_without_a_length_is_refused_while_it_is_counted(site: Site, path: str) -> None:
    with closing(connect(site)) as connection:
        connection.sendall(head("POST", path, Transfer_Encoding="chunked"))
        chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        try:
            for _ in range(40):
                connection.sendall(chunk)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert answer(connection).startswith(b"HTTP/1.1 413")


def test_a_form_is_not_parsed_by_the_event_loop(site: Site) -> None:
    """Twisted takes about a second of the processor for each of these."""
    before = site.processor_seconds
    for _ in range(4):
        files = {"f": ("a", b"\n" * (MIB + MIB // 2))}
        assert requests.post(f"{site.url}/accounts/login/", files=files, timeout=30).status_code
    assert site.processor_seconds - before < 3


def test_a_body_within_the_limit_arrives_whole_and_the_connection_is_used_again(
    site: Site,
) -> None:
    session = site.login()
    assert session.get(f"{site.url}/", timeout=10).status_code == 200
    form = {"username": "olga", "password": "x" * (MIB // 2)}
    assert session.post(f"{site.url}/accounts/login/", data=form, timeout=20).status_code == 403
    assert session.get(f"{site.url}/", timeout=10).status_code == 200


def test_a_client_s_root_path_is_not_believed(site: Site) -> None:
    answered = requests.get(
        f"{site.url}/x/admin/",
        headers={"Daphne-Root-Path": "/x"},
        allow_redirects=False,
        timeout=10,
    )
    assert answered.status_code == 404


def test_headers_that_trickle_in_are_cut_off(site: Site) -> None:
    with closing(connect(site)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        connection.settimeout(1)
        closed = []

        def is_closed() -> bool:
            try:
                connection.sendall(b"X-Slow: 1\r\n")
                closed.append(connection.recv(100))
            except TimeoutError:
                return False
            except OSError:
                return True
            return True

        wait_until(is_closed, 20, "the connection to be closed")


def test_an_address_with_too_many_connections_is_told_so_and_closing_some_helps(
    site: Site,
) -> None:
    held = [connect(site) for _ in range(40)]
    try:
        with closing(connect(site)) as refused:
            said = answer(refused)
        assert said.startswith(b"HTTP/1.1 429")
        assert b"Too many connections" in said
    finally:
        for connection in held:
            connection.close()

    def answers() -> bool:
        try:
            return requests.get(f"{site.url}/healthz", timeout=5).ok
        except requests.ConnectionError:
            return False

    wait_until(answers, 10, "the address to be let in")


def open_socket(site: Site, user: str = "olga") -> socket.socket:
    """The wall's socket, accepted."""
    connection = connect(site)
    key = base64.b64encode(os.urandom(16)).decode()
    connection.sendall(
        head(
            "GET",
            "/ws/wall/",
            Upgrade="websocket",
            Connection="Upgrade",
            Sec_WebSocket_Key=key,
            Sec_WebSocket_Version="13",
            Sec_WebSocket_Extensions="permessage-deflate",
            **site.bearer(user),
        )
    )
    said = b""
    while b"\r\n\r\n" not in said:
        said += connection.recv(1)
    assert said.startswith(b"HTTP/1.1 101"), said
    assert b"permessage-deflate" not in said
    return connection


@pytest.mark.parametrize("frames", [1, 200])
def test_a_message_is_refused_while_its_frames_arrive(site: Site, frames: int) -> None:
    with closing(open_socket(site)) as connection:
        length = 128 * 1024 // frames
        try:
            for number in range(frames):
                # Text at first, then continuations; the last one never comes.
                start = bytes([0x01 if number == 0 else 0x00, 0x80 | 127])
                connection.sendall(start + struct.pack("!Q", length + 1024 * 64) + b"\0" * 4)
                connection.sendall(b" " * (1024 if frames == 1 else length + 1024 * 64))
        except OSError:
            pass
        answer(connection)  # ends because the server closes


def test_a_user_with_as_many_sockets_as_allowed_gets_a_code_and_another_user_a_socket(
    site: Site,
) -> None:
    held = [open_socket(site) for _ in range(20)]
    try:
        with closing(open_socket(site)) as refused:
            assert struct.pack("!H", 4409) in answer_until(refused, struct.pack("!H", 4409))
        with closing(open_socket(site, "peter")) as another:
            assert b"hello" in answer_until(another, b"hello")
    finally:
        for connection in held:
            connection.close()


def test_a_user_with_as_many_streams_as_allowed_is_told_so(site: Site) -> None:
    request = head("GET", "/cameras/gate/stream.mjpg", **site.bearer())
    held = [connect(site) for _ in range(30)]
    try:
        for connection in held:
            connection.sendall(request)
            assert answer_until(connection, b"--frame").startswith(b"HTTP/1.1 200")
        with closing(connect(site)) as refused:
            refused.sendall(request)
            said = answer_until(refused, b"30 streams open")
        assert said.startswith(b"HTTP/1.1 429")
    finally:
        for connection in held:
            connection.close()


def answer_until(connection: socket.socket, what: bytes) -> bytes:
    """What came until ``what`` was in it, or the server closed."""
    said = b""
    while what not in said and (part := connection.recv(65536)):
        said += part
    return said


@pytest.fixture(scope="module")
def administrator(site: Site) -> requests.Session:
    """Peter, made an administrator."""
    site.shell(
        "from django.contrib.auth.models import User\n"
        "User.objects.filter(username='peter').update(is_staff=True, is_superuser=True)"
    )
    return site.login("peter")


def send_file(site: Site, session: requests.Session, size: int) -> requests.Response:
    """The answer to a form with a file of so many bytes."""
    form = {"csrfmiddlewaretoken": session.cookies["csrftoken"], "name": ""}
    return session.post(
        f"{site.url}/admin/inference/model/add/",
        data=form,
        files={"versions-0-file": ("model.onnx", b"x" * size)},
        headers={"Referer": site.url},
        timeout=60,
    )


def test_a_file_of_an_administrator_arrives_and_is_never_in_memory(
    site: Site, administrator: requests.Session
) -> None:
    before = site.memory
    answered = send_file(site, administrator, 150 * MIB)
    assert answered.status_code == 200  # the form, with what is missing in it
    assert "This field is required" in answered.text
    assert site.memory - before < 60 * MIB


def test_a_file_of_somebody_without_the_right_is_refused_unread(site: Site) -> None:
    assert send_file(site, site.login(), 3 * MIB).status_code == 413
