"""Counts the functions that one frame, one prediction and one dead letter are handed to.

    python -m scripts.doors [--list]

Each journey is a test that really makes it. While the test runs, every call of a function of ours
is looked at: an argument that is the thing, or holds it within three steps, makes it a door.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final

import pytest

HOME: Final = Path(__file__).resolve().parent.parent
APPS: Final = tuple(f"{HOME}/{app}/" for app in ("platform", "cameras", "inference", "streaming"))
STEPS: Final = 3
PLAIN: Final = (int, float, bool, type(None))


@dataclass
class Journey:
    """A test that makes the journey, and the bytes by which the thing is known on its way."""

    test: str
    mark: bytes
    doors: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)


JOURNEYS: Final = {
    "doors of a frame, from Kafka to its prediction": Journey(
        "tests/inference/frames/test_pipeline.py::test_predictions_are_what_others_rely_on",
        b"\xff\xd8\xff",
    ),
    "doors of a prediction, from Kafka to the browser": Journey(
        "tests/streaming/wall/test_socket.py::test_predictions_and_status_are_passed_on",
        b'"text":"A1"',
    ),
    "doors of a record, to its dead letter and back": Journey(
        "tests/inference/deadletters/test_round_trip.py"
        "::test_a_broken_record_is_corrected_and_answered",
        b"flower-7",
    ),
}


def holds(value: Any, mark: bytes, steps: int = STEPS) -> bool:
    """Whether ``value`` is what is looked for, or holds it within so many steps."""
    if isinstance(value, bytes):
        return mark in value
    if isinstance(value, str):
        return mark in value.encode(errors="replace")
    if isinstance(value, PLAIN) or not steps:
        return False
    return any(holds(part, mark, steps - 1) for part in parts(value))


def parts(value: Any) -> Iterator[Any]:
    """What messages and collections are made of; other objects are places, not carriers."""
    if isinstance(value, dict):
        yield from list(value.values())
    elif isinstance(value, list | tuple | set | frozenset):
        yield from list(value)
    elif is_dataclass(value) and not isinstance(value, type):
        yield from (getattr(value, item.name, None) for item in fields(value))


def watch(journey: Journey) -> None:
    """Run the journey's test and note its doors."""

    def called(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(APPS):
            return
        count = code.co_argcount + code.co_kwonlyargcount
        local = frame.f_locals
        for name in code.co_varnames[:count]:
            if name not in ("self", "cls") and holds(local.get(name), journey.mark):
                place = code.co_filename.removeprefix(f"{HOME}/")
                journey.doors.add(f"{place}:{code.co_qualname}")
                journey.names.add(name)

    threading.setprofile(called)
    sys.setprofile(called)
    try:
        with contextlib.redirect_stdout(io.StringIO()) as output:
            status = pytest.main(["-n0", "-q", "-p", "no:cacheprovider", journey.test])
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    if status:
        sys.exit(f"{output.getvalue()}\n{journey.test} did not pass.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--list", action="store_true", help="name the doors, too")
    options = parser.parse_args()
    for title, journey in JOURNEYS.items():
        watch(journey)
        print(f"{title}: {len(journey.doors)}, by {len(journey.names)} names")
        if options.list:
            print(*(f"    {door}" for door in sorted(journey.doors)), sep="\n")


if __name__ == "__main__":
    main()
