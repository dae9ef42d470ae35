"""What all model servers have in common: one more try where that is safe, circuit breakers,
several addresses, kept connections.
"""

from __future__ import annotations

import itertools
import socket
import threading
from typing import Any

import numpy as np
import pytest

from inference.runtimes import InferenceError, ServerUnavailable, create_backend
from inference.runtimes.servers.breaker import FAILURES_TO_OPEN, BreakerState
from inference.runtimes.servers.remote import RemoteModel
from inference.runtimes.tensors import bytes_tensor
from tests.inference.runtimes.servers.servers import (
    Answer,
    Asked,
    RawServer,
    RestServer,
    as_json,
    loaded,
    read_request,
)
from tests.servers.ports import LOOPBACK, free_port
from tests.servers.waiting import wait_until

PICTURE = {"image_bytes": bytes_tensor([b"\xff\xd8\xff\xd9"])}
ONE = as_json({"predictions": [1]})


def model_at(address: str, **options: Any) -> Any:
    model = create_backend("tfserving-rest", {"address": address, "model": "m", **options})
    assert isinstance(model, RemoteModel)
    return model


def answering(answers: Any) -> Any:
    """Answers POST with one of ``answers`` after the other."""
    each = iter(answers)
    return lambda asked: next(each) if asked.method == "POST" else as_json({})


def outcome(model: Any, number: int = 0) -> str:
    picture = {"image_bytes": bytes_tensor([b"\xff\xd8%d\xff\xd9" % number])}
    try:
        return str(model.infer(picture)["output"].tolist())
    except InferenceError as err:
        return type(err).__name__ if not isinstance(err, ServerUnavailable) else "away"


def test_a_connection_is_kept_for_all_calls() -> None:
    with RestServer(lambda asked: ONE) as server, loaded(model_at(server.address)) as model:
        for _ in range(20):
            model.infer(PICTURE)

    assert len({asked.connection for asked in server.asked}) == 1


