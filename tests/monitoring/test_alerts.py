"""The alert rules: each fires when it should and not otherwise, as Prometheus' own promtool sees
it.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from scripts.prometheusrule import rendered

HOME = Path(__file__).resolve().parents[2]
MONITORING = HOME / "k8s" / "components" / "monitoring"
RULES = MONITORING / "rules.yml"
WHERE = 'job="sightline", instance="a:9100"'

Series = Mapping[str, str]


def steady(value: float) -> str:
    """The same value in each minute."""
    return f"{value}x{6 * 60}"


def growing(a_minute: float) -> str:
    """A counter."""
    return f"0+{a_minute}x{6 * 60}"


def histogram(name: str, labels: str, edge: str) -> Series:
    """A hundred observations a minute, all of them up to ``edge`` and above the edge before it."""
    edges = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2", "5", "10", "+Inf")
    below = edges[: edges.index(edge)]
    return {
        f'{name}_bucket{{{labels}, le="{each}"}}': growing(0 if each in below else 100)
        for each in edges
    }


def state(name: str, labels: str, holds: str, *others: str) -> Series:
    return {
        f'{name}{{{labels}, state="{each}"}}': steady(float(each == holds))
        for each in (holds, *others)
    }


def healthy(role: str, value: str = steady(1)) -> Series:
    return {f'sightline_healthy{{{WHERE}, role="{role}"}}': value}


GATE, QR = 'camera="gate"', 'model="qr", version="1"'
WELL: Series = {
    **{
        name: value
        for role in ("web", "capture", "infer", "records", "jobs")
        for name, value in healthy(role).items()
    },
    f'sightline_build_info{{{WHERE}, role="capture", version="1"}}': steady(1),
    **{
        f'sightline_ready{{check="{check}"}}': steady(1) for check in ("database", "kafka", "redis")
    },
    "sightline_cameras_enabled": steady(1),
    **state("sightline_camera_state", GATE, "live", "stalled", "unreachable", "frozen", "disabled"),
    f"sightline_camera_frames_total{{{GATE}}}": growing(600),
    f'sightline_camera_frames_dropped_total{{{GATE}, reason="corrupt"}}': growing(6),
    **histogram("sightline_frame_age_seconds", f'{GATE}, at="sent-wall"', "0.25"),
    **histogram("sightline_frame_age_seconds", f'{GATE}, {QR}, at="predicted"', "0.25"),
    **histogram("sightline_frame_stage_seconds", f'{GATE}, stage="kafka"', "0.01"),
    'sightline_models_deployed{input="frames"}': steady(1),
    'sightline_models_deployed{input="records"}': steady(1),
    **state("sightline_model_state", QR, "running", "failing", "loading"),
    f'sightline_model_frames_total{{{QR}, {GATE}, result="predicted"}}': growing(500),
    f'sightline_model_frames_total{{{QR}, {GATE}, result="skipped"}}': growing(100),
    f'sightline_model_frames_total{{{QR}, {GATE}, result="failed"}}': growing(0),
    f'sightline_model_records_total{{{QR}, result="failed"}}': growing(0),
    f"sightline_dead_letters_unwritten_total{{{QR}}}": growing(0),
    f"sightline_record_rounds_repeated_total{{{QR}}}": growing(0),
    'sightline_consumer_lag_records{group="sightline.records.iris.1"}': steady(500),
    'sightline_consumer_lag_records{group="sightline.infer.qr.1"}': steady(2),
    f"sightline_kafka_producer_queue_bytes{{{WHERE}}}": steady(1e6),
    f"sightline_kafka_producer_queue_limit_bytes{{{WHERE}}}": steady(32e6),
    f'sightline_kafka_producer_records_total{{{WHERE}, result="refused"}}': growing(0),
    'kubelet_volume_stats_available_bytes{persistentvolumeclaim="data-kafka-0"}': steady(50e9),
    'kubelet_volume_stats_capacity_bytes{persistentvolumeclaim="data-kafka-0"}': steady(100e9),
    f"sightline_data_free_bytes{{{WHERE}}}": steady(50e9),
    f"sightline_data_size_bytes{{{WHERE}}}": steady(100e9),
    "sightline_jobs_scheduled_timestamp_seconds": growing(60),
    f"process_start_time_seconds{{{WHERE}}}": steady(1),
    f"process_resident_memory_bytes{{{WHERE}}}": growing(1000),
    f'sightline_process_restarts_total{{{WHERE}, process="infer"}}': growing(0),
    f"up{{{WHERE}}}": steady(1),
}
GONE: Series = {"sightline_jobs_scheduled_timestamp_seconds": "_x400"}

# What is otherwise, after how many minutes, and the alerts that fire then, no others; with the
# label that tells most.
TROUBLES: dict[str, tuple[Series, int, set[tuple[str, str]]]] = {
    "nothing": ({}, 300, set()),
    "camera unreachable": (
        state("sightline_camera_state", GATE, "unreachable", "live"),
        2,
        {("CameraDown", "gate")},
    ),
    "camera refuses the password": (
        state("sightline_camera_state", GATE, "auth-failed", "live"),
        2,
        {("CameraDown", "gate")},
    ),
    "camera silent": (
        state("sightline_camera_state", GATE, "stalled", "live"),
        2,
        {("CameraStalled", "gate")},
    ),
    "camera silent for a moment": (
        {**state("sightline_camera_state", GATE, "stalled", "live")},
        0,
        set(),
    ),
    "camera frozen": (
        state("sightline_camera_state", GATE, "frozen", "live"),
        3,
        {("CameraShowsNothing", "gate")},
    ),
    "camera read by nobody": ({"sightline_cameras_enabled": steady(3)}, 2, {("CamerasUnread", "")}),
    "no capture worker": (
        {
            **healthy("capture", "_x400"),
            **{name: "_x400" for name in WELL if name.startswith("sightline_camera_state")},
        },
        5,
        {("CaptureWorkerMissing", ""), ("CamerasUnread", "")},
    ),
    "pictures lost": (
        {f'sightline_camera_frames_dropped_total{{{GATE}, reason="queue-full"}}': growing(100)},
        15,
        {("FramesDropped", "gate")},
    ),
    "old pictures at the viewer": (
        histogram("sightline_frame_age_seconds", f'{GATE}, at="sent-wall"', "5"),
        10,
        {("FramesTooOld", "gate")},
    ),
    "slow way to Kafka": (
        histogram("sightline_frame_stage_seconds", f'{GATE}, stage="kafka"', "5"),
        10,
        {("FramesTooOld", "gate")},
    ),
    "model failing": (
        state("sightline_model_state", QR, "failing", "running"),
        3,
        {("ModelFailing", "qr")},
    ),
    "no infer worker": (healthy("infer", "_x400"), 5, {("ModelWorkerMissing", "frames")}),
    "no records worker": (healthy("records", "_x400"), 5, {("ModelWorkerMissing", "records")}),
    "model too slow": (
        {f'sightline_model_frames_total{{{QR}, {GATE}, result="skipped"}}': growing(900)},
        25,
        {("ModelSkipsTooMuch", "qr")},
    ),
    "old predictions": (
        histogram("sightline_frame_age_seconds", f'{GATE}, {QR}, at="predicted"', "10"),
        10,
        {("PredictionsTooOld", "qr")},
    ),
    "dead letters of frames": (
        {f'sightline_model_frames_total{{{QR}, {GATE}, result="failed"}}': growing(5)},
        15,
        {("DeadLettersGrowing", "qr")},
    ),
    "dead letters of records": (
        {f'sightline_model_records_total{{{QR}, result="failed"}}': growing(5)},
        15,
        {("DeadLettersGrowing", "qr")},
    ),
    "dead letters lost": (
        {f"sightline_dead_letters_unwritten_total{{{QR}}}": growing(1)},
        10,
        {("DeadLettersNotWritten", "qr")},
    ),
    "answers not written": (
        {f"sightline_record_rounds_repeated_total{{{QR}}}": growing(3)},
        10,
        {("DeadLettersNotWritten", "qr")},
    ),
    "records fall behind": (
        {'sightline_consumer_lag_records{group="sightline.records.iris.1"}': growing(500)},
        30,
        {("LagGrowing", "sightline.records.iris.1")},
    ),
    "a backlog of records that shrinks": (
        {'sightline_consumer_lag_records{group="sightline.records.iris.1"}': "90000-100x400"},
        60,
        set(),
    ),
    "frames not read": (
        {'sightline_consumer_lag_records{group="sightline.infer.qr.1"}': steady(300)},
        20,
        {("LagGrowing", "sightline.infer.qr.1")},
    ),
    "no web": (healthy("web", "_x400"), 5, {("WebNotReady", "")}),
    "Kafka away": ({'sightline_ready{check="kafka"}': steady(0)}, 2, {("KafkaUnreachable", "")}),
    "database away": (
        {'sightline_ready{check="database"}': steady(0)},
        3,
        {("DatabaseUnreachable", "")},
    ),
    "Redis away": ({'sightline_ready{check="redis"}': steady(0)}, 3, {("RedisUnreachable", "")}),
    "queue full": (
        {f"sightline_kafka_producer_queue_bytes{{{WHERE}}}": steady(31e6)},
        3,
        {("ProducerQueueFull", "capture")},
    ),
    "records refused": (
        {f'sightline_kafka_producer_records_total{{{WHERE}, result="refused"}}': growing(60)},
        10,
        {("ProducerQueueFull", "capture")},
    ),
    "Kafka's disk full": (
        {'kubelet_volume_stats_available_bytes{persistentvolumeclaim="data-kafka-0"}': steady(5e9)},
        10,
        {("KafkaDiskFull", "")},
    ),
    "disk full": (
        {f"sightline_data_free_bytes{{{WHERE}}}": steady(5e9)},
        10,
        {("DataDiskFull", "")},
    ),
    "scheduler stopped": (
        {"sightline_jobs_scheduled_timestamp_seconds": steady(60)},
        10,
        {("SchedulerStopped", "")},
    ),
    "scheduler never heard of": (GONE, 10, {("SchedulerStopped", "")}),
    "process hangs": (healthy("jobs", steady(0)), 2, {("ProcessHangs", "jobs")}),
    "restarts": (
        {f"process_start_time_seconds{{{WHERE}}}": growing(60)},
        20,
        {("ProcessRestarts", "capture")},
    ),
    "restarts by the supervisor": (
        {f'sightline_process_restarts_total{{{WHERE}, process="infer"}}': growing(1)},
        20,
        {("ProcessRestarts", "infer")},
    ),
    "memory grows": (
        {f"process_resident_memory_bytes{{{WHERE}}}": growing(2e6)},
        300,
        {("MemoryGrowing", "capture")},
    ),
    "not scraped": ({f"up{{{WHERE}}}": steady(0)}, 3, {("TargetDown", "")}),
}


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["promtool", *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def alerts() -> list[str]:
    return [
        rule["alert"]
        for group in yaml.safe_load(RULES.read_text())["groups"]
        for rule in group["rules"]
    ]


def scenario(
    name: str, series: Series, minutes: int, firing: set[tuple[str, str]]
) -> dict[str, Any]:
    """A group of promtool's tests."""
    # The one label of these that an alert has says what it is about.
    about = (
        "label_join(ALERTS{alertstate='firing'}, 'about', '', 'camera', 'model', 'input', 'group',"
        " 'role')"
    )
    expected = [
        {"labels": f'{{alertname="{alert}"' + (f', about="{what}"}}' if what else "}"), "value": 1}
        for alert, what in firing
    ]
    return {
        "name": name,
        "interval": "1m",
        "input_series": [
            {"series": key, "values": values} for key, values in {**WELL, **series}.items()
        ],
        "promql_expr_test": [
            {
                "expr": f"max by (alertname, about) ({about})",
                "eval_time": f"{minutes}m",
                "exp_samples": expected,
            }
        ],
    }


