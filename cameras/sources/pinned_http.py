"""HTTP connections that go to the address that was checked, never to what a name means later."""

from __future__ import annotations

import socket
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from cameras.sources.base import DestinationCheck
from cameras.sources.connection import connected

CONNECT_SECONDS = 5.0


def pinned_session(check: DestinationCheck) -> requests.Session:
    """A session whose every new connection asks `check` and goes where it says; what `check`
    raises comes out of the request. Uses nothing of the environment: no proxies, no .netrc.
    """
    session = requests.Session()
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, _PinnedAdapter(check))
    return session


class _PinnedAdapter(HTTPAdapter):
    def __init__(self, check: DestinationCheck) -> None:
        self._check = check
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _pools(self._check)


def _pools(check: DestinationCheck) -> dict[str, type[HTTPConnectionPool]]:
    """Connection pools of urllib3 whose connections are made by `check`."""

    def connect(connection: HTTPConnection) -> socket.socket:
        addresses = check(connection.host, connection.port)
        seconds = connection.timeout
        wait = float(seconds) if isinstance(seconds, int | float) else CONNECT_SECONDS
        try:
            return connected(addresses, connection.port, wait)
        except TimeoutError as err:
            raise ConnectTimeoutError(connection, "connecting took too long") from err
        except OSError as err:
            raise NewConnectionError(connection, str(err)) from err

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return connect(self)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return connect(self)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
