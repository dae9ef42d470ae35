"""An RTSP camera on GStreamer's RTSP server, run by Debian's Python, which has its bindings: no
import of ours.

It plays the access units of MP4 files for ever, file after file, with time stamps that run on
over the seams.
"""

from __future__ import annotations

import argparse
import signal
from dataclasses import dataclass

import gi

try:
    for namespace in ("Gst", "GstApp", "GstRtsp", "GstRtspServer"):
        gi.require_version(namespace, "1.0")
except ValueError as err:
    raise SystemExit(f"{err}. scripts/install-test-system.sh installs what is missing.") from err
from gi.repository import GLib, Gst, GstApp, GstRtsp, GstRtspServer

ROLE = "viewer"
SILENT_VIDEO = "( audiotestsrc is-live=true volume=0 ! alawenc ! rtppcmapay name=pay0 pt=8 )"


@dataclass(frozen=True)
class AccessUnit:
    data: bytes
    at: int  # ns since the start of the loop
    duration: int  # ns


@dataclass(frozen=True)
class Loop:
    units: list[AccessUnit]
    duration: int  # ns


def read_loop(paths: list[str], codec: str) -> Loop:
    """The access units of all files in a row, as byte streams that carry their own parameter
    sets.
    """
    units: list[AccessUnit] = []
    start = 0
    for path in paths:
        added = _read_file(path, codec, start)
        units += added
        start = added[-1].at + added[-1].duration
    return Loop(units, start)


def _read_file(path: str, codec: str, start: int) -> list[AccessUnit]:
    pipeline = Gst.parse_launch(
        f"filesrc name=file ! qtdemux ! {codec}parse config-interval=-1 "
        f"! video/x-{codec},stream-format=byte-stream,alignment=au ! appsink name=out sync=false"
    )
    pipeline.get_by_name("file").set_property("location", path)
    sink = pipeline.get_by_name("out")
    pipeline.set_state(Gst.State.PLAYING)
    units: list[AccessUnit] = []
    while sample := sink.try_pull_sample(5 * Gst.SECOND):
        buffer = sample.get_buffer()
        units.append(
            AccessUnit(buffer.extract_dup(0, buffer.get_size()), buffer.pts, buffer.duration)
        )
    pipeline.set_state(Gst.State.NULL)
    if not units:
        raise SystemExit(f"no {codec} video in {path}")
    first = min(unit.at for unit in units)
    return [AccessUnit(unit.data, start + unit.at - first, unit.duration) for unit in units]


class Player:
    """Feeds one pipeline for ever; the payloader's sinks keep the pace, so it is asked for a
    frame when one is due.
    """

    def __init__(self, loop: Loop, source: GstApp.AppSrc) -> None:
        self._loop = loop
        self._next = 0
        source.connect("need-data", self._push)

    def _push(self, source: GstApp.AppSrc, _wanted: int) -> None:
        rounds, index = divmod(self._next, len(self._loop.units))
        unit = self._loop.units[index]
        buffer = Gst.Buffer.new_wrapped(unit.data)
        buffer.pts = rounds * self._loop.duration + unit.at
        buffer.duration = unit.duration
        source.emit("push-buffer", buffer)
        self._next += 1


class CameraFactory(GstRtspServer.RTSPMediaFactory):  # type: ignore[misc]
    """One picture source for all viewers, as in a camera: who comes later joins what is playing."""

    def __init__(self, loop: Loop, codec: str) -> None:
        super().__init__()
        self._loop = loop
        self.set_shared(True)
        self.set_launch(
            "( appsrc name=source is-live=true format=time"
            f" caps=video/x-{codec},stream-format=byte-stream,alignment=au ! rtp{codec}pay"
            " name=pay0 pt=96 )"
        )
        self.connect("media-configure", self._configure)

    def _configure(
        self, _factory: GstRtspServer.RTSPMediaFactory, media: GstRtspServer.RTSPMedia
    ) -> None:
        source = media.get_element().get_by_name("source")
        media.player = Player(self._loop, source)


def protect(
    server: GstRtspServer.RTSPServer,
    factory: GstRtspServer.RTSPMediaFactory,
    login: argparse.Namespace,
) -> None:
    """Asks viewers for the user and the password, by the one scheme named (the bindings cannot
    offer both).
    """
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", ROLE)
    auth = GstRtspServer.RTSPAuth()
    if login.auth == "digest":
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(login.user, login.password, token)
    else:
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC)
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(login.user, login.password), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role(ROLE, "media.factory.access", True)
    permissions.add_permission_for_role(ROLE, "media.factory.construct", True)
    factory.set_permissions(permissions)


def make_factory(options: argparse.Namespace) -> GstRtspServer.RTSPMediaFactory:
    if options.file:
        return CameraFactory(read_loop(options.file, options.codec), options.codec)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_shared(True)
    factory.set_launch(SILENT_VIDEO)
    return factory


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--mount", default="/live")
    parser.add_argument("--user")
    parser.add_argument("--password", default="")
    parser.add_argument("--auth", choices=["digest", "basic"], default="digest")
    parser.add_argument("--codec", choices=["h264", "h265"], default="h264")
    parser.add_argument(
        "--file",
        action="append",
        help="MP4 to play; repeat it to play several in turn; none: sound only",
    )
    return parser.parse_args()


def main() -> None:
    options = parse_arguments()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(options.port))
    factory = make_factory(options)
    if options.user:
        protect(server, factory, options)
    server.get_mount_points().add_factory(options.mount, factory)
    if server.attach(None) == 0:
        raise SystemExit(f"cannot listen on port {options.port}")
    loop = GLib.MainLoop()
    GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGTERM, loop.quit)
    loop.run()


if __name__ == "__main__":
    main()
