from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from sightline.telemetry import logs

SECRET = "pl4nted-passw0rd"
ADDRESS = f"rtsp://root:{SECRET}@10.0.0.9/stream?user=root&password={SECRET}"
Write = Callable[..., dict[str, Any]]


@pytest.fixture
def write() -> Write:
    formatter = logs.JsonLineFormatter(
        "%(levelname)s %(name)s %(message)s",
        rename_fields={"levelname": "level", "name": "logger"},
        timestamp=True,
    )

    def written(message: str, *values: object, exc_info: Any = None) -> dict[str, Any]:
        text = formatter.format(
            logging.LogRecord(
                "cameras.capture.reader", logging.INFO, "", 1, message, values, exc_info
            )
        )
        assert SECRET not in text
        assert "\n" not in text
        line: dict[str, Any] = json.loads(text)
        return line

    return written


def failure() -> Any:
    try:
        raise ConnectionError(f"cannot open {ADDRESS}")
    except ConnectionError as err:
        return type(err), err, err.__traceback__


def test_what_a_message_names_is_a_field(write: Write) -> None:
    line = write("camera=%s state=%s tries=%d share=%.1f%% of it", "gate", logging.INFO, 3, 12.34)

    assert line["message"] == "camera=gate state=20 tries=3 share=12.3% of it"
    assert (line["camera"], line["state"], line["tries"], line["share"]) == ("gate", 20, 3, 12.34)
    assert (line["level"], line["logger"]) == ("INFO", "cameras.capture.reader")
    assert line["timestamp"].startswith("20")


def test_values_without_a_name_do_not_shift_the_others(write: Write) -> None:
    line = write("model %s model=%s detail=%s", "failing", "qr@1", None)

    assert (line["model"], line["detail"]) == ("qr@1", None)
    assert "failing" in line["message"]


def test_a_name_that_every_line_has_stays_what_it_is(write: Write) -> None:
    line = write("kafka error code=%s message=%s", 7, "gone")

    assert (line["message"], line["message_"], line["code"]) == (
        "kafka error code=7 message=gone",
        "gone",
        7,
    )


def test_the_worker_is_in_every_line(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_identity", {})
    logs.identify("capture-a-1")

    assert write("camera started")["worker"] == "capture-a-1"


def test_a_traceback_is_a_field_and_passwords_are_masked_everywhere(write: Write) -> None:
    line = write("camera=%s address=%s", "gate", ADDRESS, exc_info=failure())

    assert line["exc_info"].startswith("Traceback (most recent call last):\n")
    assert line["exc_info"].endswith(
        "ConnectionError: cannot open rtsp://***@10.0.0.9/stream?user=***&password=***"
    )
    assert line["address"] == "rtsp://***@10.0.0.9/stream?user=***&password=***"


def test_a_line_for_people_holds_no_password_either() -> None:
    record = logging.LogRecord(
        "cameras.capture.reader", logging.ERROR, "", 1, "address=%s", (ADDRESS,), failure()
    )

    text = logs.LineFormatter("%(levelname)s %(message)s").format(record)

    assert text.startswith("ERROR address=rtsp://***@10.0.0.9/stream")
    assert "ConnectionError" in text
    assert SECRET not in text
