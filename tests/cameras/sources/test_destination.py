"""Where a connection may lead: what a host resolves to is checked."""

from __future__ import annotations

import socket

import pytest

from cameras.sources.base import AddressError
from cameras.sources.destination import check_destination


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "0.1.2.3",
        "169.254.169.254",
        "169.254.1.1",
        "100.100.100.200",
        "168.63.129.16",
        "224.0.0.1",
        "240.0.0.1",
        "::1",
        "::",
        "fe80::1",
        "ff02::1",
        "fd00:ec2::254",
        "::ffff:127.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "fd20:ce::254",
        "fd00:ec2::23",
        "fd00:c1::a9fe:a9fe",
        "192.0.0.192",
        "::ffff:192.0.0.192",
        "2002:c000:c0::1",
        "2001:db8::5efe:127.0.0.1",
        "localhost",
    ],
)
def test_no_camera_is_at_these_destinations(host: str) -> None:
    with pytest.raises(AddressError, match="no camera is opened there"):
        check_destination(host, 554)


@pytest.mark.parametrize(
    "host",
    [
        "192.168.1.20",
        "10.0.0.7",
        "172.16.3.4",
        "100.64.0.9",
        "8.8.8.8",
        "fd00::20",
        "2606:4700::1111",
    ],
)
def test_cameras_live_in_private_and_public_networks(host: str) -> None:
    assert [str(address) for address in check_destination(host, 554)] == [host]


def test_listed_networks_are_exempt() -> None:
    assert check_destination("127.0.0.1", 554, allowed_networks=["127.0.0.0/8", "::1/128"])
    with pytest.raises(AddressError):
        check_destination("127.0.0.1", 554, allowed_networks=["10.0.0.0/8"])


@pytest.mark.parametrize(
    ("host", "broad", "exact"),
    [
        ("169.254.169.254", "169.254.0.0/16", "169.254.169.254/32"),
        ("192.0.0.192", "0.0.0.0/0", "192.0.0.192/32"),
        ("100.100.100.200", "100.64.0.0/10", "100.100.100.200/32"),
        ("168.63.129.16", "168.63.129.16/31", "168.63.129.16/32"),
        ("fd20:ce::254", "fd00::/8", "fd20:ce::254/128"),
        ("fd00:ec2::254", "fd00::/8", "fd00:ec2::254/128"),
        ("::ffff:169.254.169.254", "::/0", "::ffff:169.254.169.254/128"),
        ("64:ff9b::a9fe:a9fe", "::/0", "64:ff9b::a9fe:a9fe/128"),
        ("2002:a9fe:a9fe::1", "2002::/16", "2002:a9fe:a9fe::1/128"),
    ],
)
def test_a_metadata_service_is_allowed_by_its_very_address_only(
    host: str, broad: str, exact: str
) -> None:
    with pytest.raises(AddressError, match="metadata service"):
        check_destination(host, 80, allowed_networks=[broad])
    assert check_destination(host, 80, allowed_networks=[broad, exact])


def test_the_platforms_own_services_are_refused_where_their_network_is_allowed() -> None:
    own = [("localhost", 6379)]
    for host in ("127.0.0.1", "::ffff:127.0.0.1"):
        with pytest.raises(AddressError, match="service of this platform"):
            check_destination(host, 6379, allowed_networks=["0.0.0.0/0", "::/0"], refused=own)
        assert check_destination(host, 80, allowed_networks=["0.0.0.0/0", "::/0"], refused=own)


def test_the_platforms_own_services_are_no_cameras() -> None:
    with pytest.raises(AddressError, match="service of this platform"):
        check_destination("10.0.0.7", 6379, refused=[("10.0.0.7", 6379), ("nowhere.invalid", 9092)])
    assert check_destination("10.0.0.7", 554, refused=[("10.0.0.7", 6379)])


def test_every_address_of_a_name_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port))
            for ip in ("192.168.1.20", "127.0.0.1")
        ]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(AddressError, match=r"cam\.example \(127\.0\.0\.1\) is this machine itself"):
        check_destination("cam.example", 554)


def test_an_unknown_name_says_so() -> None:
    with pytest.raises(AddressError, match="is not known here"):
        check_destination("camera.invalid", 554)
