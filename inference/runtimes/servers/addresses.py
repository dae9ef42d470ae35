"""Where model servers are: a list of addresses, strictly parsed; what they resolve to is checked
before each connection.
"""

from __future__ import annotations

import ipaddress
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.conf import settings

from cameras.sources.addresses import parse_authority
from cameras.sources.base import AddressError
from cameras.sources.destination import IPAddress, check_destination
from inference.runtimes.errors import InferenceError, ServerUnavailable
from sightline.base.services import own_services

MAX_ADDRESSES: Final = 32
HTTP_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """One model server. ``host`` is in ASCII, an IPv6 address without brackets; ``scheme`` is ""
    for gRPC.
    """

    host: str
    port: int
    scheme: str = ""

    @property
    def authority(self) -> str:
        """host:port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}" if self.scheme else self.authority


def parse_http(text: str) -> tuple[ServerAddress, ...]:
    """The addresses of REST servers, as in "http://10.0.0.5:8501"; a permanent InferenceError
    says what is wrong.
    """
    return _each(text, _parse_http)


def parse_grpc(text: str) -> tuple[ServerAddress, ...]:
    """The addresses of gRPC servers, as in "10.0.0.5:8500"; a permanent InferenceError says what
    is wrong.
    """
    return _each(text, _parse_grpc)


def resolved(address: ServerAddress, seconds: float) -> list[IPAddress]:
    """What the host's name stands for now. ServerUnavailable when that is unknown, takes longer,
    or is no place for a model server.
    """
    try:
        return [ipaddress.ip_address(host) for host in _bounded(lambda: _checked(address), seconds)]
    except queue.Empty as err:
        raise ServerUnavailable(
            f"The name {address.host} is not resolved within {seconds:.1f} s. Is the name server"
            " away?"
        ) from err
    except AddressError as err:
        raise ServerUnavailable(str(err)) from err


def _checked(address: ServerAddress) -> list[str]:
    return [str(ip) for ip in check_server(address.host, address.port, "model server")]


def check_server(host: str, port: int, what: str) -> list[IPAddress]:
    """The addresses of a server's host, all of them checked. AddressError for a destination that
    no server of models or schemas may have; `what` says in it what was looked for.
    """
    return check_destination(
        host,
        port,
        allowed_networks=settings.MODEL_ALLOWED_NETWORKS,
        refused=own_services(),
        so=f"no {what} is asked there. MODEL_ALLOWED_NETWORKS can allow it",
    )


def _bounded(function: Callable[[], list[str]], seconds: float) -> list[str]:
    """The system's resolver has no deadline, so it runs in a thread that may be left
    behind.
    """
    answers: queue.SimpleQueue[list[str] | AddressError] = queue.SimpleQueue()

    def resolve() -> None:
        try:
            answers.put(function())
        except AddressError as err:
            answers.put(err)

    threading.Thread(target=resolve, name="resolve", daemon=True).start()
    answer = answers.get(timeout=max(0.0, seconds))
    if isinstance(answer, AddressError):
        raise answer
    return answer


def _each(text: str, parse: Callable[[str], ServerAddress]) -> tuple[ServerAddress, ...]:
    items = [item.strip() for item in text.split(",")]
    if len(items) > MAX_ADDRESSES:
        raise InferenceError(f"Too many addresses: {MAX_ADDRESSES} at most.", permanent=True)
    try:
        return tuple(dict.fromkeys(parse(item) for item in items))
    except AddressError as err:
        raise InferenceError(
            f"The model server's address cannot be used. {err}", permanent=True
        ) from err


def _parse_http(text: str) -> ServerAddress:
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in HTTP_PORTS:
        raise AddressError("It starts with http:// or https://, as in http://10.0.0.5:8501.")
    host, port = _parse_authority(rest.removesuffix("/"), "http://10.0.0.5:8501")
    return ServerAddress(host, port or HTTP_PORTS[scheme], scheme)


def _parse_grpc(text: str) -> ServerAddress:
    host, port = _parse_authority(text, "10.0.0.5:8500")
    if port is None:
        raise AddressError("It ends with the port, as in 10.0.0.5:8500.")
    return ServerAddress(host, port)


def _parse_authority(text: str, example: str) -> tuple[str, int | None]:
    if not text:
        raise AddressError(f"Write one, as in {example}, or several separated by commas.")
    if "/" in text or "?" in text or "#" in text or "\\" in text:
        raise AddressError(f"Host and port alone are needed, as in {example}.")
    if "@" in text:
        raise AddressError("It must not hold a user name or password.")
    if text.count(":") > 1 and not text.startswith("["):
        raise AddressError("An IPv6 address stands in brackets, as in [fd00::5]:8500.")
    return parse_authority(text)
