"""What all model servers have in common: deadlines, one more try where that is safe, circuit
breakers, checks of what they answer.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Generic, Protocol, TypeVar

from inference.runtimes.errors import InferenceError, ServerUnavailable
from inference.runtimes.options import Options, number, text
from inference.runtimes.servers.breaker import Breaker, BreakerState
from inference.runtimes.servers.checks import batch_size, check_output
from inference.runtimes.servers.deadline import Deadline
from inference.runtimes.servers.failures import ModelFailed, RequestRefused, TryAgain
from inference.runtimes.tensors import ModelMetadata, Tensor

PAUSE_BEFORE_RETRY: Final = 0.05
DEADLINE_HELP: Final = "Seconds that a call may take as a whole, with connecting and one more try."
CONNECT_HELP: Final = "Seconds that connecting may take."
OUTPUTS_HELP: Final = "The outputs to ask for. Empty: all. Fewer make smaller answers."
VERSION_HELP: Final = (
    "The model's version in the server. "
    "Empty: the one that it serves by default, mostly the newest."
)


class RemoteOptions(Options):
    """Options that every model server has."""

    address: str = text(
        "",
        "Where the model server is. Several of the same, separated by commas: they take turns.",
        required=True,
    )
    model: str = text("", "The model's name in the server.", required=True)
    version: str = text("", VERSION_HELP)
    deadline: float = number(2.0, 0.05, 600.0, DEADLINE_HELP)
    connect_deadline: float = number(1.0, 0.05, 60.0, CONNECT_HELP)


class Server(Protocol):
    """A connection to one address, or a channel over several."""

    def close(self) -> None: ...


ServerT = TypeVar("ServerT", bound=Server)
Answer = TypeVar("Answer")
Asked = Callable[[], bytes]
"""A fingerprint of a call's input, made when it is needed."""


class Member(Generic[ServerT]):
    """A server and what is known of its health."""

    def __init__(self, server: ServerT) -> None:
        self.server = server
        self.breaker = Breaker()
        self.detail = ""
        self._failed_on = b""

    def ask(self, question: Callable[[ServerT], Answer], asked: Asked) -> Answer:
        """The answer to an admitted call; what it fails with is remembered. ``asked`` tells inputs
        apart: the model may fail on one again and again and work on all others.
        """
        try:
            answer = question(self.server)
        except InferenceError as err:
            if err.permanent:  # It is about the input: the server has answered.
                self._succeeded()
            elif isinstance(err, ModelFailed) and self._has_failed_on(asked()):
                self.breaker.left()
            else:
                self._failed(err)
            raise
        except BaseException:
            self.breaker.left()
            raise
        self._succeeded()
        return answer

    def _has_failed_on(self, fingerprint: bytes) -> bool:
        """Whether the last input that the model failed on was this one, too."""
        last, self._failed_on = self._failed_on, fingerprint
        return last == fingerprint

    def _succeeded(self) -> None:
        self.detail = ""
        self.breaker.succeeded()

    def _failed(self, err: InferenceError) -> None:
        self.detail = str(err)
        self.breaker.failed(refused=isinstance(err, RequestRefused))


