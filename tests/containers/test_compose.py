"""`docker compose up --wait` for real: a frame goes through Kafka to a model and to the wall.
Run by `make test-containers`.
"""

from __future__ import annotations

import json

import pytest

from tests.containers.engine import Engine
from tests.containers.project import IMAGE, OFFICIAL, OURS, Project, see
from tests.servers.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.containers, pytest.mark.xdist_group("containers")]

MAX_MEGABYTES = 700  # without Python's own image; docs/containers.md
BASE = "python:3.11-slim-bookworm"


def test_everything_is_up_and_well(project: Project) -> None:
    assert project.states() == dict.fromkeys((*OURS, *OFFICIAL), "healthy")


def test_a_frame_goes_through_kafka_to_a_model_and_to_the_wall(project: Project) -> None:
    with project.told():
        frame, prediction = see(project, "conveyor", "qr")
    assert frame["camera"] == prediction["camera"] == "conveyor"


def test_the_processes_are_nobody_and_can_write_nowhere_else(project: Project) -> None:
    script = (
        "id -u; for place in /app /opt /etc /var /data /data/media /tmp; do touch $place/x"
        " 2>/dev/null && echo $place; rm -f $place/x; done"
    )
    written = {
        role: project.compose("exec", "-T", role, "sh", "-c", script).split() for role in OURS
    }
    assert written == {role: ["10001", "/data", "/data/media", "/tmp"] for role in OURS}


def test_nobody_is_root_who_need_not_be(project: Project) -> None:
    statuses = {
        role: project.compose("exec", "-T", role, "cat", "/proc/1/status")
        for role in (*OURS, *OFFICIAL)
    }
    users = {role: status.split("Uid:")[1].split()[0] for role, status in statuses.items()}
    assert "0" not in users.values(), users
    capable = {
        role
        for role in (*OURS, "redis")
        if status_of(statuses[role], "CapBnd") != "0000000000000000"
    }
    assert not capable
    assert {status_of(status, "NoNewPrivs") for status in statuses.values()} == {"1"}


def status_of(status: str, name: str) -> str:
    return next(line.split()[1] for line in status.splitlines() if line.startswith(f"{name}:"))


def test_no_secret_is_in_the_image_or_the_environment_or_an_argument(project: Project) -> None:
    names = [file.name for file in (project.folder / "secrets").iterdir()]
    told = project.engine.docker("history", "--no-trunc", IMAGE) + project.engine.docker(
        "inspect", IMAGE
    )
    for role in (*OURS, "prepare", "redis"):
        told += project.engine.docker("inspect", project.container(role))
    for role in (*OURS, "redis"):
        told += project.engine.docker("top", project.container(role))
    assert len(names) == 7
    assert not [name for name in names if project.secret(name) in told]


def test_preparing_again_does_no_harm(project: Project) -> None:
    """Also twice at once, as two people may."""
    before = project.operator.get("/cameras/conveyor/").status_code
    script = (
        "docker compose run --rm -T prepare & first=$!; docker compose run --rm -T prepare; wait"
        " $first"
    )
    told = project.shell(script)
    assert told.count("No migrations to apply.") == 2
    assert "Made the user" not in told
    assert before == project.operator.get("/cameras/conveyor/").status_code == 200


@pytest.mark.parametrize("service", ["capture", "kafka", "postgres", "redis"])
def test_one_container_can_be_started_again(project: Project, service: str) -> None:
    with project.told():
        project.compose("restart", "--timeout", "25", service)
        wait_until(
            lambda: set(project.states().values()) == {"healthy"},
            90,
            "everything to be well again",
            interval=1,
        )
        see(project, "conveyor", "qr")


def test_sigterm_ends_each_process_in_good_order(project: Project) -> None:
    """Every one by itself, with status 0: none had to be killed, and none restarted."""
    ids = {role: project.container(role) for role in OURS}
    project.compose("stop", "--timeout", "25", *ids)
    states = {
        role: json.loads(project.engine.docker("inspect", "--format", "{{json .State}}", number))
        for role, number in ids.items()
    }
    assert {
        role: (state["Status"], state["ExitCode"], state["OOMKilled"])
        for role, state in states.items()
    } == dict.fromkeys(ids, ("exited", 0, False))
    project.compose("up", "--detach", "--wait")


def test_the_image_is_no_larger_than_the_document_says(project: Project) -> None:
    sizes = {name: megabytes(project.engine, name) for name in (IMAGE, BASE)}
    assert sizes[IMAGE] - sizes[BASE] < MAX_MEGABYTES


def megabytes(engine: Engine, image: str) -> float:
    return int(engine.docker("image", "inspect", "--format", "{{.Size}}", image)) / 1e6
