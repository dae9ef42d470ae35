"""The optional parts of compose.yaml."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import requests

from tests.containers import standins
from tests.containers.engine import Engine
from tests.containers.project import OURS, Project
from tests.servers.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.containers, pytest.mark.xdist_group("containers")]


def test_every_profile_is_understood(project: Project) -> None:
    shown = json.loads(project.compose("--profile", "*", "config", "--format", "json"))
    assert {"tfserving", "prometheus", "grafana"} <= shown["services"].keys()
    assert shown["services"]["tfserving"]["deploy"]["replicas"] == 2


@pytest.fixture(scope="module")
def prometheus(project: Project) -> Iterator[str]:
    """The profile observability without Grafana, which Debian does not have. Where it answers."""
    with project.told():
        project.compose("--profile", "observability", "up", "--detach", "--wait", "prometheus")
    yield f"http://127.0.0.1:{project.prometheus_port}"
    project.compose(
        "--profile", "observability", "rm", "--stop", "--force", "--volumes", "prometheus"
    )


def test_prometheus_reads_every_process(prometheus: str) -> None:
    def up() -> dict[str, str]:
        found = requests.get(
            f"{prometheus}/api/v1/query", params={"query": "up"}, timeout=10
        ).json()["data"]["result"]
        return {sample["metric"]["component"]: sample["value"][1] for sample in found}

    wait_until(lambda: up() == dict.fromkeys(OURS, "1"), 90, "every process to be read", interval=1)


def test_prometheus_has_taken_the_rules(prometheus: str) -> None:
    groups = requests.get(f"{prometheus}/api/v1/rules", timeout=10).json()["data"]["groups"]
    assert groups
    assert not [rule for group in groups for rule in group["rules"] if rule["health"] == "err"]


DOUBLER = """
from inference.models import Deployment, InputKind, Model, ModelVersion
model = Model.objects.create(slug="doubler", name="Doubler")
options = {"address": "tfserving:8500", "model": "model", "features": ["number"]}
version = ModelVersion(model=model, version="1", runtime="tfserving-grpc", options=options)
version.full_clean()
version.save()
Deployment.objects.create(version=version, kind=InputKind.RECORDS, delivery="every")
"""


@pytest.fixture(scope="module")
def replicas(project: Project, engine: Engine) -> Iterator[list[str]]:
    """The containers of the profile tfserving."""
    standins.make(engine, standins.AFTER_OURS)
    (project.folder / "tfserving" / "1").mkdir(parents=True)
    with project.told():
        project.compose("--profile", "tfserving", "up", "--detach", "--wait", "tfserving")
    yield project.compose("--profile", "tfserving", "ps", "--quiet", "tfserving").split()
    project.compose("--profile", "tfserving", "rm", "--stop", "--force", "tfserving")


def test_calls_are_spread_over_two_replicas(
    project: Project, engine: Engine, replicas: list[str]
) -> None:
    project.compose(
        "exec", "-T", "web", "python", "manage.py", "shell", "--no-imports", "-c", DOUBLER
    )
    project.compose("exec", "-T", "web", "python", "manage.py", "topics", "create")
    lines = "".join(f'{{"number": {number}}}\\n' for number in range(40))
    project.shell(f"printf '{lines}' | docker compose exec -T web python manage.py send doubler@1")
    told = project.compose(
        "exec",
        "-T",
        "web",
        "python",
        "manage.py",
        "receive",
        "doubler@1",
        "--from-beginning",
        "--count",
        "40",
        "--timeout",
        "30",
    )
    answers = sorted(json.loads(line)["doubled"] for line in told.splitlines())
    assert answers == [[2.0 * number] for number in range(40)]
    calls = [engine.docker("logs", replica).count("predict") for replica in replicas]
    assert len(calls) == 2
    assert min(calls) > 0
