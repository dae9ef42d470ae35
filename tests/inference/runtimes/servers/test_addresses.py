"""Model servers' addresses: few forms are accepted, and what they stand for is checked before
anything is sent.
"""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest
from pytest_django import Settings

from inference.runtimes import InferenceError, ServerUnavailable, create_backend
from inference.runtimes.servers.addresses import (
    ServerAddress,
    parse_grpc,
    parse_http,
    resolved,
)
from tests.inference.runtimes.servers.servers import RestServer, as_json


def test_it_reads_rest_addresses() -> None:
    assert parse_http("http://10.0.0.5:8501") == (ServerAddress("10.0.0.5", 8501, "http"),)
    assert parse_http("HTTPS://Models.Example/") == (ServerAddress("models.example", 443, "https"),)
    assert [str(item) for item in parse_http("http://a:1, http://[fd00::5]:2,http://a:1")] == [
        "http://a:1",
        "http://[fd00::5]:2",
    ]


def test_it_reads_grpc_addresses() -> None:
    assert [str(item) for item in parse_grpc("10.0.0.5:8500, triton:8001,[fd00::5]:8001")] == [
        "10.0.0.5:8500",
        "triton:8001",
        "[fd00::5]:8001",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10.0.0.5:8501",
        "ftp://10.0.0.5:8501",
        "file:///etc/passwd",
        "http://",
        "http://:8501",
        "http://user:secret@10.0.0.5:8501",
        "http://10.0.0.5:8501/v1",
        "http://10.0.0.5:8501?x=1",
        "http://10.0.0.5:8501#x",
        "http://10.0.0.5:0",
        "http://10.0.0.5:99999",
        "http://10.0.0.5:85 01",
        "http://10.0.0.5\\@evil:80",
        "http://0x7f.1:80",
        "http://fd00::5:8501",
        "http://a b",
        "http://host\r\nX: y",
        "http://a:1,",
        ",".join(f"http://a:{port}" for port in range(1, 40)),
    ],
)
def test_it_refuses_other_rest_addresses(text: str) -> None:
    with pytest.raises(InferenceError) as caught:
        parse_http(text)
    assert caught.value.permanent


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10.0.0.5",
        "http://10.0.0.5:8500",
        "dns:///a:1",
        "unix:/run/x.sock",
        "a:1/x",
        "u@a:1",
        "fd00::5:1",
        "a:0",
        "[fd00::5]",
    ],
)
def test_it_refuses_other_grpc_addresses(text: str) -> None:
    with pytest.raises(InferenceError) as caught:
        parse_grpc(text)
    assert caught.value.permanent


@pytest.mark.parametrize("runtime", ["tfserving-rest", "kserve-rest"])
def test_a_wrong_address_is_told_when_the_model_is_made(runtime: str) -> None:
    with pytest.raises(InferenceError, match=r"It starts with http:// or https://"):
        create_backend(runtime, {"address": "10.0.0.5:8501", "model": "m"})


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "::1", "169.254.169.254", "0.0.0.0", "::ffff:127.0.0.1", "localhost"]
)
def test_no_server_is_asked_on_this_machine_or_where_clouds_keep_secrets(
    host: str, settings: Settings
) -> None:
    settings.MODEL_ALLOWED_NETWORKS = []

    with pytest.raises(
        ServerUnavailable,
        match=r"so no model server is asked there\. MODEL_ALLOWED_NETWORKS can allow it",
    ):
        resolved(ServerAddress(host, 8500), 5)


def test_private_networks_are_where_model_servers_live(settings: Settings) -> None:
    settings.MODEL_ALLOWED_NETWORKS = []

    assert [
        str(resolved(ServerAddress(host, 8500), 5)[0])
        for host in ("10.0.0.5", "192.168.1.2", "fd00::5")
    ] == [
        "10.0.0.5",
        "192.168.1.2",
        "fd00::5",
    ]


def test_the_check_comes_before_the_first_byte(settings: Settings) -> None:
    settings.MODEL_ALLOWED_NETWORKS = ["127.0.0.2/32"]
    with RestServer(lambda asked: as_json({})) as server:
        model = create_backend("tfserving-rest", {"address": server.address, "model": "m"})

        with pytest.raises(ServerUnavailable, match="is this machine itself"):
            model.load()
        assert server.asked == []


def test_a_name_that_is_not_known_is_told() -> None:
    with pytest.raises(
        ServerUnavailable, match=r"The name no-such-host\.invalid is not known here"
    ):
        resolved(ServerAddress("no-such-host.invalid", 8500), 10)


def test_a_name_server_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: hangs.wait(30) and [])

    with pytest.raises(ServerUnavailable, match="is not resolved within"):
        resolved(ServerAddress("models.example", 8500), 0.05)
    hangs.set()


def test_what_the_check_lets_pass_is_what_is_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that stands for another address from one moment to the next (DNS rebinding) gains
    nothing.
    """
    answers = iter(["127.0.0.1"])
    known = socket.getaddrinfo

    def once(host: Any, *args: Any, **kwargs: Any) -> object:
        return (
            known(next(answers), *args, **kwargs)
            if host == "models.test"
            else known(host, *args, **kwargs)
        )

    monkeypatch.setattr(socket, "getaddrinfo", once)
    with RestServer(lambda asked: as_json({"predictions": [1]})) as server:
        model = create_backend(
            "tfserving-rest", {"address": f"http://models.test:{server.port}", "model": "m"}
        )
        model.load()
        model.close()

    assert server.asked[0].headers["Host"] == f"models.test:{server.port}"
