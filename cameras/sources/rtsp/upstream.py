"""The connection to an RTSP camera: TCP to an address that was checked, with TLS for rtsps."""

from __future__ import annotations

import socket
import ssl

from cameras.sources import failures
from cameras.sources.addresses import Address
from cameras.sources.base import Addresses, SourceError, SourceSettings
from cameras.sources.connection import connected
from sightline.messages import Cause


def camera_connection(
    settings: SourceSettings, address: Address, addresses: Addresses
) -> socket.socket:
    """A connection to one of the addresses. Raises SourceError."""
    try:
        plain = connected(addresses, address.port, settings.open_timeout)
    except OSError as err:
        raise failures.from_os_error(err, address.host, address.port) from err
    plain.settimeout(settings.open_timeout)
    try:
        secured = _secured(plain, address)
    except OSError as err:
        plain.close()
        raise _not_secured(err, address) from err
    secured.settimeout(settings.read_timeout)
    return secured


def _secured(plain: socket.socket, address: Address) -> socket.socket:
    if address.scheme != "rtsps":
        return plain
    # Accept any certificate: cameras use self-signed ones.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain, server_hostname=address.host)


def _not_secured(err: OSError, address: Address) -> SourceError:
    if isinstance(err, TimeoutError):
        return failures.stalled(answered=False)
    if isinstance(err, ssl.SSLError):
        return failures.unreachable(
            f"{address.host} does not speak TLS on port {address.port}. Try rtsp:// instead of"
            " rtsps://.",
            Cause.NO_TLS,
        )
    return failures.from_os_error(err, address.host, address.port)
