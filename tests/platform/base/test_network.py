from __future__ import annotations

import socket

from sightline.base.network import free_port, is_listening


def test_a_free_port_can_be_bound() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as server:
        assert is_listening("127.0.0.1", server.getsockname()[1])
        assert is_listening("0.0.0.0", server.getsockname()[1])


def test_nobody_listens_on_a_free_port() -> None:
    assert not is_listening("127.0.0.1", free_port())