def test_promtool_accepts_the_rules() -> None:
    done = promtool("check", "rules", RULES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_fires_when_it_should_and_no_other_does(tmp_path: Path) -> None:
    groups = [scenario(name, *trouble) for name, trouble in TROUBLES.items()]
    file = tmp_path / "alerts.yml"
    file.write_text(
        yaml.safe_dump(
            {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": groups},
            sort_keys=False,
        )
    )

    done = promtool("test", "rules", file)

    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_made_to_fire() -> None:
    assert {alert for _, _, firing in TROUBLES.values() for alert, _ in firing} == set(alerts())
    assert len(alerts()) == len(set(alerts()))


def test_each_alert_is_explained_and_links_to_it() -> None:
    explained = re.findall(r"^### (\w+)$", (HOME / "docs" / "operate.md").read_text(), re.MULTILINE)
    links = re.findall(r"runbook: docs/operate\.md#(\w+)", RULES.read_text())

    assert set(alerts()) == set(explained)
    assert links == [alert.lower() for alert in alerts()]


def test_the_operator_is_given_the_same_rules() -> None:
    resource = (MONITORING / "prometheusrule.yaml").read_text()

    assert resource == rendered(RULES.read_text()), "run: python scripts/prometheusrule.py"
    assert yaml.safe_load(resource)["spec"] == yaml.safe_load(RULES.read_text())
