"""What containers are built and started from, checked without an engine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.containers.project import OFFICIAL, OURS
from tests.test_docs import variables

HOME = Path(__file__).parents[2]
COMPOSE = (HOME / "compose.yaml").read_text(encoding="utf-8")
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE)["services"]


def test_the_dockerfile_is_well_made() -> None:
    """By hadolint, whose every remark counts."""
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [program, "Dockerfile"], cwd=HOME, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_comes_into_an_image_that_is_not_named() -> None:
    first, *rest = [
        line
        for line in (HOME / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    ]
    copied = set(
        re.findall(
            r"^COPY (?!--)(.+) \S+$",
            (HOME / "Dockerfile").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    )
    assert first == "*"
    assert {line.removeprefix("!") for line in rest if line.startswith("!")} == {
        name for names in copied for name in names.split()
    }


def test_secrets_are_made_once_and_only_the_folder_is_closed(tmp_path: Path) -> None:
    """Docker keeps owner and mode of the files that it puts into containers, whose users are
    others: files open, folder shut.
    """
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "make_secrets.py").write_bytes(
        (HOME / "scripts" / "make_secrets.py").read_bytes()
    )
    made = []
    for _ in range(2):
        subprocess.run(
            ["sh", "-c", f"umask 077; {sys.executable} scripts/make_secrets.py"],
            cwd=tmp_path,
            check=True,
        )
        made.append(
            {
                file.name: file.read_text(encoding="utf-8")
                for file in (tmp_path / "secrets").iterdir()
            }
        )
    assert made[0] == made[1]
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "secrets").iterdir()} == {0o444}
    assert set(made[0]) == set(yaml.safe_load(COMPOSE)["secrets"])


def test_git_leaves_out_what_is_secret() -> None:
    names = ["secrets/secret_key", ".env", "backup/database.dump"]
    ignored = subprocess.run(
        ["git", "check-ignore", *names], cwd=HOME, capture_output=True, text=True, check=False
    ).stdout.split()
    assert ignored == names


def test_what_can_be_set_is_in_the_example() -> None:
    example = (HOME / ".env.example").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^([A-Z_]+)=(.*)$", example, re.MULTILINE))
    read = re.findall(r"(?<!\$)\$\{([A-Z_]+)(?::[-+]([^}]*))?\}", COMPOSE)
    assert shown.keys() == {name for name, _ in read}
    assert {name: value for name, value in shown.items() if name != "DEMO"} == {
        name: default for name, default in read if name != "DEMO"
    }


def test_every_variable_of_our_containers_is_one_that_is_read() -> None:
    given = {
        name.removesuffix("_FILE")
        for role in (*OURS, "prepare")
        for name in SERVICES[role]["environment"]
    }
    assert given <= variables() | {"TMPDIR"}  # which Python's tempfile reads


def test_every_service_has_a_health_check_and_an_end() -> None:
    for name, service in SERVICES.items():
        assert service["healthcheck"], name
        assert "no-new-privileges:true" in service["security_opt"], name
    for role in OURS:
        assert SERVICES[role]["read_only"] is True
        assert SERVICES[role]["depends_on"]["prepare"] == {
            "condition": "service_completed_successfully"
        }
    assert {*OURS, *OFFICIAL, "prepare", "tfserving", "prometheus", "grafana"} == SERVICES.keys()
