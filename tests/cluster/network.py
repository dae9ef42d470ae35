"""A network of its own for the node: a namespace (ip-netns(8)) and a wire to it. What the
cluster does to routes and packet filters ends with it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

HERE = "10.213.0.1"
NODE = "10.213.0.2"
PODS = "10.213.64.0/18"
SERVICES = "10.213.128.0/20"


def ip(*arguments: str) -> None:
    """Run ``ip``; AssertionError with what it says when it fails."""
    done = subprocess.run(
        ["ip", *arguments], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"


class Network:
    """The namespace; a context manager, for root."""

    name = "sightline-node"

    def inside(self, command: Sequence[str | Path]) -> list[str]:
        """The command, to be run in the namespace. `ip netns exec` would hide the control
        groups.
        """
        return ["nsenter", f"--net=/run/netns/{self.name}", "--", *map(str, command)]

    def __enter__(self) -> Self:
        self._end()
        ip("netns", "add", self.name)
        ip(
            "link",
            "add",
            "sightline-here",
            "type",
            "veth",
            "peer",
            "name",
            "node",
            "netns",
            self.name,
        )
        ip("address", "add", f"{HERE}/30", "dev", "sightline-here")
        ip("link", "set", "sightline-here", "up")
        ip("-n", self.name, "address", "add", f"{NODE}/30", "dev", "node")
        for link in ("lo", "node"):
            ip("-n", self.name, "link", "set", link, "up")
        # The parts of the cluster look for their address on the way out, where nothing is.
        ip("-n", self.name, "route", "add", "default", "via", HERE)
        ip("route", "add", SERVICES, "via", NODE)
        subprocess.run(
            self.inside(["sysctl", "--quiet", "net.ipv4.ip_forward=1"]), check=True, timeout=10
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        """Also what a killed run has left. The wire goes with the namespace."""
        if Path(f"/run/netns/{self.name}").exists():
            ip("netns", "delete", self.name)
        if Path("/sys/class/net/sightline-here").exists():
            ip("link", "delete", "sightline-here")
