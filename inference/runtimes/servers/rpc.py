"""gRPC to model servers: one channel over all their addresses, which take turns; deadlines,
bounded answers, errors in plain words.
"""

from __future__ import annotations

import ipaddress
import json
import re
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import grpc

from cameras.sources.destination import IPAddress
from inference.runtimes.errors import InferenceError, ServerUnavailable
from inference.runtimes.servers import failures
from inference.runtimes.servers.addresses import ServerAddress, resolved
from inference.runtimes.servers.deadline import Deadline

LOOK_AGAIN: Final = 30.0
SERVICE_CONFIG: Final = json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})

_SIZES: Final = re.compile(r"larger than max \(\d+ vs\. (\d+)\)")


class GrpcServer:
    """The channel. It is dialled by the IP addresses that the check let pass, so that a name cannot
    be re-pointed in between.

    Names are looked up again every half minute: servers that came or went are then in or out.
    Any thread may call.
    """

    def __init__(
        self, addresses: tuple[ServerAddress, ...], connect_deadline: float, *, tls: bool
    ) -> None:
        self._addresses = addresses
        self._connect_deadline = connect_deadline
        self._tls = tls
        self._lock = threading.Lock()
        self._channel: grpc.Channel | None = None
        self._target = ""
        self._looked_at = 0.0
        self._stubs: dict[type, Any] = {}

    def __str__(self) -> str:
        return ", ".join(map(str, self._addresses))

    def call(
        self,
        stub: type,
        method: str,
        request: Any,
        deadline: Deadline,
        hint: Callable[[], str] = str,
    ) -> Any:
        """The answer of ``stub``'s method; InferenceError if it fails. ``hint`` may know
        why an input was refused.
        """
        with self._lock:
            found = self._stub(stub, deadline)
        try:
            return getattr(found, method)(request, timeout=max(0.0, deadline.left))
        except grpc.RpcError as err:
            raise self._translated(err, deadline, hint) from err

    def close(self) -> None:
        """Close the channel."""
        with self._lock:
            channel, self._channel = self._channel, None
            self._stubs = {}
            self._target = ""
            self._looked_at = 0.0
        if channel is not None:
            channel.close()

    def _stub(self, stub: type, deadline: Deadline) -> Any:
        self._look(deadline)
        if stub not in self._stubs:
            self._stubs[stub] = stub(self._channel)
        return self._stubs[stub]

    def _look(self, deadline: Deadline) -> None:
        """Make the channel, or another one when the names stand for other addresses by now."""
        if self._channel is not None and time.monotonic() - self._looked_at < LOOK_AGAIN:
            return
        self._looked_at = time.monotonic()
        try:
            target = _target(self._lookup(deadline.within(self._connect_deadline)))
        except ServerUnavailable:
            if self._channel is None:
                raise
            return  # The name server has a bad moment; what worked so far still may.
        if target != self._target:
            # The old channel is not closed but left to the calls that are still under way; it
            # closes when the last one lets it go.
            self._channel = self._dial(target)
            self._target = target
            self._stubs = {}

    def _lookup(self, deadline: Deadline) -> list[tuple[IPAddress, int]]:
        found, failure = [], None
        for address in self._addresses:
            try:
                found += [
                    (ip, address.port) for ip in _one_family(resolved(address, deadline.left))
                ]
            except ServerUnavailable as err:
                failure = err
        if not found and failure is not None:
            raise failure
        return found

    def _dial(self, target: str) -> grpc.Channel:
        connect_ms = int(self._connect_deadline * 1000)
        options: list[tuple[str, str | int]] = [
            ("grpc.service_config", SERVICE_CONFIG),
            ("grpc.service_config_disable_resolution", 1),
            ("grpc.enable_http_proxy", 0),
            ("grpc.enable_retries", 0),  # remote.py tries again, and counts it
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.max_receive_message_length", failures.MAX_REPLY),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_metadata_size", 64 * 1024),
            ("grpc.initial_reconnect_backoff_ms", 100),
            (
                "grpc.min_reconnect_backoff_ms",
                connect_ms,
            ),  # how long one attempt to connect may take
            ("grpc.max_reconnect_backoff_ms", 500),
            # Servers and proxies that serve by name need the name, not its IP address.
            ("grpc.default_authority", self._addresses[0].authority),
        ]
        if not self._tls:
            return grpc.insecure_channel(target, options)
        options.append(("grpc.ssl_target_name_override", self._addresses[0].host))
        return grpc.secure_channel(target, grpc.ssl_channel_credentials(), options)

    def _translated(
        self, err: grpc.RpcError, deadline: Deadline, hint: Callable[[], str]
    ) -> InferenceError:
        code = err.code() if isinstance(err, grpc.Call) else grpc.StatusCode.UNKNOWN
        message = failures.printable((err.details() if isinstance(err, grpc.Call) else "") or "")
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return failures.late(self, deadline.seconds)
        if code is grpc.StatusCode.UNAVAILABLE:
            return self._unavailable(message)
        if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
            return self._exhausted(message)
        if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
            return failures.login_needed(self)
        if code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OUT_OF_RANGE):
            return failures.input_refused(self, message, hint())
        if code is grpc.StatusCode.UNIMPLEMENTED:
            return ServerUnavailable(
                f"The server at {self} does not speak this protocol. Choose the runtime that fits"
                " it, or the address of its gRPC port."
            )
        if code is grpc.StatusCode.CANCELLED:
            return ServerUnavailable(
                f"The call to the model server at {self} was ended before its answer came."
            )
        if code is grpc.StatusCode.NOT_FOUND:
            return failures.NoModel(
                f"The model server at {self} does not have this model or version.{_quoted(message)}"
            )
        if code is grpc.StatusCode.FAILED_PRECONDITION:
            return ServerUnavailable(
                f"The model server at {self} cannot serve this model, version or"
                f" signature.{_quoted(message)}"
            )
        return failures.model_failed(self, message, hint())

    def _unavailable(self, message: str) -> InferenceError:
        lower = message.lower()
        if "connection refused" in lower:
            return failures.refused(self)
        if any(words in lower for words in ("http1", "http2", "http/", "settings frame")):
            return ServerUnavailable(
                f"What answers at {self} does not speak gRPC. Is it the port for REST, or one with"
                " TLS?"
            )
        if "failed to connect" in lower or "connection timed out" in lower or "timeout" in lower:
            return failures.not_connected(self)
        return failures.busy(self, message)

    def _exhausted(self, message: str) -> InferenceError:
        sizes = _SIZES.search(message)
        if sizes is None:
            return failures.busy(self, message)
        if int(sizes[1]) == failures.MAX_REPLY:
            return failures.too_large(self)
        limit = f"{int(sizes[1]) / 2**20:.0f} MiB"
        return InferenceError(
            f"The model server at {self} takes no more than {limit} in one call. Use a smaller"
            " batch, or raise the server's limit for messages.",
            permanent=True,
        )


def _quoted(message: str) -> str:
    return f" It says: {failures.sentence(message)}" if message else ""


def _one_family(addresses: Iterable[IPAddress]) -> list[IPAddress]:
    """A host's IPv4 addresses if it has any, else all: gRPC takes one family at a time."""
    found = list(addresses)
    return [ip for ip in found if ip.version == 4] or found


def _target(addresses: list[tuple[IPAddress, int]]) -> str:
    """gRPC's name for a list of IP addresses; IPv4 ones are mapped into IPv6 when both are among
    them.
    """
    if all(ip.version == 4 for ip, _ in addresses):
        return "ipv4:" + ",".join(f"{ip}:{port}" for ip, port in addresses)
    mapped = [
        (ip if ip.version == 6 else ipaddress.IPv6Address(f"::ffff:{ip}"), port)
        for ip, port in addresses
    ]
    return "ipv6:" + ",".join(f"[{ip}]:{port}" for ip, port in mapped)
