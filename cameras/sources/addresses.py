"""Where a camera is: addresses are parsed strictly.

The parser accepts few forms and refuses the rest, because what follows it (FFmpeg above all)
reads far more into a string.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

import idna

from cameras.sources.base import AddressError
from cameras.sources.destination import refusal

MAX_LENGTH = 2048
SCHEMES: dict[str, dict[str, int]] = {
    "rtsp": {"rtsp": 554, "rtsps": 322},
    "mjpeg": {"http": 80, "https": 443},
    "snapshot": {"http": 80, "https": 443},
}
DEMO_SIZES = ((640, 360), (1920, 1080))
DEMO_LINES = range(1, 21)
# FFmpeg takes these words out of an RTSP address as its own options.
FFMPEG_WORDS = {"tcp", "udp", "multicast", "filter_src"}
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
_PATH = re.compile(r"([/?]([A-Za-z0-9._~!$&'()*+,;=:@/?\[\]-]|%[0-9A-Fa-f]{2})*)?")
_DEVICE = re.compile(r"/dev/video[0-9]{1,3}")


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed address; `url` is its normal form.

    `host` is in ASCII, an IPv6 address without brackets. `path` includes the query of a network
    kind; for `file` and `device` it is the path on disk. `options` are those of a demo address.
    """

    kind: str
    url: str
    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


def parse_address(
    kind: str,
    url: str,
    *,
    allow_local: bool = False,
    allow_file: bool = False,
    allow_device: bool = False,
) -> Address:
    """The address in `url` for a camera of this kind. Raises AddressError.

    `allow_local` accepts this machine's own host names and IP addresses, which
    `check_destination` still checks.
    """
    _refuse_odd_characters(url)
    if kind in SCHEMES:
        return _parse_network(kind, url, allow_local)
    if kind == "demo":
        return _parse_demo(url)
    if kind == "file":
        return _parse_file(url, allow_file)
    if kind == "device":
        return _parse_device(url, allow_device)
    raise AddressError(f"There is no kind of camera called {kind!r}.")


def login_destination(kind: str, url: str) -> str:
    """Where a camera's log-in is sent: its kind, scheme, host and port, the path left out."""
    try:
        address = parse_address(kind, url, allow_local=True, allow_file=True, allow_device=True)
    except AddressError:
        return f"{url} ({kind})"
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"{address.scheme}://{host}:{address.port} ({kind})"


def _refuse_odd_characters(url: str) -> None:
    if not url:
        raise AddressError("Enter the camera's address.")
    if len(url) > MAX_LENGTH:
        raise AddressError(f"The address is too long: {MAX_LENGTH} characters at most.")
    if any(unicodedata.category(char)[0] in "ZC" for char in url):
        raise AddressError("The address contains a space, a line break or an invisible character.")
    if "\\" in url:
        raise AddressError("The address contains a backslash. Write it with / instead.")


def _parse_network(kind: str, url: str, allow_local: bool) -> Address:
    schemes = SCHEMES[kind]
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in schemes:
        wanted = " or ".join(f"{name}://" for name in schemes)
        raise AddressError(f"The address of a camera of this kind starts with {wanted}.")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    path = rest[len(authority) :]
    host, port = parse_authority(authority)
    _check_path(path, scheme)
    if not allow_local and (reason := _local(host)):
        raise AddressError(f"{host} {reason}, so no camera can be there.")
    shown = f"[{host}]" if ":" in host else host
    suffix = "" if port is None else f":{port}"
    return Address(
        kind, f"{scheme}://{shown}{suffix}{path}", scheme, host, port or schemes[scheme], path
    )


def parse_authority(authority: str) -> tuple[str, int | None]:
    """Host (ASCII, an IPv6 address without brackets) and port of "host", "host:port" or
    "[IPv6]:port". Raises AddressError.
    """
    if "@" in authority:
        raise AddressError(
            "Put the user name and password in their own fields, not in the address."
        )
    if authority.startswith("["):
        host, bracket, rest = authority[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise AddressError("The IPv6 address in brackets is not complete.")
        return _parse_ipv6(host), _parse_port(rest)
    if authority.count(":") > 1:
        raise AddressError("Write an IPv6 address in brackets, as in rtsp://[fd00::20]/.")
    host, colon, port = authority.partition(":")
    return _parse_host(host), _parse_port(colon + port)


def _parse_port(text: str) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r":[0-9]{1,5}", text) or not 1 <= int(text[1:]) <= 65535:
        raise AddressError("The port is a number from 1 to 65535.")
    return int(text[1:])


