"""HTTP cameras: a request with the login that the camera asks for, a body read with a deadline,
and errors in plain words.
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.request import parse_http_list

import requests
import urllib3
from requests.auth import AuthBase, HTTPBasicAuth, HTTPDigestAuth

from cameras.sources import failures, jpeg
from cameras.sources.addresses import Address
from cameras.sources.base import (
    AddressError,
    Addresses,
    DestinationCheck,
    Jpeg,
    LumaSample,
    SourceError,
    SourceSettings,
)
from cameras.sources.pinned_http import pinned_session
from sightline.messages import Cause


@dataclass(frozen=True, slots=True)
class JpegFrame:
    """A frame that the camera encoded itself: passed through unless it is too wide."""

    captured_at: int
    data: bytes

    def jpeg(self, quality: int, max_width: int | None) -> Jpeg:
        return jpeg.shrunk(jpeg.checked(self.data), quality, max_width)

    def luma_sample(self) -> LumaSample:
        return LumaSample(jpeg.luma_points(self.data), self.captured_at)


class HttpCamera:
    """The connection to one camera. `get` returns a response of status 200, its body unread."""

    def __init__(self, settings: SourceSettings, address: Address, check: DestinationCheck) -> None:
        self._settings = settings
        self._address = address
        self._check = check
        self._auth: AuthBase | None = None
        self._session = pinned_session(self._addresses)
        self._session.headers["Accept-Encoding"] = "identity"

    def close(self) -> None:
        self._session.close()

    def get(self) -> requests.Response:
        """Ask for the camera's address. Raises SourceError."""
        response = self._request()
        if response.status_code == 401 and self._settings.username:
            challenge = response.headers.get("WWW-Authenticate", "")
            response.close()
            self._auth = _login(challenge, self._settings.username, self._settings.password)
            response = self._request()
        try:
            _refuse_status(response, bool(self._settings.username))
        except SourceError:
            response.close()
            raise
        return response

    def body(self, response: requests.Response) -> ResponseBody:
        return ResponseBody(response, self._settings.read_timeout)

    def _addresses(self, host: str, port: int) -> Addresses:
        try:
            return self._check(host, port)
        except AddressError as err:
            raise failures.unreachable(str(err), Cause.ADDRESS_REFUSED) from err

    def _request(self) -> requests.Response:
        timeout = (self._settings.open_timeout, self._settings.read_timeout)
        with translated(self._address):
            return self._session.get(
                self._address.url,
                auth=self._auth,
                stream=True,
                timeout=timeout,
                allow_redirects=False,
            )


class ResponseBody(io.RawIOBase):
    """A response's bytes as they arrive. `restart_deadline` starts the time that the next frame
    may take as a whole.
    """

    def __init__(self, response: requests.Response, seconds: float) -> None:
        self._response = response
        self._seconds = seconds
        self.restart_deadline()

    def restart_deadline(self) -> None:
        self._deadline = time.monotonic() + self._seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        # The socket's own time-out never catches a camera that sends a byte a second.
        if time.monotonic() > self._deadline:
            raise failures.stalled()
        data = self._response.raw.read1(len(buffer), decode_content=False)
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def translated(address: Address) -> Iterator[None]:
    """Errors of the HTTP libraries become SourceError."""
    try:
        yield
    except requests.exceptions.SSLError as err:
        raise failures.unreachable(
            f"The certificate of {address.host} cannot be trusted: no public authority signed it."
            " Use http://, or give the camera one that is.",
            Cause.UNTRUSTED,
        ) from err
    except requests.exceptions.ConnectTimeout as err:
        raise failures.no_answer(address.host, address.port) from err
    except (
        requests.exceptions.ReadTimeout,
        urllib3.exceptions.ReadTimeoutError,
        TimeoutError,
    ) as err:
        raise failures.stalled(answered=False) from err
    except UnicodeError as err:
        raise failures.unreachable(
            "The user name or password holds a character that HTTP cannot carry.",
            Cause.LOGIN_UNSENDABLE,
        ) from err
    except (
        requests.exceptions.RequestException,
        urllib3.exceptions.HTTPError,
        HTTPException,
        OSError,
    ) as err:
        raise failures.from_os_error(err, address.host, address.port) from err


def content_type(response: requests.Response) -> str:
    """The media type alone, in lower case, safe to show."""
    return failures.printable(response.headers.get("Content-Type", "").split(";")[0].lower())


class _Digest(HTTPDigestAuth):
    """Digest authentication for a challenge already received. The library would read the body of
    the refusal to its end, however long the camera makes it.
    """

    def __init__(self, username: str, password: str, challenge: str) -> None:
        super().__init__(username, password)
        self.init_per_thread_state()
        pairs = (part.partition("=") for part in parse_http_list(challenge))
        self._thread_local.chal = {name: value.strip('"') for name, _, value in pairs}  # type: ignore[attr-defined]

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        try:
            proof = self.build_digest_header(request.method, request.url)  # type: ignore[no-untyped-call]
        except KeyError:
            proof = None
        if proof is None:
            raise failures.unreachable(
                "The camera asks for the password in a way that is not known here.",
                Cause.LOGIN_UNSUPPORTED,
            )
        request.headers["Authorization"] = proof
        return request


def _login(challenge: str, username: str, password: str) -> AuthBase:
    """The login that a WWW-Authenticate header asks for; Digest if there is a choice."""
    if digest := re.search(r"\bdigest +(.*)", challenge, re.IGNORECASE):
        return _Digest(username, password, digest[1])
    return HTTPBasicAuth(username.encode(), password.encode())


def _refuse_status(response: requests.Response, has_login: bool) -> None:
    status = response.status_code
    if status == 200:
        return
    if status == 401:
        raise failures.auth_failed() if has_login else failures.auth_needed()
    if status == 403:
        raise failures.forbidden()
    if 300 <= status < 400:
        raise failures.redirected(response.headers.get("Location", ""))
    if status == 404:
        raise failures.not_found()
    raise failures.unreachable(
        f"The camera answers with error {status} instead of pictures.", Cause.ERROR_ANSWER
    )
