"""Several capture workers share the cameras, and take over from one that ends. Rebalancing a
group takes seconds.
"""

from __future__ import annotations

import pytest

from cameras.capture.worker import CaptureWorker
from cameras.models import Camera
from sightline.kafka import topics
from sightline.messages import Frame
from tests.servers.waiting import wait_until
from tests.support import Reader, reading

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


def new_frame(reader: Reader, camera: str) -> bool:
    before = len(reader.records)
    return (
        len(reader.read()) > before
        and Frame.from_record(
            camera, reader.records[-1].value, reader.records[-1].header_map, 0
        ).seq
        >= 0
    )


@pytest.mark.usefixtures("embedded")
def test_two_workers_share_the_cameras_and_one_takes_over() -> None:
    slugs = {f"camera-{number}" for number in range(8)}
    for slug in slugs:
        Camera.objects.create(
            slug=slug, name=slug, kind="demo", url="demo:conveyor?size=640x360", fps=2
        )
    first, second = CaptureWorker(), CaptureWorker()

    def step_both() -> None:
        first.step()
        second.step()

    wait_until(lambda: first.readers.keys() == slugs, 40, "the first to run all", beside=first.step)
    wait_until(
        lambda: second.readers and first.readers.keys() | second.readers.keys() == slugs,
        40,
        "the second to run some",
        beside=step_both,
    )

    assert not first.readers.keys() & second.readers.keys()
    assert first.readers
    moved = set(first.readers)
    first.close()
    wait_until(
        lambda: second.readers.keys() == slugs, 40, "the second to take over", beside=second.step
    )
    camera = min(moved)
    with reading(topics.frames(camera)) as reader:
        reader.read()
        wait_until(
            lambda: new_frame(reader, camera),
            40,
            "frames of a camera that moved",
            beside=second.step,
        )
    second.close()