def test_threads_have_connections_of_their_own() -> None:
    together = threading.Barrier(4, timeout=10)

    def answer(asked: Asked) -> Answer:
        if asked.method == "POST":
            together.wait()
        return ONE

    with RestServer(answer) as server, loaded(model_at(server.address)) as model:
        threads = [threading.Thread(target=model.infer, args=(PICTURE,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)

    assert len(server.posted()) == 4


def test_a_server_that_says_it_is_not_ready_is_asked_once_more() -> None:
    with (
        RestServer(
            answering(
                [as_json({"error": "busy"}, 503), ONE, as_json({}, 503), as_json({}, 503), ONE]
            )
        ) as server,
        loaded(model_at(server.address)) as model,
    ):
        assert [outcome(model) for _ in range(3)] == ["[1]", "away", "[1]"]


def test_an_error_of_the_model_is_not_asked_for_twice() -> None:
    with RestServer(lambda asked: as_json({}, 500)) as server:
        model = model_at(server.address)
        with pytest.raises(InferenceError):
            model.load()
        model.close()
    assert len(server.asked) == 1


def test_a_call_that_may_have_been_taken_up_is_not_sent_twice() -> None:
    posts = 0

    def talk(client: socket.socket, ended: threading.Event) -> None:
        nonlocal posts
        while not read_request(client).startswith(b"POST"):
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
            return
        posts += 1

    with RawServer(talk) as server, loaded(model_at(server.address)) as model:
        assert outcome(model) == "away"
    assert posts == 1


def test_a_kept_connection_that_the_server_closed_is_made_again() -> None:
    port = free_port()
    with RestServer(lambda asked: ONE, port) as first:
        model = model_at(first.address)
        model.load()
        model.infer(PICTURE)
    with RestServer(lambda asked: ONE, port):
        assert outcome(model) == "[1]"
    model.close()


def test_after_five_failures_in_a_row_the_server_is_left_alone() -> None:
    with (
        RestServer(answering(itertools.repeat(as_json({"error": "no"}, 500)))) as server,
        loaded(model_at(server.address)) as model,
    ):
        assert [outcome(model, number) for number in range(FAILURES_TO_OPEN)] == [
            "ModelFailed"
        ] * FAILURES_TO_OPEN
        assert model.state is BreakerState.OPEN
        assert "The model failed in the server" in model.detail

        with pytest.raises(
            ServerUnavailable,
            match=r"It has failed several times in a row; the next try is in 1 s\.",
        ) as caught:
            model.infer(PICTURE)

        assert 0 < caught.value.retry_after <= 1
        assert len(server.posted()) == FAILURES_TO_OPEN


def test_one_input_that_the_model_fails_on_says_nothing_about_the_server() -> None:
    with (
        RestServer(answering(itertools.repeat(as_json({"error": "no"}, 500)))) as server,
        loaded(model_at(server.address)) as model,
    ):
        tries = [outcome(model) for _ in range(4 * FAILURES_TO_OPEN)]
        assert set(tries) == {"ModelFailed"}
        assert model.state is BreakerState.CLOSED


def test_it_is_used_again_when_it_is_back() -> None:
    port = free_port()
    with RestServer(lambda asked: ONE, port) as server:
        model = model_at(server.address)
        model.load()
    for _ in range(FAILURES_TO_OPEN):
        assert outcome(model) == "away"
    assert model.state is BreakerState.OPEN
    assert "refuses the connection" in model.detail

    with RestServer(lambda asked: ONE, port):
        wait_until(lambda: outcome(model) == "[1]", 10, "the server to be asked again")

    assert (model.state, model.detail) == (BreakerState.CLOSED, "")
    model.close()


def test_wrong_inputs_do_not_count_against_the_server() -> None:
    with (
        RestServer(answering(itertools.repeat(as_json({"error": "bad"}, 400)))) as server,
        loaded(model_at(server.address)) as model,
    ):
        for _ in range(2 * FAILURES_TO_OPEN):
            assert outcome(model) == "InferenceError"
        assert model.state is BreakerState.CLOSED


def test_several_servers_take_turns() -> None:
    with (
        RestServer(lambda asked: ONE) as first,
        RestServer(lambda asked: ONE) as second,
        loaded(model_at(f"{first.address}, {second.address}")) as model,
    ):
        for _ in range(10):
            model.infer(PICTURE)
        assert len(first.posted()) == len(second.posted()) == 5


def test_of_several_servers_one_may_be_away() -> None:
    nobody = f"http://{LOOPBACK}:{free_port()}"
    with (
        RestServer(lambda asked: ONE) as server,
        loaded(model_at(f"{nobody},{server.address}")) as model,
    ):
        assert [outcome(model) for _ in range(20)] == ["[1]"] * 20
        assert model.state is BreakerState.CLOSED
        assert f"The model server at {nobody} refuses the connection" in model.detail


def test_when_all_are_away_each_is_named() -> None:
    one, other = (f"http://{LOOPBACK}:{free_port()}" for _ in range(2))
    model = model_at(f"{one},{other}")
    with pytest.raises(ServerUnavailable):
        model.load()
    for _ in range(2 * FAILURES_TO_OPEN):
        outcome(model)

    assert one in model.detail
    assert other in model.detail
    assert model.state is BreakerState.OPEN
    model.close()


def test_inputs_without_a_common_batch_are_refused_before_they_are_sent() -> None:
    with RestServer(lambda asked: ONE) as server, loaded(model_at(server.address)) as model:
        for inputs in (
            {},
            {"x": np.zeros(())},
            {"x": np.zeros((0, 3))},
            {"x": np.zeros((2, 3)), "y": np.zeros((3, 3))},
        ):
            with pytest.raises(InferenceError) as caught:
                model.infer(inputs)
            assert caught.value.permanent
        assert server.posted() == []


def test_a_model_that_is_not_loaded_says_so() -> None:
    model = model_at("http://10.0.0.5:1")
    model.close()

    with pytest.raises(ServerUnavailable, match="The model is not loaded"):
        model.infer(PICTURE)
    model.close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "The option 'address' is missing. Where the model server is"),
        ({"address": "http://a:1"}, "The option 'model' is missing"),
        ({"address": "http://a:1", "model": " "}, "The option 'model' is empty"),
        (
            {"address": "http://a:1", "model": ".."},
            "The model's name and version are those that the server knows it by",
        ),
        (
            {"address": "http://a:1", "model": "m", "deadline": 0},
            "The option 'deadline' must be from 0.05 to 600",
        ),
        ({"address": "http://a:1", "model": "m\n"}, "must be text in one line"),
    ],
)
@pytest.mark.parametrize("runtime", ["tfserving-rest", "kserve-rest"])
def test_wrong_options_are_told(runtime: str, options: dict[str, object], words: str) -> None:
    with pytest.raises(InferenceError) as caught:
        create_backend(runtime, options)
    assert words in str(caught.value)
    assert caught.value.permanent
