"""What operators read when a camera gives no frames: one sentence each, without credentials."""

from __future__ import annotations

import errno
import re
import socket

from cameras.sources.base import SourceError
from sightline.base.redaction import redact_url
from sightline.messages import CameraState, Cause

MAX_SHOWN = 200


def auth_failed() -> SourceError:
    return _login("The camera refuses the user name or password.", Cause.LOGIN_REFUSED)


def auth_needed() -> SourceError:
    return _login(
        "The camera asks for a user name and password, and none are set.", Cause.LOGIN_MISSING
    )


def forbidden() -> SourceError:
    return _login("The camera does not let this user see its pictures.", Cause.FORBIDDEN)


def _login(detail: str, cause: Cause) -> SourceError:
    return SourceError(CameraState.AUTH_FAILED, detail, cause)


def stalled(*, answered: bool = True) -> SourceError:
    return SourceError(
        CameraState.STALLED,
        "The camera holds the connection open but sends nothing.",
        Cause.SILENT,
        answered=answered,
    )


def unreachable(detail: str, cause: Cause, *, answered: bool = True) -> SourceError:
    return SourceError(CameraState.UNREACHABLE, detail, cause, answered=answered)


def ended(*, began: bool = True) -> SourceError:
    if not began:
        return unreachable(
            "The camera answers, but ends the stream without a single picture. It may be starting"
            " up, or serve too many viewers.",
            Cause.ENDED_EARLY,
        )
    return unreachable("The camera ended the stream.", Cause.ENDED)


def no_video() -> SourceError:
    return unreachable(
        "The camera answers, but gives no video that can be read at this address.", Cause.NO_VIDEO
    )


def not_found() -> SourceError:
    return unreachable(
        "The camera has no pictures at this path. Check the part of the address after the host.",
        Cause.NOT_FOUND,
    )


def redirected(location: str) -> SourceError:
    where = printable(redact_url(location)) or "another address"
    return unreachable(
        f"The camera sends us on to {where}. If that is right, enter it as the camera's address.",
        Cause.REDIRECTED,
    )


def no_answer(host: str, port: int) -> SourceError:
    return unreachable(
        f"{host} does not answer on port {port}. Check that the camera is on and can be reached"
        " from here.",
        Cause.NO_ANSWER,
        answered=False,
    )


def hung_up(host: str, port: int) -> SourceError:
    return unreachable(
        f"{host} closes the connection on port {port} without sending pictures.",
        Cause.HUNG_UP,
        answered=False,
    )


def from_os_error(err: BaseException, host: str, port: int) -> SourceError:
    """The failure for a connection error, by the first system error in its chain of causes."""
    number = None
    cause: BaseException | None = err
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            return unreachable(
                f"The name {host} is not known here. Check its spelling, or enter the camera's IP"
                " address.",
                Cause.NAME_UNKNOWN,
            )
        if isinstance(cause, TimeoutError):
            return no_answer(host, port)
        number = number or getattr(cause, "errno", None)
        cause = cause.__cause__ or cause.__context__
    if number == errno.ECONNREFUSED:
        detail = (
            f"{host} refuses connections on port {port}. Check the port, and that the camera's"
            " video service is on."
        )
        return unreachable(detail, Cause.REFUSED, answered=False)
    if number in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL):
        return unreachable(
            f"There is no way to {host} from here. Check the address, the network and the cable.",
            Cause.NO_ROUTE,
            answered=False,
        )
    if number == errno.ETIMEDOUT:
        return no_answer(host, port)
    return hung_up(host, port)


def printable(text: str) -> str:
    """Make foreign text safe to show: one line, of bounded length."""
    return re.sub(r"[^\x21-\x7e]+", " ", text).strip()[:MAX_SHOWN]
