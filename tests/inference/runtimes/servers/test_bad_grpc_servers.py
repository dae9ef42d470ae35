"""gRPC servers that misbehave, and what they all have in common: each gives its own plain
sentence, and the deadline holds.
"""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2 as pb

from inference.runtimes import InferenceError, ServerUnavailable, create_backend
from inference.runtimes.servers import rpc
from inference.runtimes.servers.breaker import FAILURES_TO_OPEN, BreakerState
from inference.runtimes.servers.failures import MAX_REPLY
from tests.inference.runtimes.servers.grpc_stubs import aborting, kserve, one_row
from tests.inference.runtimes.servers.servers import (
    RawServer,
    RestServer,
    as_json,
    loaded,
)
from tests.servers.ports import LOOPBACK, free_port
from tests.servers.tcp import HangupServer, MuteServer
from tests.servers.waiting import wait_until

INPUTS = {"x": np.array([[1.5, 2.0]], np.float32)}
LONG = 60.0
SOON = 15.0
RUNTIMES = ["kserve-grpc", "tfserving-grpc"]


def model_at(address: str, runtime: str = "kserve-grpc", **options: object) -> Any:
    return create_backend(runtime, {"address": address, "model": "m", "deadline": 5, **options})


def loading(model: Any) -> InferenceError:
    with pytest.raises(InferenceError) as caught:
        model.load()
    model.close()
    return caught.value


def failure(infer: Any, **options: Any) -> InferenceError:
    server, _ = kserve(infer)
    with server, loaded(model_at(server.address, **options)) as model:
        with pytest.raises(InferenceError) as caught:
            model.infer(INPUTS)
        return caught.value


def outcome(model: Any) -> str:
    try:
        model.infer(INPUTS)
    except InferenceError as err:
        return "away" if isinstance(err, ServerUnavailable) else "failed"
    return "answered"


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_nobody_there(runtime: str) -> None:
    err = loading(model_at(f"{LOOPBACK}:{free_port()}", runtime))

    assert isinstance(err, ServerUnavailable)
    assert "refuses the connection. Is it running, and is the port right?" in str(err)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_server_that_never_says_a_word(runtime: str) -> None:
    begin = time.monotonic()
    with MuteServer() as server:
        err = loading(model_at(server.authority, runtime, deadline=0.5))

    assert time.monotonic() - begin < SOON
    assert isinstance(err, ServerUnavailable)
    assert "has not answered within 0.5 s" in str(err)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_server_that_hangs_up(runtime: str) -> None:
    with HangupServer() as server:
        assert isinstance(loading(model_at(server.authority, runtime)), ServerUnavailable)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_port_for_rest(runtime: str) -> None:
    with RestServer(lambda asked: as_json({})) as server:
        err = loading(model_at(server.address.removeprefix("http://"), runtime))

    assert "does not speak gRPC. Is it the port for REST, or one with TLS?" in str(err)


def test_a_web_server() -> None:
    def talk(client: socket.socket, ended: threading.Event) -> None:
        client.recv(4096)
        client.sendall(
            b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n<html>nginx</html>"
        )

    with RawServer(talk) as server:
        err = loading(model_at(server.authority))
    assert "does not speak gRPC" in str(err)


def test_a_server_of_another_service() -> None:
    server, _ = kserve(one_row())
    with server:
        err = loading(model_at(server.address, "tfserving-grpc"))
    assert "does not speak this protocol. Choose the runtime that fits it" in str(err)


def test_tls_where_there_is_none() -> None:
    server, _ = kserve(one_row())
    with server:
        assert isinstance(loading(model_at(server.address, tls=True)), ServerUnavailable)


def test_a_slow_model_is_left_at_the_deadline() -> None:
    ended = threading.Event()

    def infer(request: Any, context: Any) -> Any:
        ended.wait(LONG)
        return one_row()(request, context)

    server, _ = kserve(infer)
    begin = time.monotonic()
    with server, loaded(model_at(server.address, deadline=0.5)) as model:
        with pytest.raises(ServerUnavailable, match=r"has not answered within 0\.5 s"):
            model.infer(INPUTS)
        ended.set()
    assert time.monotonic() - begin < SOON


