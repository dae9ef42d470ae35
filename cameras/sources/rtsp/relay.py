"""Stands between FFmpeg and an RTSP camera, because FFmpeg resolves names itself, follows the
camera's redirects to wherever they lead, and cannot log in everywhere.

FFmpeg connects to a port on loopback. The relay has the only connection to the camera, at an
address that was checked. It logs in, keeps the camera's other addresses from FFmpeg and ends with
a reason in words. Media are passed on as they come.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import select
import socket
import ssl
import threading

from cameras.sources import failures
from cameras.sources.addresses import Address
from cameras.sources.base import Addresses, SourceError, SourceSettings
from cameras.sources.rtsp.dialogue import Dialogue
from cameras.sources.rtsp.messages import BrokenMessage, Message, Splitter
from cameras.sources.rtsp.upstream import camera_connection
from sightline.messages import Cause

logger = logging.getLogger(__name__)

BLOCK = 128 * 1024
# Little room on the way, so that FFmpeg being late is felt by the camera as without a relay.
SEND_BUFFER = 64 * 1024
GREETING_SECONDS = 1.0
CLOSE_SECONDS = 2.0


class Relay:
    """A connection to one camera, and the address at which FFmpeg finds it. It ends when either
    side does; `failure` then says why, if it is known here.

    `answered`: the camera has said something.
    """

    def __init__(self, settings: SourceSettings, address: Address, addresses: Addresses) -> None:
        self.failure: SourceError | None = None
        self.answered = False
        self._address = address
        self._closing = False
        self._camera = camera_connection(settings, address, addresses)
        self._token = secrets.token_urlsafe(16)
        # The camera's family, because FFmpeg's ports for UDP are of the same.
        six = self._camera.family == socket.AF_INET6
        self._listener = socket.create_server(
            ("::1" if six else "127.0.0.1", 0),
            family=socket.AF_INET6 if six else socket.AF_INET,
        )
        host, port = self._listener.getsockname()[:2]
        self.url = f"rtsp://{f'[{host}]' if six else host}:{port}/{self._token}"
        self._dialogue = Dialogue(settings, address, self.url, self._camera.getpeername()[0])
        self._player: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name="rtsp-relay", daemon=True)

    @property
    def waits(self) -> bool:
        """Whether the camera has not answered what it was asked."""
        return self._dialogue.waits

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End it, once FFmpeg has had its time to say goodbye to the camera."""
        self._closing = True
        _shut(self._listener)
        self._thread.join(CLOSE_SECONDS)
        _shut(self._camera)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._serve()
        except SourceError as err:
            self.failure = err
        except BrokenMessage:
            self.failure = self._not_rtsp()
        except OSError:
            # One side is gone. FFmpeg, which notices or has left, says the rest.
            pass
        except Exception:
            logger.exception("rtsp_relay_failed host=%s", self._address.host)
            self.failure = failures.no_video()
        finally:
            for end in (self._listener, self._player, self._camera):
                if end is not None:
                    end.close()

    def _serve(self) -> None:
        player, camera = self._accepted(), self._camera
        if player is None:
            return
        poll = select.poll()
        poll.register(player, select.POLLIN)
        poll.register(camera, select.POLLIN)
        block = memoryview(bytearray(BLOCK))
        from_camera = Splitter()
        while True:
            for number, _ in poll.poll():
                if number == player.fileno():
                    if not self._hear_player(player, block):
                        return
                elif not self._hear_camera(camera, player, from_camera, block):
                    return

    def _accepted(self) -> socket.socket | None:
        """FFmpeg's connection, which its first request proves: other programs of this machine do
        not know the token. None when closed.
        """
        while not self._closing:
            player, _ = self._listener.accept()
            self._player = player
            player.settimeout(GREETING_SECONDS)
            with contextlib.suppress(OSError, BrokenMessage):
                greeting = player.recv(BLOCK)
                if self._token.encode() in greeting.partition(b"\n")[0]:
                    self._listener.close()
                    player.settimeout(None)
                    player.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    player.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
                    self._from_player = Splitter()
                    self._pass_on(memoryview(greeting))
                    return player
            player.close()
            self._player = None
        return None

    def _hear_player(self, player: socket.socket, block: memoryview) -> bool:
        size = player.recv_into(block)
        self._pass_on(block[:size])
        return size > 0

    def _pass_on(self, data: memoryview) -> None:
        for piece in self._from_player.feed(data):
            if not isinstance(piece, Message):
                self._camera.sendall(piece)
            elif piece.is_response:
                self._camera.sendall(piece.encode())
            else:
                self._camera.sendall(self._dialogue.request(piece))

    def _hear_camera(
        self, camera: socket.socket, player: socket.socket, splitter: Splitter, block: memoryview
    ) -> bool:
        while True:
            size = self._received(camera, block)
            for piece in splitter.feed(block[:size]):
                if isinstance(piece, Message):
                    to_player, to_camera = self._dialogue.answer(piece)
                    player.sendall(to_player)
                    camera.sendall(to_camera)
                else:
                    player.sendall(piece)
            if not (isinstance(camera, ssl.SSLSocket) and camera.pending()):
                return size > 0

    def _received(self, camera: socket.socket, block: memoryview) -> int:
        try:
            size = camera.recv_into(block)
        except OSError:
            size = 0
        if not self.answered:
            if not size:
                raise failures.hung_up(self._address.host, self._address.port)
            self.answered = True
            if not b"RTSP/".startswith(block[: min(size, 5)].tobytes()):
                raise self._not_rtsp()
        if not size and self.waits and not self._dialogue.playing:
            raise failures.no_video()
        return size

    def _not_rtsp(self) -> SourceError:
        return failures.unreachable(
            f"What answers at {self._address.host} on port {self._address.port} does not speak"
            " RTSP.",
            Cause.OTHER_PROTOCOL,
        )


def _shut(end: socket.socket) -> None:
    """Wake whoever waits for this socket."""
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
