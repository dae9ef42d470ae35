"""Where a connection may lead: what a host resolves to is checked before each connection."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable

from cameras.sources.base import AddressError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# Cloud metadata services hand a machine its own secrets. These are the ones outside the link-local
# range.
METADATA = frozenset(
    ipaddress.ip_address(ip) for ip in ("fd00:ec2::254", "100.100.100.200", "168.63.129.16")
)
THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")
NAT64 = ipaddress.ip_network("64:ff9b::/96")


def check_destination(
    host: str,
    port: int,
    *,
    allowed_networks: Iterable[str | IPNetwork] = (),
    refused: Iterable[tuple[str, int]] = (),
    so: str = "no camera is opened there",
) -> list[IPAddress]:
    """Resolve `host` and return all its addresses. Raises AddressError if one of them must not be
    connected to.

    `allowed_networks` are exempt from every refusal. `refused` are hosts and ports of the
    platform's own services. `so` ends the sentence of a refusal.
    """
    allowed = [ipaddress.ip_network(network) for network in allowed_networks]
    own = {
        (address, own_port)
        for own_host, own_port in refused
        for address in _resolve(own_host, own_port, ())
    }
    addresses = _resolve(host, port, None)
    for address in addresses:
        if any(address.version == network.version and address in network for network in allowed):
            continue
        reason = "is a service of this platform" if (address, port) in own else refusal(address)
        if reason:
            shown = host if host == str(address) else f"{host} ({address})"
            raise AddressError(f"{shown} {reason}, so {so}.")
    return addresses


def is_number(host: str) -> bool:
    """Whether a host is an IP address rather than a name."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def refusal(address: IPAddress) -> str:
    """Why no camera can be at this address, or ''. Private networks are where cameras live."""
    inner = _carried(address)
    if inner in METADATA or address in METADATA:
        return "is a cloud's metadata service"
    if inner.is_loopback:
        return "is this machine itself"
    if inner.is_link_local:
        return "is a link-local address"
    if inner.is_multicast:
        return "is a multicast address"
    if inner.is_unspecified or inner.is_reserved or (inner.version == 4 and inner in THIS_NETWORK):
        return "is not the address of any machine"
    return ""


def _resolve(host: str, port: int, default: Iterable[IPAddress] | None) -> list[IPAddress]:
    """All addresses of a host, each once. For an unknown host: `default`, or AddressError if that
    is None.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as err:
        if default is not None:
            return list(default)
        raise AddressError(
            f"The name {host} is not known here. Check its spelling, or enter the IP address."
        ) from err
    return list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0])) for entry in found))


def _carried(address: IPAddress) -> IPAddress:
    """The IPv4 address that an IPv6 address carries (mapped, 6to4, Teredo, NAT64), else the
    address itself.
    """
    if not isinstance(address, ipaddress.IPv6Address):
        return address
    if address.teredo:
        return address.teredo[1]
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
