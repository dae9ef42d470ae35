"""REST servers that misbehave: each gives its own plain sentence, and the deadline holds."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from inference.runtimes import InferenceError, ServerUnavailable, create_backend
from inference.runtimes.servers.failures import MAX_REPLY
from inference.runtimes.tensors import bytes_tensor
from tests.inference.runtimes.servers.servers import (
    Answer,
    RawServer,
    RestServer,
    as_json,
    loaded,
    read_request,
)
from tests.servers.ports import LOOPBACK, free_port
from tests.servers.tcp import HangupServer, MuteServer

PICTURE = {"image_bytes": bytes_tensor([b"\xff\xd8\xff\xd9"])}
HTML = {"Content-Type": "text/html; charset=utf-8"}
READY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
# What a hanging server could cost if the deadline did not hold: far more than any machine needs for
# the rest.
LONG = 60.0
SOON = 15.0

RUNTIMES = ["tfserving-rest", "kserve-rest"]
Talk = Callable[[socket.socket, threading.Event], None]


def ready_then(misbehave: Talk) -> Talk:
    """Answers GET as a server does whose model is ready, and misbehaves when it is asked to
    predict.
    """

    def talk(client: socket.socket, ended: threading.Event) -> None:
        while not read_request(client).startswith(b"POST"):
            client.sendall(READY)
        misbehave(client, ended)

    return talk


def failure(runtime: str, address: str, **options: Any) -> InferenceError:
    """What predicting fails with."""
    with loaded(
        create_backend(runtime, {"address": address, "model": "m", "deadline": 5.0, **options})
    ) as model:
        with pytest.raises(InferenceError) as caught:
            model.infer(PICTURE)
        return caught.value


def answered(runtime: str, answer: Answer) -> InferenceError:
    """What predicting fails with when the server gives this answer."""
    with RestServer(lambda asked: answer if asked.method == "POST" else as_json({})) as server:
        return failure(runtime, server.address)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_web_page(runtime: str) -> None:
    err = answered(runtime, Answer(b"<!doctype html><title>Welcome to nginx!</title>", 200, HTML))

    assert isinstance(err, ServerUnavailable)
    assert "a web page answers, not a model server. Check the address and the port" in str(err)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_web_page_in_place_of_an_error(runtime: str) -> None:
    err = answered(runtime, Answer(b"<html><h1>502 Bad Gateway</h1></html>", 502, HTML))

    assert isinstance(err, ServerUnavailable)
    assert "answers with error 502. Is it the right address" in str(err)
    assert "<" not in str(err)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_nobody_there(runtime: str) -> None:
    model = create_backend(runtime, {"address": f"http://{LOOPBACK}:{free_port()}", "model": "m"})

    with pytest.raises(
        ServerUnavailable, match=r"refuses the connection\. Is it running, and is the port right\?"
    ):
        model.load()


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("kind", ["mute", "head", "body", "chunks", "bytes of the head"])
def test_a_server_that_hangs_or_dawdles_is_left_at_the_deadline(runtime: str, kind: str) -> None:
    """Dawdling is worse than hanging: each byte comes in time, the answer never."""

    def dawdle(client: socket.socket, ended: threading.Event) -> None:
        starts = {
            "head": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n",
            "body": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
            "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "bytes of the head": b"H",
        }
        parts = {
            "head": b"X-Wait: 1\r\n",
            "body": b" ",
            "chunks": b"1\r\n \r\n",
            "bytes of the head": b"T",
        }
        client.sendall(starts.get(kind, b""))
        until = time.monotonic() + LONG
        while not ended.wait(0.05) and time.monotonic() < until:
            if kind != "mute":
                client.sendall(parts[kind])

    begin = time.monotonic()
    with RawServer(ready_then(dawdle)) as server:
        err = failure(runtime, server.address, deadline=0.5)

    assert time.monotonic() - begin < SOON
    assert isinstance(err, ServerUnavailable)
    assert "has not answered within 0.5 s. Is it overloaded or hung?" in str(err)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_server_that_reads_nothing(runtime: str) -> None:
    def deaf(client: socket.socket, ended: threading.Event) -> None:
        while not client.recv(16, socket.MSG_PEEK).startswith(b"POST"):
            read_request(client)
            client.sendall(READY)
        ended.wait(LONG)

    with (
        RawServer(deaf) as server,
        loaded(
            create_backend(runtime, {"address": server.address, "model": "m", "deadline": 0.5})
        ) as model,
    ):
        begin = time.monotonic()
        with pytest.raises(ServerUnavailable, match="has not answered within"):
            model.infer(
                {"x": np.zeros((1, 64 * 1024 * 1024), np.uint8)}
                if runtime == "kserve-rest"
                else {"x": bytes_tensor([bytes(64 * 1024 * 1024)])}
            )
        assert time.monotonic() - begin < SOON


@pytest.mark.parametrize("server", [MuteServer, HangupServer])
def test_a_server_that_never_says_a_word_is_told_when_the_model_is_loaded(
    server: type[MuteServer],
) -> None:
    with server() as running:
        model = create_backend(
            "kserve-rest", {"address": f"http://{running.authority}", "model": "m", "deadline": 0.5}
        )
        with pytest.raises(
            ServerUnavailable, match=r"has not answered within|broke off the connection"
        ):
            model.load()
        model.close()


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
    ],
)
def test_a_server_that_closes_in_the_middle(runtime: str, start: bytes) -> None:
    def close(client: socket.socket, ended: threading.Event) -> None:
        client.sendall(start)

    with RawServer(ready_then(close)) as server:
        err = failure(runtime, server.address)

    assert isinstance(err, ServerUnavailable)
    assert "broke off the connection before its answer was complete" in str(err)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("way", ["announced", "chunked", "until it closes"])
def test_a_hundred_megabytes_are_not_read(runtime: str, way: str) -> None:
    sent = 0

    def flood(client: socket.socket, ended: threading.Event) -> None:
        nonlocal sent
        size, piece = 100 * 1024 * 1024, b" " * 65536
        heads = {
            "announced": b"Content-Length: %d\r\n" % size,
            "chunked": b"Transfer-Encoding: chunked\r\n",
            "until it closes": b"Connection: close\r\n",
        }
        client.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + heads[way] + b"\r\n"
        )
        while sent < size:
            client.sendall(b"10000\r\n" + piece + b"\r\n" if way == "chunked" else piece)
            sent += len(piece)

    with RawServer(ready_then(flood)) as server:
        err = failure(runtime, server.address, deadline=30.0)

    assert "is larger than 32 MiB. Use a smaller batch" in str(err)
    assert sent < 2 * MAX_REPLY


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_model_that_fails_is_no_server_that_is_away(runtime: str) -> None:
    """An input may be what makes it fail, and must not be tried for ever."""
    err = answered(runtime, as_json({"error": "division by zero\nin model.py\x1b[31m"}, 500))

    assert not err.permanent
    assert not isinstance(err, ServerUnavailable)
    assert "The model failed in the server at" in str(err)
    assert "division by zero in model.py [31m." in str(err)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(runtime: str, status: int) -> None:
    with RestServer(lambda asked: as_json({})) as secret:
        err = answered(runtime, Answer(b"", status, {"Location": secret.address}))

        assert (
            f"sends its callers on to {secret.address}, which is not followed. Enter the final"
            " address." in str(err)
        )
        assert secret.asked == []


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(b'{"predictions": [1'), "it is not complete JSON"),
        (Answer(b""), "it is not complete JSON"),
        (Answer(b"\xff\xd8\xff"), "it is not complete JSON"),
        (Answer(b"[" * 100_000), "it is not complete JSON"),
        (as_json([1, 2]), "it is no JSON object"),
        (
            Answer(gzip.compress(b"{}"), 200, {"Content-Encoding": "gzip"}),
            "it is compressed, which nobody asked for",
        ),
    ],
)
def test_answers_that_are_no_json_object(runtime: str, answer: Answer, words: str) -> None:
    err = answered(runtime, answer)

    assert not err.permanent
    assert "The answer of the model server at" in str(err)
    assert words in str(err)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"hello": "world"}, 'it holds neither "predictions" nor "outputs"'),
        ({"predictions": [{"a": 1}, {"b": 1}]}, "its predictions do not all have the same names"),
        ({"predictions": [{"a": 1}, 2]}, "its predictions do not all have the same names"),
        ({"predictions": [[1, 2], [3]]}, "in the output output its rows are of different lengths"),
        ({"predictions": [{"a": None}]}, "in the output a it holds something else than numbers"),
        (
            {"predictions": [[float("nan")]]},
            "holds values that are not numbers (NaN). Check the model",
        ),
        (
            {"predictions": [1, 2, 3]},
            (
                "output output has the shape (3); its first axis must have one row for each of the"
                " 1 inputs"
            ),
        ),
        ({"predictions": []}, "has the shape (0)"),
        ({"error": "out of memory"}, "The model failed in the server at"),
    ],
)
def test_tensorflow_serving_with_wrong_outputs(answer: object, words: str) -> None:
    assert words in str(answered("tfserving-rest", Answer(json.dumps(answer).encode())))


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        (None, "it is not as the Open Inference Protocol v2 has it. Choose another runtime"),
        ([], "gives no outputs"),
        ([{"name": "a"}], "it is not as the Open Inference Protocol v2 has it"),
        (
            [{"name": "a", "shape": [1, 3], "datatype": "FP32", "data": [1, 2]}],
            "2 values have come for a shape of 3",
        ),
        (
            [{"name": "a", "shape": [-1], "datatype": "FP32", "data": [1]}],
            "its shape cannot be [-1]",
        ),
        (
            [{"name": "a", "shape": [1], "datatype": "FP128", "data": [1]}],
            "'FP128' is no type of tensors",
        ),
        (
            [{"name": "a", "shape": [1], "datatype": "FP32", "data": ["x"]}],
            "it holds something else than numbers",
        ),
        (
            [{"name": "a", "shape": [1], "datatype": "FP32", "data": [float("nan")]}],
            "holds values that are not numbers (NaN)",
        ),
        (
            [{"name": "a", "shape": [2, 2], "datatype": "FP32", "data": [1, 2, 3, 4]}],
            "has the shape (2, 2); its first axis must have one row",
        ),
        (
            [
                {
                    "name": "a",
                    "shape": [1],
                    "datatype": "FP32",
                    "parameters": {"binary_data_size": 400},
                }
            ],
            "its bytes are fewer than it says",
        ),
        (
            [
                {
                    "name": "a",
                    "shape": [1],
                    "datatype": "FP32",
                    "parameters": {"binary_data_size": -4},
                }
            ],
            "its bytes are fewer than it says",
        ),
        (
            [{"name": ["a"], "shape": [1], "datatype": "FP32", "data": [1]}],
            "it is not as the Open Inference Protocol v2 has it",
        ),
    ],
)
def test_kserve_with_wrong_outputs(outputs: object, words: str) -> None:
    assert words in str(
        answered(
            "kserve-rest", Answer(json.dumps({"model_name": "m", "outputs": outputs}).encode())
        )
    )


def test_a_port_that_speaks_another_protocol() -> None:
    def http2(client: socket.socket, ended: threading.Event) -> None:
        client.recv(65536)
        client.sendall(b"\x00\x00\x18\x04\x00\x00\x00\x00\x00\x00\x04\x00\x40\x00\x00" + bytes(16))

    with RawServer(http2) as server:
        model = create_backend("tfserving-rest", {"address": server.address, "model": "m"})
        with pytest.raises(InferenceError, match="Is this the REST port, not the one for gRPC"):
            model.load()
        model.close()


def test_tls_where_there_is_none() -> None:
    with RestServer(lambda asked: as_json({})) as server:
        model = create_backend(
            "tfserving-rest", {"address": server.address.replace("http", "https"), "model": "m"}
        )
        with pytest.raises(
            ServerUnavailable, match=r"is not secure: .* Check its certificate, or use http://"
        ):
            model.load()


def test_long_names_and_words_of_a_server_are_cut() -> None:
    err = answered("tfserving-rest", as_json({"error": "x" * 10_000}, 400))

    assert len(str(err)) < 500
