"""How many infer pods the scaler asks for, computed by Prometheus' own promtool."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.k8s.rendering import overlay

pytestmark = [pytest.mark.validators, pytest.mark.xdist_group("validators")]

PODS = ("a", "b")
BUSY = 0.7  # seconds that the model computes in each second, in each pod


def series(metric: str, pod: str, growth: float, **labels: str) -> dict[str, str]:
    """A counter that grows by so much a second."""
    labels |= {"namespace": "sightline", "component": "infer", "pod": pod}
    text = ", ".join(f'{name}="{value}"' for name, value in labels.items())
    return {"series": f"{metric}{{{text}}}", "values": f"0+{growth * 60:g}x20"}


def infer(skipped: float, pods: Sequence[str] = PODS) -> list[dict[str, str]]:
    """Pods, each busy for 0.7 s in each second, that look at 5 frames a second and skip others."""
    version = {"model": "qr", "version": "1"}
    calls = [series("sightline_model_call_seconds_sum", pod, BUSY, **version) for pod in pods]
    rates = {"predicted": 5.0, "skipped": skipped}
    frames = [
        series("sightline_model_frames_total", pod, rate, result=result, **version)
        for pod in pods
        for result, rate in rates.items()
    ]
    return [*calls, *frames]


def up() -> list[dict[str, str]]:
    """Prometheus reaches both pods."""
    return [series("up", pod, 0, job="sightline") | {"values": "1x20"} for pod in PODS]


@pytest.mark.parametrize(
    ("given", "pods"),
    [
        pytest.param([*up(), *infer(skipped=0)], 2, id="enough"),
        pytest.param([*up(), *infer(skipped=5)], 4, id="every second frame is skipped"),
        pytest.param([*up(), *infer(skipped=0, pods="a")], 1, id="one of them has nothing to do"),
        pytest.param(up(), 0, id="no model is deployed"),
        pytest.param([], None, id="Prometheus knows nothing"),
    ],
)
def test_the_pods_that_are_asked_for(
    given: list[dict[str, str]], pods: int | None, tmp_path: Path
) -> None:
    [trigger] = overlay("production").named("ScaledObject", "infer")["spec"]["triggers"]
    threshold = float(trigger["metadata"]["threshold"])
    samples = [] if pods is None else [{"value": pods * threshold}]

    assert pods is None or math.ceil(samples[0]["value"] / threshold) == pods
    assert trigger["metadata"]["ignoreNullValues"] == "false"
    ask(trigger["metadata"]["query"], given, samples, tmp_path)


def ask(
    query: str, given: list[dict[str, str]], samples: list[dict[str, Any]], folder: Path
) -> None:
    """AssertionError when the query, at last, gives other samples."""
    expected = [{"labels": "{}", **sample} for sample in samples]
    question = {"expr": query, "eval_time": "10m", "exp_samples": expected}
    (folder / "tests.yml").write_text(
        yaml.safe_dump(
            {"tests": [{"interval": "1m", "input_series": given, "promql_expr_test": [question]}]}
        )
    )
    done = subprocess.run(
        ["promtool", "test", "rules", folder / "tests.yml"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
