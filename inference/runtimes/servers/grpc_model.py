"""What both gRPC protocols have in common: one channel, and the option for TLS."""

from __future__ import annotations

from typing import Final

from inference.runtimes.errors import InferenceError
from inference.runtimes.servers.addresses import parse_grpc
from inference.runtimes.servers.remote import RemoteModel, RemoteOptions
from inference.runtimes.servers.rpc import GrpcServer

TLS_HELP: Final = "Connect with TLS. The server's certificate must be one that this machine trusts."


class GrpcModel(RemoteModel[GrpcServer]):
    """A model served over gRPC."""

    def __init__(self, options: RemoteOptions, *, tls: bool) -> None:
        super().__init__(options)
        self._tls = tls
        self._addresses = parse_grpc(options.address)
        if tls and len({address.host for address in self._addresses}) > 1:
            raise InferenceError(
                "With TLS the address is one host name, which may stand for several servers.",
                permanent=True,
            )

    def _open(self) -> list[GrpcServer]:
        return [GrpcServer(self._addresses, self.options.connect_deadline, tls=self._tls)]
