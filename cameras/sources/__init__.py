"""Where pictures come from: one module for each kind of camera, behind `open_source`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from importlib import import_module

from cameras.sources.addresses import AddressError, parse_address
from cameras.sources.base import Source, SourceError, SourceSettings
from sightline.messages import CameraState

__all__ = ["KINDS", "Check", "no_check", "open_source"]

Check = Callable[[str, int], object]

# The module and the class of each kind.
KINDS: dict[str, tuple[str, str]] = {
    "rtsp": ("cameras.sources.rtsp", "RtspSource"),
    "mjpeg": ("cameras.sources.mjpeg", "MjpegSource"),
    "snapshot": ("cameras.sources.snapshot", "SnapshotSource"),
    "demo": ("cameras.sources.demo.source", "DemoSource"),
    "file": ("cameras.sources.file", "FileSource"),
    "device": ("cameras.sources.device", "DeviceSource"),
}


def no_check(host: str, port: int) -> None:
    """Let every destination pass."""


def open_source(
    settings: SourceSettings, stop: threading.Event, *, check: Check = no_check
) -> Source:
    """The source for `settings`, not yet connected: enter it to connect, iterate it for grabs.

    `check(host, port)` runs before each connection of a network kind and refuses one by raising
    AddressError. Which kinds are allowed at all is decided where the address is saved. Raises
    SourceError for a wrong address.
    """
    try:
        address = parse_address(
            settings.kind, settings.url, allow_local=True, allow_file=True, allow_device=True
        )
    except AddressError as err:
        raise SourceError(CameraState.UNREACHABLE, str(err)) from err
    # Only the module of the kind is loaded: FFmpeg's libraries take memory that a demo camera does
    # not need.
    module, name = KINDS[settings.kind]
    source: Source = getattr(import_module(module), name)(settings, address, stop, check)
    return source
