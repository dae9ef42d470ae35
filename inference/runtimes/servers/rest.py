"""What both REST protocols have in common: the servers, their error answers, and JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from inference.runtimes.errors import ServerUnavailable
from inference.runtimes.servers import failures
from inference.runtimes.servers.addresses import ServerAddress, parse_http
from inference.runtimes.servers.deadline import Deadline
from inference.runtimes.servers.http import HttpServer, Reply
from inference.runtimes.servers.remote import RemoteModel, RemoteOptions
from inference.runtimes.servers.wire import WireError, load_json

OK: Final = 200
JSON: Final = {"Content-Type": "application/json"}


class RestModel(RemoteModel[HttpServer]):
    """A model served over HTTP."""

    def __init__(self, options: RemoteOptions) -> None:
        super().__init__(options)
        self._addresses: tuple[ServerAddress, ...] = parse_http(options.address)

    def _open(self) -> list[HttpServer]:
        return [HttpServer(address, self.options.connect_deadline) for address in self._addresses]

    def _get(self, server: HttpServer, path: str, deadline: Deadline) -> dict[str, Any]:
        return document(server, self._accepted(server, server.ask("GET", path, deadline)))

    def _post(
        self,
        server: HttpServer,
        path: str,
        body: bytes,
        deadline: Deadline,
        hint: Callable[[], str] = str,
        headers: Mapping[str, str] = JSON,
    ) -> Reply:
        return self._accepted(server, server.ask("POST", path, deadline, body, headers), hint)

    def _accepted(self, server: HttpServer, reply: Reply, hint: Callable[[], str] = str) -> Reply:
        """The reply if it says that all went well, else the error that it stands for. ``hint``
        may know why an input was refused.
        """
        if reply.status == OK:
            return reply
        message = _message_of(reply)
        if reply.status in (400, 422):
            raise failures.input_refused(server, message, hint())
        if reply.status == 413:
            raise failures.input_refused(
                server, message or "it is too large. Send smaller pictures or batches"
            )
        if reply.status in (401, 403):
            raise failures.login_needed(server)
        if reply.status == 404:
            raise failures.no_model(server, self.options.model, message)
        if reply.status == 500:
            raise failures.model_failed(server, message, hint())
        if reply.status in (429, 503):
            raise failures.busy(server, message)
        words = f": {failures.sentence(message)}" if message else "."
        raise ServerUnavailable(
            f"The model server at {server} answers with error {reply.status}{words} Is it the right"
            " address, and the right runtime?"
        )


def document(server: HttpServer, reply: Reply) -> dict[str, Any]:
    """The JSON object of a reply. Raises InferenceError if it is not one."""
    refuse_html(server, reply)
    return parsed(server, reply.body)


def parsed(server: HttpServer, body: bytes) -> dict[str, Any]:
    """The JSON object in ``body``. Raises InferenceError if it is not one."""
    try:
        value = load_json(body)
    except WireError as err:
        raise failures.not_understood(
            server, f"{err}. Is this the address of a model server, and is it the right runtime?"
        ) from err
    if not isinstance(value, dict):
        raise failures.not_understood(
            server,
            "it is no JSON object. Is this the address of a model server, and is it the right"
            " runtime?",
        )
    return value


def refuse_html(server: HttpServer, reply: Reply) -> None:
    """ServerUnavailable when a web page has come."""
    if reply.content_type in ("text/html", "application/xhtml+xml") or reply.body[
        :64
    ].lstrip().lower().startswith((b"<!doctype", b"<html")):
        raise ServerUnavailable(
            f"At {server} a web page answers, not a model server. Check the address and the port: a"
            " proxy or another program may be there."
        )


def quoted(text: str) -> str:
    """As one part of a path."""
    return quote(text, safe="")


def _message_of(reply: Reply) -> str:
    """The message of an error reply; "" for web pages and the like."""
    try:
        value = load_json(reply.body[: failures.MAX_REPLY // 32])
    except WireError:
        return (
            ""
            if b"<" in reply.body[:64]
            else failures.printable(reply.body[:2000].decode("utf-8", "replace"))
        )
    for name in ("error", "detail", "message"):
        words = value.get(name) if isinstance(value, dict) else None
        if isinstance(words, str) and words:
            return failures.printable(words)
        if words:
            return failures.printable(str(words))
    return ""


def refused_if_error(server: HttpServer, value: Mapping[str, Any]) -> None:
    """InferenceError for an error inside an answer of status 200."""
    if isinstance(words := value.get("error"), str):
        raise failures.model_failed(server, words)
