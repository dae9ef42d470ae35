"""What calls to model servers fail with, in plain words that are safe to show."""

from __future__ import annotations

from typing import Final

from inference.runtimes.errors import DeadlineExceeded, InferenceError, ServerUnavailable

MAX_REPLY: Final = 32 * 1024 * 1024
MAX_WORDS: Final = 300


class TryAgain(ServerUnavailable):
    """The server has not taken the call up, so asking once more, there or elsewhere, does no
    harm.
    """


class RequestRefused(TryAgain):
    """The server, or its host, refused at once."""


class ModelFailed(InferenceError):
    """The server has answered that the model failed on this input, as with HTTP's 500. Until it
    fails on another one, too, that is the input's fault.
    """


class NoModel(ServerUnavailable):
    """The server answers, but has no such model."""


def printable(text: str) -> str:
    """A server's message in one line of bounded length."""
    words = " ".join(
        "".join(char if char.isprintable() else " " for char in text[: 4 * MAX_WORDS]).split()
    )
    return words if len(words) <= MAX_WORDS else words[:MAX_WORDS] + " …"


def sentence(text: str) -> str:
    """``printable``, ending with a full stop."""
    words = printable(text)
    return words if words.endswith((".", "!", "?", "…")) else words + "."


def late(server: object, seconds: float) -> DeadlineExceeded:
    return DeadlineExceeded(
        f"The model server at {server} has not answered within {seconds:g} s. Is it overloaded or"
        " hung? The option deadline gives it more time."
    )


def not_connected(server: object) -> TryAgain:
    return TryAgain(
        f"The model server at {server} cannot be reached: nothing answers there. Is the address"
        " right, and is the machine on?"
    )


def refused(server: object) -> RequestRefused:
    return RequestRefused(
        f"The model server at {server} refuses the connection. Is it running, and is the port"
        " right?"
    )


def broken_off(server: object) -> ServerUnavailable:
    return ServerUnavailable(
        f"The model server at {server} broke off the connection before its answer was complete. Its"
        " log may say why."
    )


def too_large(server: object) -> InferenceError:
    return InferenceError(
        f"The answer of the model server at {server} is larger than {MAX_REPLY // 2**20} MiB. "
        "Use a smaller batch, or a model that gives fewer or smaller outputs.",
        permanent=False,
    )


def not_understood(server: object, what: str) -> InferenceError:
    return InferenceError(
        f"The answer of the model server at {server} is not understood: {what}", permanent=False
    )


def no_model(server: object, model: str, message: str) -> NoModel:
    words = f" It says: {sentence(message)}" if message else ""
    return NoModel(
        f"The model server at {server} has no model {model}, or has not loaded it yet.{words}"
    )


def input_refused(server: object, message: str, hint: str = "") -> InferenceError:
    words = f": {sentence(message)}" if message else "."
    return InferenceError(
        f"The model server at {server} refuses the input{words}{hint}", permanent=True
    )


def model_failed(server: object, message: str, hint: str = "") -> ModelFailed:
    """With a ``hint`` the input is not what the model says it takes: it would fail again.
    MLServer reports both alike.
    """
    words = f": {sentence(message)}" if message else ". Its log may say why."
    return ModelFailed(
        f"The model failed in the server at {server}{words}{hint}", permanent=bool(hint)
    )


def login_needed(server: object) -> ServerUnavailable:
    return ServerUnavailable(
        f"The model server at {server} asks for a login, which Sightline does not give. Let this"
        " machine in without one."
    )


def busy(server: object, message: str) -> RequestRefused:
    words = f" It says: {sentence(message)}" if message else ""
    return RequestRefused(f"The model server at {server} is not ready or too busy.{words}")
