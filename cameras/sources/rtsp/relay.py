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
from dataclasses import dataclass

from cameras.sources import failures
from cameras.sources.addresses import Address
from cameras.sources.base import Addresses, SourceError, SourceSettings
from cameras.sources.connection import connected
from cameras.sources.rtsp.login import Login
from cameras.sources.rtsp.messages import BrokenMessage, Message, Splitter

logger = logging.getLogger(__name__)

BLOCK = 128 * 1024
# Little room on the way, so that FFmpeg being late is felt by the camera as without a relay.
SEND_BUFFER = 64 * 1024
GREETING_SECONDS = 1.0
CLOSE_SECONDS = 2.0
MAX_LOGINS = 2


@dataclass(slots=True)
class _Request:
    """A request that the camera has not answered; `number` is FFmpeg's own for it."""

    message: Message
    number: str
    logins: int = 0


class Relay:
    """A connection to one camera, and the address at which FFmpeg finds it. It ends when either
    side does; `failure` then says why, if it is known here.

    `answered`: the camera has said something.
    """

    def __init__(self, settings: SourceSettings, address: Address, addresses: Addresses) -> None:
        self.failure: SourceError | None = None
        self.answered = False
        self._address = address
        self._settings = settings
        self._login = Login(settings.username, settings.password)
        self._requests: dict[str, _Request] = {}
        self._sent = 0
        self._playing = False
        self._closing = False
        self._camera = self._connected(addresses)
        self._ip = self._camera.getpeername()[0]
        self._token = secrets.token_urlsafe(16)
        # The camera's family, because FFmpeg's ports for UDP are of the same.
        six = self._camera.family == socket.AF_INET6
        self._listener = socket.create_server(
            ("::1" if six else "127.0.0.1", 0),
            family=socket.AF_INET6 if six else socket.AF_INET,
        )
        host, port = self._listener.getsockname()[:2]
        self.url = f"rtsp://{f'[{host}]' if six else host}:{port}/{self._token}"
        self._player: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name="rtsp-relay", daemon=True)

    @property
    def waits(self) -> bool:
        """Whether the camera has not answered what it was asked."""
        return any(asked.message.method != "TEARDOWN" for asked in list(self._requests.values()))

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End it, once FFmpeg has had its time to say goodbye to the camera."""
        self._closing = True
        _shut(self._listener)
        self._thread.join(CLOSE_SECONDS)
        _shut(self._camera)
        self._thread.join()

    def _connected(self, addresses: Addresses) -> socket.socket:
        address = self._address
        try:
            plain = connected(addresses, address.port, self._settings.open_timeout)
        except OSError as err:
            raise failures.from_os_error(err, address.host, address.port) from err
        plain.settimeout(self._settings.open_timeout)
        try:
            secured = _secured(plain, address)
        except OSError as err:
            plain.close()
            raise self._unsecured(err) from err
        secured.settimeout(self._settings.read_timeout)
        return secured

    def _unsecured(self, err: OSError) -> SourceError:
        host, port = self._address.host, self._address.port
        if isinstance(err, TimeoutError):
            return failures.stalled(answered=False)
        if isinstance(err, ssl.SSLError):
            return failures.unreachable(
                f"{host} does not speak TLS on port {port}. Try rtsp:// instead of rtsps://."
            )
        return failures.from_os_error(err, host, port)

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
                self._ask(_Request(piece, piece.value("CSeq")))

    def _hear_camera(
        self, camera: socket.socket, player: socket.socket, splitter: Splitter, block: memoryview
    ) -> bool:
        while True:
            size = self._received(camera, block)
            for piece in splitter.feed(block[:size]):
                if isinstance(piece, Message):
                    self._answer(piece, player)
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
        if not size and self.waits and not self._playing:
            raise failures.no_video()
        return size

    def _not_rtsp(self) -> SourceError:
        return failures.unreachable(
            f"What answers at {self._address.host} on port {self._address.port} does not speak"
            " RTSP."
        )

    def _ask(self, request: _Request) -> None:
        """Send a request of FFmpeg's to the camera, as to the camera's own address."""
        message = request.message
        url = message.url.replace(self.url, self._address.url, 1)
        self._sent += 1
        self._requests[str(self._sent)] = request
        message.start = f"{message.method} {url} RTSP/1.0"
        message.put("CSeq", str(self._sent))
        message.drop("Authorization")
        if proof := self._login.proof(message.method, url):
            message.put("Authorization", proof)
        self._camera.sendall(message.encode())

    def _answer(self, message: Message, player: socket.socket) -> None:
        """Give FFmpeg what the camera says, but for what leads elsewhere."""
        if not message.is_response:
            if message.method == "REDIRECT":
                raise failures.redirected(message.value("Location"))
            player.sendall(message.encode())
            return
        if 300 <= message.status < 400:
            raise failures.redirected(message.value("Location"))
        request = self._requests.pop(message.value("CSeq"), None)
        if request is None and self._requests:  # the camera leaves the number out
            request = self._requests.pop(next(iter(self._requests)))
        if request is None:
            return
        if message.status == 401 and self._logs_in(message, request):
            return
        self._playing |= request.message.method == "PLAY" and message.status == 200
        message.put("CSeq", request.number)
        self._hide_addresses(message)
        player.sendall(message.encode())

    def _logs_in(self, message: Message, request: _Request) -> bool:
        """Ask again with a proof of the password. A camera that refuses it while it plays may: what
        it is asked then only keeps the session alive.
        """
        if self._login.challenge(message.values("WWW-Authenticate")) and (
            request.logins == 0 or (request.logins < MAX_LOGINS and _is_stale(message))
        ):
            request.logins += 1
            self._ask(request)
            return True
        if self._playing:
            return False
        raise failures.auth_failed() if self._settings.username else failures.auth_needed()

    def _hide_addresses(self, message: Message) -> None:
        """Over UDP, FFmpeg sends its reports to the host that a Transport header names: only the
        camera's own address will do.
        """
        transport = message.value("Transport")
        if not transport:
            return
        fields = [
            part
            for part in transport.split(";")
            if part.strip().partition("=")[0].lower() not in ("source", "destination")
        ]
        if "TCP" not in fields[0].upper():
            fields.append(f"source={self._ip}")
        message.put("Transport", ";".join(fields))


def _is_stale(message: Message) -> bool:
    return any(
        "stale=true" in value.replace('"', "").lower()
        for value in message.values("WWW-Authenticate")
    )


def _secured(plain: socket.socket, address: Address) -> socket.socket:
    if address.scheme != "rtsps":
        return plain
    # Accept any certificate: cameras use self-signed ones.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain, server_hostname=address.host)


def _shut(end: socket.socket) -> None:
    """Wake whoever waits for this socket."""
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
