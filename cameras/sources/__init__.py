"""Where frames come from: one module for each kind of camera, behind `open_source`."""

from __future__ import annotations

import threading
from importlib import import_module

from cameras.sources.addresses import parse_address
from cameras.sources.base import (
    AddressError,
    Addresses,
    DestinationCheck,
    Source,
    SourceError,
    SourceSettings,
)
from cameras.sources.destination import resolve
from sightline.messages import CameraState, Cause

__all__ = ["KINDS", "no_check", "open_source"]

# The module and the class of each kind.
KINDS: dict[str, tuple[str, str]] = {
    "rtsp": ("cameras.sources.rtsp.source", "RtspSource"),
    "mjpeg": ("cameras.sources.mjpeg", "MjpegSource"),
    "snapshot": ("cameras.sources.snapshot", "SnapshotSource"),
    "demo": ("cameras.sources.demo.source", "DemoSource"),
    "file": ("cameras.sources.file", "FileSource"),
    "device": ("cameras.sources.device", "DeviceSource"),
}


def no_check(host: str, port: int) -> Addresses:
    """Let every destination pass."""
    return resolve(host, port)


def open_source(
    settings: SourceSettings, stop: threading.Event, *, check: DestinationCheck = no_check
) -> Source:
    """The source for `settings`, not yet connected: enter it to connect, iterate it for frames.

    `check` runs before each connection of a network kind. Which kinds are allowed at all is
    decided where the address is saved. Raises SourceError for a wrong address.
    """
    try:
        address = parse_address(
            settings.kind, settings.url, allow_local=True, allow_file=True, allow_device=True
        )
    except AddressError as err:
        raise SourceError(CameraState.UNREACHABLE, str(err), Cause.ADDRESS_REFUSED) from err
    # Load only the module of this kind: a demo camera does not need the memory of FFmpeg's
    # libraries.
    module, name = KINDS[settings.kind]
    source: Source = getattr(import_module(module), name)(settings, address, stop, check)
    return source
