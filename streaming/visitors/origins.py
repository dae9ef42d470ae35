"""Which pages may open a WebSocket. Browsers send cookies with a handshake from any page, so the
Origin header decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

DEFAULT_PORTS = {"http": "80", "https": "443"}


def allowed(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the handshake's Origin is the page's own host, or one that the settings trust; False
    without an Origin.
    """
    values = [(name.lower(), value.decode("latin1")) for name, value in headers]
    origins = [value for name, value in values if name == b"origin"]
    hosts = [value for name, value in values if name == b"host"]
    if len(origins) != 1 or len(hosts) != 1:
        return False
    return host_allowed(hosts[0]) and (
        _same(origins[0], hosts[0]) or origins[0] in settings.CSRF_TRUSTED_ORIGINS
    )


def host_allowed(host: str) -> bool:
    """Whether the host is in ALLOWED_HOSTS; otherwise any name that resolves to this server would
    count as its own.
    """
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)


def absent(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether there is no Origin, which means that the client is not a browser."""
    return all(name.lower() != b"origin" for name, _ in headers)


def _same(origin: str, host: str) -> bool:
    parts = urlsplit(origin)
    if parts.scheme not in DEFAULT_PORTS or (settings.HTTPS and parts.scheme != "https"):
        return False
    default = DEFAULT_PORTS[parts.scheme]
    return _with_port(parts.netloc, default) == _with_port(host, default)


def _with_port(netloc: str, default: str) -> str:
    domain, port = split_domain_port(netloc.lower())
    return f"{domain}:{port or default}" if domain else ""
