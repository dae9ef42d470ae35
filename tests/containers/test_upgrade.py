"""docs/upgrade.md: its commands are run as they stand there."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.project import IMAGE, OURS, Project, clone, commands, see

pytestmark = [pytest.mark.slow, pytest.mark.containers, pytest.mark.xdist_group("containers")]

NEXT = "sightline:next"
TOPIC = "sightline.kept"
# What a later release may bring: a column that this one does not know.
MIGRATION = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("streaming", "{after}")]
    sql = "ALTER TABLE streaming_layout ADD COLUMN of_a_later_release integer"
    operations = [migrations.RunSQL(sql)]
"""
PASSWORD = "Sesame-opens-7"


def camera_password(project: Project) -> str:
    """What the capture worker would log in with: the sealed password, opened with the keys that
    it was given.
    """
    script = "from cameras.models import Camera; print(Camera.objects.get(slug='gate').password)"
    return project.compose(
        "exec", "-T", "capture", "python", "manage.py", "shell", "--no-imports", "-c", script
    ).splitlines()[-1]


def records(project: Project) -> list[int]:
    """Those in the topic of the test, oldest first."""
    told = project.compose(
        "exec",
        "-T",
        "web",
        "python",
        "manage.py",
        "receive",
        TOPIC,
        "--from-beginning",
        "--timeout",
        "3",
    )
    return [json.loads(line)["n"] for line in told.splitlines()]


def test_what_was_lost_comes_back_from_the_backup(
    project: Project, engine: Engine, tmp_path: Path
) -> None:
    operator = project.operator
    operator.add_camera(
        "gate", "rtsp", "rtsp://192.0.2.1/stream", username="viewer", new_password=PASSWORD
    )
    project.compose("exec", "-T", "web", "sh", "-c", "echo model > /data/media/kept.onnx")
    project.shell(f"docker compose exec -T web python manage.py topics create {TOPIC}")
    project.shell(
        f"""echo '{{"n": 1}}' | docker compose exec -T web python manage.py send {TOPIC}"""
    )
    project.shell(commands("upgrade.md", "Back up"))

    elsewhere = Project(engine, tmp_path / "elsewhere")
    clone(elsewhere.folder)
    subprocess.run(["cp", "-a", project.folder / "backup", elsewhere.folder], check=True)
    project.compose("stop")
    try:
        with elsewhere.told():
            elsewhere.shell(commands("upgrade.md", "Restore"))
            assert camera_password(elsewhere) == PASSWORD
            assert (
                elsewhere.compose("exec", "-T", "infer", "cat", "/data/media/kept.onnx")
                == "model\n"
            )
            assert records(elsewhere) == [1]
            see(elsewhere, "conveyor", "qr")
    finally:
        elsewhere.down()
        project.compose("up", "--detach", "--wait")


def test_a_new_release_and_back_again(project: Project, engine: Engine) -> None:
    last = sorted(
        path.stem for path in (project.folder / "streaming" / "migrations").glob("0*.py")
    )[-1]
    number = f"{int(last[:4]) + 1:04}_of_a_later_release"
    later = project.folder / "streaming" / "migrations" / f"{number}.py"
    later.write_text(MIGRATION.format(after=last), encoding="utf-8")
    settings = project.folder / ".env"
    before = settings.read_text(encoding="utf-8")
    with project.told():
        settings.write_text(
            before.replace(f"SIGHTLINE_IMAGE={IMAGE}", f"SIGHTLINE_IMAGE={NEXT}"), encoding="utf-8"
        )
        told = project.shell(commands("upgrade.md", "A new release"))
        assert f"Applying streaming.{number}... OK" in told
        assert images(project) == {NEXT}
        see(project, "conveyor", "qr")

        settings.write_text(before, encoding="utf-8")
        project.shell(commands("upgrade.md", "Back to the old release"))
        assert images(project) == {IMAGE}
        see(project, "conveyor", "qr")
    engine.docker("image", "rm", NEXT)


def images(project: Project) -> set[str]:
    found = [json.loads(line) for line in project.compose("ps", "--format", "json").splitlines()]
    return {item["Image"] for item in found if item["Service"] in OURS}
