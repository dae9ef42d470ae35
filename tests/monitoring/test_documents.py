"""What is written about the metrics is what the code exports: the table, the rules, the
dashboards.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sightline.telemetry.metrics import Family
from tests.monitoring.families import FAMILIES

HOME = Path(__file__).resolve().parents[2]
MONITORING = HOME / "k8s" / "components" / "monitoring"
DASHBOARDS = sorted((MONITORING / "dashboards").glob("*.json"))
UNITS = {"timestamp_seconds": "s since the epoch", "seconds": "s", "bytes": "bytes"}
# The client library's, the kubelet's, and Prometheus' own.
FOREIGN = {
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_cpu_seconds_total",
    "process_open_fds",
    "kubelet_volume_stats_available_bytes",
    "kubelet_volume_stats_capacity_bytes",
    "up",
}


def unit_of(family: Family) -> str:
    return next((unit for suffix, unit in UNITS.items() if family.name.endswith(suffix)), "1")


def row_of(family: Family) -> str:
    labels = ", ".join(f"`{label}`" for label in family.labels)
    return f"| `{family.shown}` | {family.kind} | {labels} | {unit_of(family)} | {family.words} |"


def exported() -> dict[str, set[str]]:
    """The names of the samples, with their labels."""
    found = {family.shown: {*family.labels} for family in FAMILIES if family.kind != "histogram"}
    for family in FAMILIES:
        if family.kind == "histogram":
            found |= {f"{family.name}_{suffix}": {*family.labels} for suffix in ("count", "sum")}
            found |= {f"{family.name}_bucket": {*family.labels, "le"}}
    return found


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def queries() -> Iterator[tuple[str, str]]:
    """Every query of the rules and the dashboards, with where it stands."""
    for group in yaml.safe_load((MONITORING / "rules.yml").read_text())["groups"]:
        yield from ((rule["alert"], rule["expr"]) for rule in group["rules"])
    for path in DASHBOARDS:
        board = json.loads(path.read_text())
        yield from (
            (f"{path.stem}: {panel['title']}", target["expr"])
            for panel in panels(board)
            for target in panel["targets"]
        )
        yield from (
            (f"{path.stem}: {item['name']}", item["definition"])
            for item in board["templating"]["list"]
            if item["type"] == "query"
        )


def test_names_follow_the_conventions() -> None:
    names = [family.name for family in FAMILIES]
    assert len(names) == len(set(names))
    for family in FAMILIES:
        assert re.fullmatch(r"sightline_[a-z_]+[a-z]", family.name)
        assert not family.name.endswith(("_total", "_count", "_sum", "_bucket"))
        assert family.kind != "histogram" or family.name.endswith("_seconds")
        assert family.words
        assert not family.words.endswith(".")


def test_the_table_lists_every_metric_as_the_code_has_it() -> None:
    written = re.findall(
        r"^\| `sightline_.*$", (HOME / "docs" / "metrics.md").read_text(), re.MULTILINE
    )

    assert sorted(written) == sorted(map(row_of, FAMILIES))


def test_rules_and_dashboards_ask_for_what_there_is() -> None:
    known = exported()
    for where, query in queries():
        bare = re.sub(r'"[^"]*"', '""', query)
        names = set(
            re.findall(
                r"\b(?:sightline|process|kubelet|up)\w*\b",
                re.sub(r"(?:by|on|group_left|without) *\([^)]*\)|\{[^}]*\}", "", bare),
            )
        )
        assert names - FOREIGN <= known.keys(), where
        assert names, where
        for name, labels in re.findall(r"(sightline_\w+)\{([^}]*)\}", query):
            asked = set(re.findall(r"(\w+) *[=!]~?", labels))
            assert asked <= known[name], f"{where}: {name}"


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_whole(path: Path) -> None:
    board = json.loads(path.read_text())
    everything = board["panels"]

    assert board["uid"] == f"sightline-{path.stem}"
    assert len({panel["id"] for panel in everything}) == len(everything)
    assert all(
        panel["description"] and panel["targets"] and panel["datasource"]["uid"] == "${datasource}"
        for panel in panels(board)
    )
    variables = {item["name"] for item in board["templating"]["list"]}
    used = set(re.findall(r"\$(?:\{(\w+)\}|(\w+))", json.dumps(everything)))
    assert {one or other for one, other in used} - {"__rate_interval"} <= variables
    cells = [
        (x, y)
        for panel in everything
        for x in _span(panel, "x", "w")
        for y in _span(panel, "y", "h")
    ]
    assert len(cells) == len(set(cells)), "panels overlap"
    assert max(x for x, _ in cells) < 24


def _span(panel: dict[str, Any], start: str, length: str) -> range:
    place = panel["gridPos"]
    return range(place[start], place[start] + place[length])


def test_grafana_is_told_of_all_dashboards_and_their_source() -> None:
    kustomization = yaml.safe_load((MONITORING / "kustomization.yaml").read_text())
    (provider,) = yaml.safe_load(
        (MONITORING / "grafana" / "dashboards" / "sightline.yml").read_text()
    )["providers"]
    (source,) = yaml.safe_load(
        (MONITORING / "grafana" / "datasources" / "prometheus.yml").read_text()
    )["datasources"]

    assert {file for item in kustomization["configMapGenerator"] for file in item["files"]} == {
        f"dashboards/{path.name}" for path in DASHBOARDS
    }
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
    assert source["type"] == "prometheus"
