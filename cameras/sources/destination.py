"""Where a connection may lead: what a host resolves to is checked before each connection."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Container, Iterable, Sequence

from cameras.sources.base import AddressError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# Cloud metadata services hand a machine its own secrets.
METADATA = frozenset(
    ipaddress.ip_address(ip)
    for ip in (
        "169.254.169.254",  # AWS, Google, Azure, OpenStack and most others
        "169.254.170.2",  # AWS: tasks of ECS
        "169.254.170.23",  # AWS: pods of EKS
        "169.254.169.250",  # Rancher
        "169.254.0.23",  # Tencent
        "169.254.42.42",  # Scaleway
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure: the host's agent
        "192.0.0.192",  # Oracle, classic
        "fd00:ec2::254",  # AWS
        "fd00:ec2::23",  # AWS: pods of EKS
        "fd20:ce::254",  # Google
        "fd00:42::42",  # Scaleway
        "fd00:c1::a9fe:a9fe",  # Oracle
        "fe80::a9fe:a9fe",  # OpenStack
    )
)
THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")
# Networks whose addresses end in the IPv4 address that they lead to (RFC 6052, 8215, 4291).
CARRIERS = tuple(ipaddress.IPv6Network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96"))
# The middle of an ISATAP address (RFC 5214), which ends in an IPv4 address, too.
ISATAP = (0x00005EFE, 0x02005EFE)


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

    `allowed_networks` are exempt from being refused, but for two things: a cloud's metadata
    service must be named by its very address, and `refused`, the hosts and ports of the platform's
    own services, always are. `so` ends the sentence of a refusal.
    """
    allowed = [ipaddress.ip_network(network) for network in allowed_networks]
    own = {
        address
        for own_host, own_port in refused
        if own_port == port
        for address in _resolved(own_host, own_port, ())
    }
    own |= {_carried(address) for address in own}
    addresses = resolve(host, port)
    for address in addresses:
        if reason := _reason(address, allowed, own):
            shown = host if host == str(address) else f"{host} ({address})"
            raise AddressError(f"{shown} {reason}, so {so}.")
    return addresses


def resolve(host: str, port: int) -> list[IPAddress]:
    """All addresses of a host, each once. AddressError for an unknown one."""
    return _resolved(host, port, None)


def _reason(address: IPAddress, allowed: Sequence[IPNetwork], own: Container[IPAddress]) -> str:
    """Why `address` is refused, or ''."""
    if address in own or _carried(address) in own:
        return "is a service of this platform"
    named = [net for net in allowed if net.version == address.version and address in net]
    if _is_metadata(address):
        named = [network for network in named if network.num_addresses == 1]
    return "" if named else refusal(address)


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
    if _is_metadata(address):
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


def _is_metadata(address: IPAddress) -> bool:
    return address in METADATA or _carried(address) in METADATA


def _resolved(host: str, port: int, default: Iterable[IPAddress] | None) -> list[IPAddress]:
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
    """The IPv4 address that an IPv6 address carries (mapped, compatible, 6to4, Teredo, NAT64,
    ISATAP), else the address itself.
    """
    if not isinstance(address, ipaddress.IPv6Address):
        return address
    if address.teredo:
        return address.teredo[1]
    number = int(address)
    isatap = (number >> 32) & 0xFFFFFFFF in ISATAP
    if number > 0xFFFF and (isatap or any(address in network for network in CARRIERS)):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
