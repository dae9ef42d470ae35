"""Reads the cameras' states from the status topic."""

from __future__ import annotations

from collections.abc import Callable

from sightline.messages import CameraState, CameraStatus
from tests.servers.waiting import wait_until
from tests.support import Reader


def statuses(reader: Reader, slug: str) -> list[CameraStatus]:
    """All statuses of a camera so far."""
    return [
        CameraStatus.from_json(record.value)
        for record in reader.read()
        if record.key == f"camera/{slug}".encode() and record.value
    ]


def wait_for(
    reader: Reader, slug: str, state: CameraState, beside: Callable[[], object], detail: str = ""
) -> CameraStatus:
    """The newest status of a camera, once it is in ``state`` and its detail contains ``detail``;
    ``beside`` is called between the reads.
    """

    def newest() -> CameraStatus | None:
        said = statuses(reader, slug)
        return said[-1] if said and said[-1].state == state and detail in said[-1].detail else None

    found = wait_until(newest, 20, f"{slug} to be {state}: {detail}", beside=beside)
    assert found is not None
    return found
