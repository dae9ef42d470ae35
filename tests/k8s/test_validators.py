"""Other people's validators on what would be applied. They are slow, or fetched: `make
test-kubernetes` runs these, not `make test`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from kubernetes_validate import SchemaNotFoundError, validate

from tests.k8s import custom
from tests.k8s.cluster import name_of
from tests.k8s.rendering import HOME, OVERLAYS, overlay, overlay_text

pytestmark = [pytest.mark.validators, pytest.mark.xdist_group("validators")]

# The oldest Kubernetes that has all that is used, and the newest that the validator knows.
VERSIONS = ("1.31", "1.37")
CHECKOV = "checkov==3.3.30"
FETCH_SECONDS = 900
# As docs/deploy.md says that they look.
SECRETS = {
    "SECRET_KEY": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
    "CREDENTIAL_KEYS": "Zm9yLW9uZS1ub2RlLW9mLXlvdXItb3duLW9ubHktMDE=",
    "DATABASE_URL": "postgres://sightline:secret@postgres.databases:5432/sightline",
    "REDIS_URL": "redis://:secret@redis.databases:6379/0",
    "password": "secret",
}

everywhere = pytest.mark.parametrize("name", OVERLAYS)


def beside(program: str) -> Path:
    """A program of this virtual environment."""
    return Path(sys.executable).with_name(program)


def accept(
    program: Path, *arguments: str | Path, environment: Mapping[str, str] | None = None
) -> None:
    """Run a validator; AssertionError with what it says when it finds something."""
    done = subprocess.run(
        [program, *arguments],
        capture_output=True,
        text=True,
        timeout=FETCH_SECONDS,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@everywhere
@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_every_field(name: str, version: str) -> None:
    checked = 0
    for item in overlay(name).items:
        try:
            validate(item, version, strict=True)
        except SchemaNotFoundError:
            assert custom.is_custom(item), (
                f"Kubernetes {version} does not know {item['kind']} {name_of(item)}"
            )
        else:
            checked += 1
    assert checked > 20


@pytest.mark.parametrize(
    ("name", "arguments"), [("local", []), ("production", ["--deploy", "--fail-level", "WARNING"])]
)
def test_the_settings_take_the_environment(name: str, arguments: list[str], tmp_path: Path) -> None:
    """A process is started with what a pod's environment is, and files in place of the secret's."""
    environment = dict(overlay(name).settings) | {
        "DATA_DIR": str(tmp_path / "data"),
        "PATH": os.environ["PATH"],
    }
    for variable, file in environment.items():
        if variable.endswith("_FILE"):
            copy = tmp_path / Path(file).name
            copy.write_text(SECRETS[copy.name], encoding="utf-8")
            environment[variable] = str(copy)
    accept(Path(sys.executable), HOME / "manage.py", "check", *arguments, environment=environment)


@everywhere
def test_checkov_finds_nothing(name: str, tmp_path: Path) -> None:
    file = tmp_path / f"{name}.yaml"
    file.write_text(overlay_text(name), encoding="utf-8")
    config = Path(__file__).with_name("checkov.yaml")
    accept(
        beside("uv"),
        "tool",
        "run",
        "--quiet",
        "--from",
        CHECKOV,
        "checkov",
        "--config-file",
        config,
        "--file",
        file,
    )


def test_hadolint_finds_nothing() -> None:
    accept(beside("hadolint"), "--failure-threshold", "style", HOME / "Dockerfile")