@pytest.mark.parametrize(
    ("code", "words", "kind", "permanent"),
    [
        (
            grpc.StatusCode.INVALID_ARGUMENT,
            "refuses the input: no such thing. Its input",
            InferenceError,
            True,
        ),
        (
            grpc.StatusCode.NOT_FOUND,
            "does not have this model or version. It says: no such thing.",
            ServerUnavailable,
            False,
        ),
        (
            grpc.StatusCode.FAILED_PRECONDITION,
            "cannot serve this model, version or signature. It says: no such thing.",
            ServerUnavailable,
            False,
        ),
        (grpc.StatusCode.UNAUTHENTICATED, "asks for a login", ServerUnavailable, False),
        (
            grpc.StatusCode.UNAVAILABLE,
            "is not ready or too busy. It says: no such thing.",
            ServerUnavailable,
            False,
        ),
        (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "is not ready or too busy. It says: no such thing.",
            ServerUnavailable,
            False,
        ),
        (grpc.StatusCode.UNIMPLEMENTED, "does not speak this protocol", ServerUnavailable, False),
        (
            grpc.StatusCode.INTERNAL,
            "no such thing. Its input x has the shape",
            InferenceError,
            True,
        ),
        (grpc.StatusCode.UNKNOWN, "no such thing. Its input x has the shape", InferenceError, True),
    ],
)
def test_each_status_has_its_sentence(
    code: grpc.StatusCode, words: str, kind: type[InferenceError], permanent: bool
) -> None:
    server, _ = kserve(aborting(code, "no such\nthing"))
    with server, loaded(model_at(server.address)) as model, pytest.raises(InferenceError) as caught:
        model.infer({"x": np.zeros((1, 3), np.float32)})

    assert words in str(caught.value)
    away = isinstance(caught.value, ServerUnavailable)
    assert away == issubclass(kind, ServerUnavailable)
    assert isinstance(caught.value, kind)
    assert caught.value.permanent == permanent


def test_a_failure_on_an_input_that_fits_may_pass() -> None:
    server, _ = kserve(aborting(grpc.StatusCode.INTERNAL, "no memory"))
    with (
        server,
        loaded(model_at(server.address)) as model,
        pytest.raises(InferenceError, match="The model failed in the server at") as caught,
    ):
        model.infer(INPUTS)

    assert not caught.value.permanent


def test_unavailable_is_tried_once_more() -> None:
    answers = iter([aborting(grpc.StatusCode.UNAVAILABLE, "warming up"), one_row()])
    server, servicer = kserve(lambda request, context: next(answers)(request, context))
    with server, loaded(model_at(server.address)) as model:
        assert outcome(model) == "answered"
    assert len(servicer.requests) == 2


def test_a_hundred_megabytes_are_not_read() -> None:
    def infer(request: Any, context: Any) -> Any:
        reply = pb.ModelInferResponse(raw_output_contents=[bytes(100 * 1024 * 1024)])
        reply.outputs.add(name="y", datatype="UINT8", shape=[1, 100 * 1024 * 1024])
        return reply

    err = failure(infer, deadline=30)

    assert f"is larger than {MAX_REPLY // 2**20} MiB. Use a smaller batch" in str(err)


def test_a_server_that_takes_less_than_is_sent_says_how_much() -> None:
    server, _ = kserve(one_row())
    with server, loaded(model_at(server.address)) as model, pytest.raises(InferenceError) as caught:
        model.infer({"x": np.zeros((1, 5 * 1024 * 1024), np.uint8)})
    assert "takes no more than 4 MiB in one call. Use a smaller batch" in str(caught.value)
    assert caught.value.permanent


def test_it_opens_after_five_failures_and_is_used_again_when_it_is_back() -> None:
    port = free_port()
    server, _ = kserve(one_row(), port)
    with server:
        model = model_at(server.address)
        model.load()
        assert outcome(model) == "answered"
    for _ in range(FAILURES_TO_OPEN):
        assert outcome(model) == "away"
    assert model.state is BreakerState.OPEN
    assert "refuses the connection" in model.detail

    server, _ = kserve(one_row(), port)
    with server:
        wait_until(lambda: outcome(model) == "answered", 30, "the server to be asked again", 0.05)
        model.close()


def test_several_servers_take_turns_and_one_may_be_away() -> None:
    first, one = kserve(one_row())
    second, other = kserve(one_row())
    nobody = f"{LOOPBACK}:{free_port()}"
    with first, second, loaded(model_at(f"{first.address},{nobody},{second.address}")) as model:
        wait_until(
            lambda: outcome(model) == "answered" and one.requests and other.requests,
            10,
            "both servers to be asked",
        )
        assert [outcome(model) for _ in range(20)] == ["answered"] * 20
        assert min(len(one.requests), len(other.requests)) >= 5


def test_a_name_for_several_servers_is_spread_over_them_and_looked_up_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = free_port()
    places = ["127.0.0.1"]
    known = socket.getaddrinfo

    def lookup(host: Any, *args: Any, **kwargs: Any) -> Any:
        return (
            [entry for place in places for entry in known(place, *args, **kwargs)]
            if host == "models.test"
            else known(host, *args, **kwargs)
        )

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    server, servicer = kserve(one_row(), port)
    with server, loaded(model_at(f"models.test:{port}")) as model:
        assert outcome(model) == "answered"
        assert outcome(model) == "answered"
        places[:] = ["127.0.0.2"]
        monkeypatch.setattr(rpc, "LOOK_AGAIN", 0.0)
        assert outcome(model) == "away"
        places[:] = ["127.0.0.2", "127.0.0.1"]
        wait_until(lambda: outcome(model) == "answered", 10, "the other address to be used")
    assert servicer.requests
