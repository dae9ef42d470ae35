"""What FFmpeg and an RTSP camera say to each other, changed on its way: the camera's log-in is done
here, and nothing that it says leads FFmpeg to another address.
"""

from __future__ import annotations

from dataclasses import dataclass

from cameras.sources import failures
from cameras.sources.addresses import Address
from cameras.sources.base import SourceSettings
from cameras.sources.rtsp.login import Login
from cameras.sources.rtsp.messages import Message

MAX_LOGINS = 2
# Some cameras never answer what only keeps the session alive.
MAX_OPEN_REQUESTS = 16


@dataclass(slots=True)
class _Request:
    """A request that the camera has not answered; `number` is FFmpeg's own for it."""

    message: Message
    number: str
    logins: int = 0


class Dialogue:
    """The messages of one connection to the camera at `ip`, which FFmpeg knows as `player_url`.
    `playing`: the camera has agreed to send media.
    """

    def __init__(
        self, settings: SourceSettings, address: Address, player_url: str, ip: str
    ) -> None:
        self.playing = False
        self._has_login = bool(settings.username)
        self._login = Login(settings.username, settings.password)
        self._address = address
        self._player_url = player_url
        self._ip = ip
        self._requests: dict[str, _Request] = {}
        self._sent = 0

    @property
    def waits(self) -> bool:
        """Whether the camera has not answered what it was asked."""
        return any(asked.message.method != "TEARDOWN" for asked in list(self._requests.values()))

    def request(self, message: Message) -> bytes:
        """What the camera is sent for a request of FFmpeg's."""
        return self._asked(_Request(message, message.value("CSeq")))

    def answer(self, message: Message) -> tuple[bytes, bytes]:
        """What FFmpeg and what the camera are sent for a message of the camera's. Raises
        SourceError for one that leads elsewhere, or refuses the log-in.
        """
        if message.method == "REDIRECT" or 300 <= message.status < 400:
            raise failures.redirected(message.value("Location"))
        if not message.is_response:
            return message.encode(), b""
        request = self._answered(message)
        if request is None:
            return b"", b""
        if message.status == 401 and self._logs_in(message, request):
            return b"", self._asked(request)
        self.playing |= request.message.method == "PLAY" and message.status == 200
        message.put("CSeq", request.number)
        self._hide_addresses(message)
        return message.encode(), b""

    def _asked(self, request: _Request) -> bytes:
        """A request as it is put to the camera's own address, with a number of ours."""
        message = request.message
        url = message.url.replace(self._player_url, self._address.url, 1)
        self._sent += 1
        self._requests[str(self._sent)] = request
        if len(self._requests) > MAX_OPEN_REQUESTS:
            self._requests.pop(next(iter(self._requests)))
        message.start = f"{message.method} {url} RTSP/1.0"
        message.put("CSeq", str(self._sent))
        message.drop("Authorization")
        if proof := self._login.proof(message.method, url):
            message.put("Authorization", proof)
        return message.encode()

    def _answered(self, message: Message) -> _Request | None:
        """The request that a response belongs to: the oldest, if the camera leaves its number out
        or gets it wrong.
        """
        number = message.value("CSeq")
        oldest = next(iter(self._requests), "")
        return self._requests.pop(number if number in self._requests else oldest, None)

    def _logs_in(self, message: Message, request: _Request) -> bool:
        """Whether to ask again with a proof of the password. A camera that refuses it while it
        plays may: what it is asked then only keeps the session alive.
        """
        if self._login.challenge(message.values("WWW-Authenticate")) and (
            request.logins == 0 or (request.logins < MAX_LOGINS and _is_stale(message))
        ):
            request.logins += 1
            return True
        if self.playing:
            return False
        raise failures.auth_failed() if self._has_login else failures.auth_needed()

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
