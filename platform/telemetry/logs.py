"""Log formatters: lines for people, JSON for machines. Both mask credentials in URLs, also in
tracebacks.
"""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from typing import Any, Final

from pythonjsonlogger.json import JsonFormatter

from sightline.base.redaction import redact_url

# Messages are written as key=%s pairs, so each value has a name without any extra code.
_PLACES: Final = re.compile(r"(?:\b([a-z_]+)=)?%(?:%|[-#0 +]*\d*(?:\.\d+)?[a-zA-Z])")
_OWN: Final = frozenset(
    {"timestamp", "level", "logger", "message", "worker", "thread", "process", "exc_info"}
)

_identity: dict[str, str] = {}


def identify(worker: str) -> None:
    """Add the worker's name to every line of JSON."""
    _identity["worker"] = worker


class LineFormatter(logging.Formatter):
    """A line for people, as Python writes it."""

    def format(self, record: logging.LogRecord) -> str:
        """Mask credentials, also in tracebacks."""
        return redact_url(super().format(record))


class JsonLineFormatter(JsonFormatter):
    """An object a line: timestamp, level, logger, message, process, thread, worker, what the
    message names (camera, model ...), exc_info.
    """

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        """Add the worker and the named values of the message."""
        super().add_fields(log_data, record, message_dict)
        log_data.update(_identity)
        log_data.update(named(record))

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Mask credentials in the fields."""
        return {
            name: redact_url(value) if isinstance(value, str) else value
            for name, value in log_data.items()
        }


def named(record: logging.LogRecord) -> dict[str, Any]:
    """The named values of a message: for ``camera=%s state=%s``, camera and state. An underscore is
    appended to the names that every line has.
    """
    if not isinstance(record.msg, str) or not isinstance(record.args, tuple):
        return {}
    return {
        name: _plain(value)
        for name, value in zip(_names(record.msg), record.args, strict=False)
        if name
    }


@lru_cache(maxsize=1024)
def _names(message: str) -> tuple[str, ...]:
    """For each value that a message takes, in order, its name or ""."""
    found = (match for match in _PLACES.finditer(message) if not match[0].endswith("%%"))
    return tuple(f"{match[1]}_" if match[1] in _OWN else match[1] or "" for match in found)


def _plain(value: object) -> object:
    return value if value is None or type(value) in (bool, int, float) else str(value)
