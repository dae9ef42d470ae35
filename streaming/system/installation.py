"""What is installed here, and settings that should not stay as they are."""

from __future__ import annotations

import ipaddress
import platform
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from django.conf import settings

import sightline
from streaming.system.parts import Finding, Level, Part, plural

PACKAGES: Final = {
    "Django": "Django",
    "channels": "channels",
    "daphne": "daphne",
    "librdkafka (confluent-kafka)": "confluent-kafka",
    "Celery": "celery",
    "OpenCV": "opencv-python-headless",
    "PyAV": "av",
    "onnxruntime": "onnxruntime",
    "NumPy": "numpy",
}


def installation() -> Part:
    """Versions, and findings about the settings."""
    findings = tuple(_settings())
    words = f"Sightline {sightline.__version__}."
    if findings:
        words += f" {plural(len(findings), 'setting is', 'settings are')} worth a look."
    return Part("installation", "Versions and settings", words, _versions(), findings)


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    own = (("Sightline", sightline.__version__), ("Python", platform.python_version()))
    return (
        *own,
        *((title, _version(name)) for title, name in PACKAGES.items()),
        ("System", f"{platform.system()} {platform.release()}"),
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _settings() -> Iterable[Finding]:
    if settings.DEBUG:
        yield Finding(
            Level.WARN,
            "DEBUG is on: errors show secrets to everybody. Switch it off where others can reach"
            " this server.",
        )
    if "*" in settings.ALLOWED_HOSTS:
        yield Finding(
            Level.WARN,
            "ALLOWED_HOSTS allows every name: links in mails and redirects can be forged. Name the"
            " hosts.",
        )
    if not settings.HTTPS and not _is_local(settings.BIND):
        yield Finding(
            Level.WARN,
            "Passwords and pictures travel in clear to other machines. Put a proxy with TLS before"
            " this server and set HTTPS=1.",
        )
    if _made_here("secret.key", settings.SECRET_KEY):
        yield Finding(
            Level.NOTE,
            "SECRET_KEY was made at the first start. With more than one machine, set it for all:"
            " logins are lost otherwise.",
        )
    if any(_made_here("credential.key", key) for key in settings.CREDENTIAL_KEYS):
        text = (
            "CREDENTIAL_KEYS was made at the first start. Keep a copy: it opens the cameras'"
            " passwords. With several machines, set it for all."
        )
        yield Finding(Level.NOTE, text)


def _made_here(name: str, value: str) -> bool:
    try:
        return (settings.DATA_DIR / name).read_text(encoding="utf-8").strip() == value
    except OSError:
        return False


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
