"""What the processes of a running Sightline tell Prometheus, as it would read it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import pytest
import requests
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from cameras.capture.state import LossReason
from sightline.messages import CameraState, ModelState
from streaming.hub.deliveries import Way
from tests.monitoring.families import FAMILIES
from tests.servers.stack import ADMIN, PROCESSES, Operator, Stack
from tests.servers.waiting import wait_until

# Every value that a label may have here; cameras and models are those that are registered.
CLOSED = {
    "state": {*CameraState, *ModelState},
    "reason": {*LossReason},
    "result": {"predicted", "skipped", "failed", "unanswered", "delivered", "refused", "drawn"},
    "stage": {"kafka", "transport", "waiting", "model"},
    "at": {"predicted", "sent-wall", "sent-stream"},
    "way": {*Way},
    "check": {"kafka", "database"},
    "role": {*PROCESSES},
    "process": {*PROCESSES, "broker"},
    "input": {"frames", "records"},
    "version": {"", "0.1.0", "1"},
}
pytestmark = pytest.mark.parametrize("broker", ["kafka"], indirect=True)
FREE = {"le", "group", "camera", "model"}


def text_of(stack: Stack, process: str) -> str:
    answer = requests.get(f"{stack.operations(process)}/metrics", timeout=10)
    answer.raise_for_status()
    return answer.text


def own(text: str) -> Iterator[Metric]:
    return (
        family
        for family in text_string_to_metric_families(text)
        if family.name.startswith("sightline_")
    )


def samples(stack: Stack, process: str) -> list[Sample]:
    return [sample for family in own(text_of(stack, process)) for sample in family.samples]


def value(stack: Stack, process: str, name: str, **labels: str) -> float:
    """The sum over the series that have these labels."""
    found = (
        sample
        for sample in samples(stack, process)
        if sample.name == name and labels.items() <= sample.labels.items()
    )
    return sum(sample.value for sample in found)


@pytest.mark.parametrize("process", PROCESSES)
def test_each_process_answers_probes_and_prometheus(stack: Stack, process: str) -> None:
    at = stack.operations(process)

    assert requests.get(f"{at}/healthz", timeout=10).text == "ok\n"
    wait_until(lambda: requests.get(f"{at}/readyz", timeout=10).ok, 20, "it to be ready")
    assert requests.get(f"{at}/other", timeout=10).status_code == 404
    assert value(stack, process, "sightline_build_info", role=process) == 1
    assert value(stack, process, "sightline_healthy", role=process) == 1
    assert value(stack, process, "sightline_data_free_bytes") > 0


def test_promtool_finds_nothing_to_complain_of(stack: Stack) -> None:
    for process in PROCESSES:
        done = subprocess.run(
            ["promtool", "check", "metrics"],
            input=text_of(stack, process),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), process


def test_values_move_along_the_whole_way(stack: Stack) -> None:
    operator = stack.operator()
    moving = {
        ("capture", "sightline_camera_frames_total", "camera=conveyor"),
        ("capture", "sightline_camera_bytes_total", "camera=conveyor"),
        ("capture", "sightline_frame_stage_seconds_count", "stage=kafka"),
        ("capture", "sightline_kafka_producer_records_total", "result=delivered"),
        ("capture", "sightline_kafka_producer_bytes_total", ""),
        ("infer", "sightline_model_frames_total", "result=predicted"),
        ("infer", "sightline_model_call_seconds_sum", "model=qr"),
        ("infer", "sightline_frame_age_seconds_count", "at=predicted"),
        *(
            ("infer", "sightline_frame_stage_seconds_sum", f"stage={stage}")
            for stage in ("transport", "waiting", "model")
        ),
        ("web", "sightline_viewer_frames_total", "way=stream"),
        ("web", "sightline_viewer_bytes_total", "camera=conveyor"),
        ("web", "sightline_frame_age_seconds_count", "at=sent-stream"),
        ("jobs", "sightline_jobs_total", ""),
        ("jobs", "sightline_jobs_scheduled_timestamp_seconds", ""),
    }

    def now(process: str, name: str, label: str) -> float:
        return value(stack, process, name, **dict([label.split("=")] if label else []))

    before = {each: now(*each) for each in moving}
    with operator.session.get(
        f"{stack.url}/cameras/conveyor/stream.mjpg", stream=True, timeout=20
    ) as stream:
        pieces = stream.iter_content(64 * 1024)

        def still() -> set[tuple[str, str, str]]:
            next(pieces)
            return {each for each in moving if now(*each) <= before[each]}

        wait_until(lambda: not still(), 60, "all of these to move")
        assert value(stack, "web", "sightline_viewers") >= 1
    assert value(stack, "capture", "sightline_camera_state", camera="conveyor", state="live") == 1
    assert value(stack, "capture", "sightline_camera_state", camera="conveyor") == 1
    assert value(stack, "infer", "sightline_model_state", model="qr", state="running") == 1
    assert value(stack, "infer", "sightline_consumer_lag_records") < 100
    assert value(stack, "web", "sightline_cameras_enabled") >= 1
    assert 0 < value(stack, "capture", "sightline_kafka_producer_queue_limit_bytes") < 2**30


def test_labels_are_registered_names_and_words_of_closed_lists(stack: Stack) -> None:
    known = {family.name: {*family.labels} for family in FAMILIES}
    for process in PROCESSES:
        for family in own(text_of(stack, process)):
            for sample in family.samples:
                assert {*sample.labels} - {"le"} == known[family.name], sample
                assert not {*sample.labels} - CLOSED.keys() - FREE
                assert all(
                    sample.labels[name] in allowed
                    for name, allowed in CLOSED.items()
                    if name in sample.labels
                ), sample


def test_a_camera_that_is_removed_takes_its_series_with_it(
    stack: Stack, cameras: Callable[..., str]
) -> None:
    slug = cameras("passing", "demo", "demo:conveyor?line=2")
    operator = stack.operator()
    operator.deploy_runtime("passers", "builtin-motion", slug)

    def has_series(process: str) -> bool:
        return any(sample.labels.get("camera") == slug for sample in samples(stack, process))

    wait_until(
        lambda: has_series("capture") and has_series("infer"), 30, "series of the new camera"
    )
    operator.delete_camera(slug)
    wait_until(lambda: not has_series("capture") and not has_series("infer"), 30, "them to end")


def test_the_webs_own_port_tells_only_who_may_see_the_system(stack: Stack) -> None:
    assert requests.get(f"{stack.url}/metrics", timeout=10).status_code == 401
    operator: Operator = stack.operator()

    answer = operator.get("/metrics")

    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert {family.name for family in own(answer.text)} >= {
        "sightline_viewers",
        "sightline_build_info",
    }
    assert ADMIN not in answer.text