def _parse_ipv6(text: str) -> str:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError as err:
        raise AddressError("What stands in brackets is not an IPv6 address.") from err
    if address.scope_id:
        raise AddressError("An IPv6 address with a zone (%) cannot be used.")
    return str(address)


def _parse_host(text: str) -> str:
    if not text:
        raise AddressError("The address names no host.")
    host = _to_ascii(text).removesuffix(".")
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError as err:
            raise AddressError(
                "Write the IP address as four plain numbers, as in 192.168.1.20."
            ) from err
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressError("The host's name is not valid: letters, digits, dots and hyphens only.")
    return host


def _to_ascii(text: str) -> str:
    if text.isascii():
        return text.lower()
    try:
        return idna.encode(text, uts46=True).decode("ascii")
    except idna.IDNAError as err:
        raise AddressError(
            "The host's name holds characters that no host's name can have."
        ) from err


def _check_path(path: str, scheme: str) -> None:
    if "#" in path:
        raise AddressError(
            "The address contains '#'. Leave out what follows it, or write it as %23."
        )
    if not _PATH.fullmatch(path):
        raise AddressError(
            "The path holds a character that must be written in percent form, as %20 for a space."
        )
    if re.search(r"%(0[0-9A-F]|1[0-9A-F]|7F)", path, re.IGNORECASE):
        raise AddressError("The path holds a control character in percent form.")
    words = set(re.split(r"[?&]", path)[1:])
    if scheme.startswith("rtsp") and words & FFMPEG_WORDS:
        raise AddressError("Choose the transport in its own field, not in the address.")


def _parse_demo(url: str) -> Address:
    name, _, query = url.partition("?")
    if name != "demo:conveyor":
        raise AddressError(
            "The address of a demo camera is demo:conveyor, for example demo:conveyor?line=2."
        )
    pairs = [part.partition("=")[::2] for part in query.split("&")] if "?" in url else []
    options = dict(pairs)
    if len(options) != len(pairs) or not options.keys() <= {"line", "size"}:
        raise AddressError("A demo camera has the options line and size, each once.")
    line = options.get("line", "1")
    if not re.fullmatch(r"[0-9]{1,2}", line) or int(line) not in DEMO_LINES:
        raise AddressError(
            f"The line of a demo camera is a number from {DEMO_LINES[0]} to {DEMO_LINES[-1]}."
        )
    _check_demo_size(options.get("size", "1280x720"))
    return Address("demo", url, "demo", path="conveyor", options=options)


def _check_demo_size(text: str) -> None:
    (min_width, min_height), (max_width, max_height) = DEMO_SIZES
    match = re.fullmatch(r"([0-9]{3,4})x([0-9]{3,4})", text)
    width, height = (int(side) for side in match.groups()) if match else (0, 0)
    if (
        width % 2
        or height % 2
        or not (min_width <= width <= max_width and min_height <= height <= max_height)
    ):
        raise AddressError(
            f"The size of a demo camera is even and from {min_width}x{min_height} to"
            f" {max_width}x{max_height}."
        )


def _parse_file(url: str, allowed: bool) -> Address:
    if not allowed:
        raise AddressError("Video files are not allowed as cameras in this installation.")
    path = unquote(url.removeprefix("file://")) if url.startswith("file://") else url
    if not path.startswith("/") or path.startswith("//") or ".." in path.split("/"):
        raise AddressError("Write the whole path of the video file, as in /videos/dock.mp4.")
    if any(unicodedata.category(char)[0] == "C" for char in path) or path.split("/")[1] in (
        "dev",
        "proc",
        "sys",
    ):
        raise AddressError("This path is not a video file.")
    return Address("file", url, "file", path=path)


def _parse_device(url: str, allowed: bool) -> Address:
    if not allowed:
        raise AddressError(
            "Cameras plugged into this machine are not allowed in this installation."
        )
    if not _DEVICE.fullmatch(url):
        raise AddressError(
            "The address of a camera plugged into this machine is /dev/video0, or another number."
        )
    return Address("device", url, "device", path=url)


def _local(host: str) -> str:
    if host == "localhost" or host.endswith((".localhost", ".localdomain")):
        return "is this machine itself"
    try:
        return refusal(ipaddress.ip_address(host))
    except ValueError:
        return ""