class RemoteModel(ABC, Generic[ServerT]):
    """A model in a server, or in several that take turns; a ``Backend``. Thread-safe."""

    def __init__(self, options: RemoteOptions) -> None:
        if options.model in (".", "..") or options.version in (".", ".."):
            raise InferenceError(
                "The model's name and version are those that the server knows it by.",
                permanent=True,
            )
        self.options = options
        self._members: Sequence[Member[ServerT]] = ()
        self._turns = itertools.count()
        self._closing = threading.Event()
        self._known: ModelMetadata | None = None

    # What each protocol fills in

    @abstractmethod
    def _open(self) -> Sequence[ServerT]:
        """The servers, not yet connected."""

    @abstractmethod
    def _check_ready(self, server: ServerT, deadline: Deadline) -> None:
        """Raise InferenceError unless the model is ready."""

    @abstractmethod
    def _ask_metadata(self, server: ServerT, deadline: Deadline) -> ModelMetadata:
        """The server's description of the model."""

    @abstractmethod
    def _ask_model(
        self, server: ServerT, inputs: Mapping[str, Tensor], deadline: Deadline
    ) -> dict[str, Tensor]:
        """The outputs as they come."""

    # The Backend

    @property
    def state(self) -> BreakerState:
        """CLOSED while at least one server is used."""
        states = [member.breaker.state for member in self._members]
        for state in (BreakerState.CLOSED, BreakerState.HALF_OPEN, BreakerState.OPEN):
            if state in states:
                return state
        return BreakerState.CLOSED

    @property
    def detail(self) -> str:
        """What is wrong with those that do not answer, each in its sentence; empty when all is
        well.
        """
        return " ".join(dict.fromkeys(member.detail for member in self._members if member.detail))

    def load(self) -> None:
        """Connect, check that the model is ready, and read its description."""
        self.close()
        self._closing.clear()
        self._members = [Member(server) for server in self._open()]
        self._call(self._check_ready, bytes)
        try:
            self._known = self.metadata()
        except InferenceError:
            # Not every server has metadata; predictions need it only for better words when
            # something does not fit.
            self._known = None

    def metadata(self) -> ModelMetadata:
        """The model's description by one of the servers that can be reached."""
        deadline = Deadline(self.options.deadline)
        failure = ServerUnavailable("The model is not loaded.")
        for member in self._members:
            try:
                # Past the breaker: a server without metadata may predict very well.
                return self._ask_metadata(member.server, deadline)
            except TryAgain as err:
                failure = err
        raise failure

    def infer(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The outputs by name."""
        rows = batch_size(inputs)
        outputs = self._call(
            lambda server, deadline: self._ask_model(server, inputs, deadline),
            lambda: _fingerprint(inputs),
        )
        if not outputs:
            raise InferenceError(
                "The model gives no outputs. Look at its outputs in the server.", permanent=False
            )
        for name, tensor in outputs.items():
            check_output(name, tensor, rows)
        return outputs

    def close(self) -> None:
        """Close the connections."""
        self._closing.set()
        members, self._members = self._members, ()
        _close(members)

    # Calls

    def _call(self, question: Callable[[ServerT, Deadline], Answer], asked: Asked) -> Answer:
        """One call with one more try where that is safe: of another server if there is one, else
        of the same.
        """
        deadline = Deadline(self.options.deadline)
        first = self._admitted(None)
        if len(self._members) == 1:
            return first.ask(lambda server: self._twice(question, server, deadline), asked)
        try:
            return first.ask(lambda server: question(server, deadline), asked)
        except TryAgain as err:
            try:
                second = self._admitted(first)
            except ServerUnavailable:
                raise err from None
            return second.ask(lambda server: question(server, deadline), asked)

    def _twice(
        self, question: Callable[[ServerT, Deadline], Answer], server: ServerT, deadline: Deadline
    ) -> Answer:
        try:
            return question(server, deadline)
        except TryAgain:
            if self._closing.wait(PAUSE_BEFORE_RETRY) or deadline.left <= 0:
                raise
        return question(server, deadline)

    def _admitted(self, after: Member[ServerT] | None) -> Member[ServerT]:
        """The next server whose turn it is, another than ``after`` if there is one."""
        members = self._members
        if not members:
            raise ServerUnavailable("The model is not loaded.")
        start = next(self._turns)
        order = [members[(start + step) % len(members)] for step in range(len(members))]
        for member in sorted(order, key=lambda item: item is after):
            if member.breaker.admit():
                return member
        wait = min(member.breaker.retry_after for member in members)
        raise ServerUnavailable(
            f"{self.detail} It has failed several times in a row; the next try is in"
            f" {math.ceil(wait)} s.",
            retry_after=wait,
        )


def _fingerprint(inputs: Mapping[str, Tensor]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(inputs.items()):
        content = repr(tensor.tolist()).encode() if tensor.dtype.kind == "O" else tensor.tobytes()
        digest.update(b"%s %d " % (name.encode(), len(content)) + content)
    return digest.digest()


def _close(members: Sequence[Member[ServerT]]) -> None:
    for member in members:
        member.server.close()
