"""The rules of the house that no tool enforces: names, directions of imports, who may use which library."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parent.parent
GROUND = {
    "environment",
    "topics",
    "documents",
    "messages",
    "history",
    "kafka",
    "broker",
    "worker",
    "reporter",
    "jobs",
    "supervisor",
    "backoff",
    "pace",
    "slugs",
    "network",
    "values",
    "reading",
    "filequeue",
    "celery",
    "checks",
    "logs",
    "metrics",
    "operations",
    "process",
    "redaction",
    "tracing",
}
LEVELS = ("ground", "cameras", "inference", "streaming", "roof")
CHECKED = ("platform", "cameras", "inference", "streaming")


@cache
def sources() -> tuple[Path, ...]:
    files = [HOME / "manage.py", HOME / "sightline.py", *(file for folder in CHECKED for file in (HOME / folder).rglob("*.py"))]
    return tuple(file.relative_to(HOME) for file in files)


@cache
def imports(file: Path) -> frozenset[str]:
    """The full names of all modules and names that a file imports, inside functions too."""
    return frozenset(_imports(ast.parse((HOME / file).read_text(encoding="utf-8"))))


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def importers(*libraries: str) -> set[str]:
    return {str(file) for file in sources() if any(name.split(".")[0] in libraries for name in imports(file))}


def level_of_file(file: Path) -> int:
    if file.parts[0] != "platform":
        return LEVELS.index(file.parts[0]) if file.parts[0] in LEVELS else LEVELS.index("roof")
    return LEVELS.index("ground" if file.parts[1].removesuffix(".py") in GROUND else "roof")


def level_of_import(name: str) -> int:
    first, *rest = name.split(".")
    if name in ("sightline", "sightline.__version__"):
        return LEVELS.index("ground")
    if first == "sightline":
        return LEVELS.index("ground" if rest and rest[0] in GROUND else "roof")
    return LEVELS.index(first) if first in LEVELS else -1


def run(*command: str) -> str:
    done = subprocess.run([sys.executable, *command], cwd=HOME, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("command", [["-c"], ["manage.py", "shell", "--no-imports", "-c"]], ids=["python", "manage.py"])
def test_platform_is_the_standard_librarys(command: list[str]) -> None:
    shown = run(*command, "import platform, sightline.topics as t; print(platform.__file__, platform.python_version(), t.__file__, sep='\\n')")

    stdlib, version, ours = shown.splitlines()
    assert Path(stdlib).parent == Path(ast.__file__).parent
    assert version == ".".join(map(str, sys.version_info[:3]))
    assert Path(ours) == HOME / "platform" / "topics.py"


def test_celery_finds_the_application_and_the_standard_library() -> None:
    report = run("-m", "celery", "-A", "sightline", "report")

    assert f"py:{'.'.join(map(str, sys.version_info[:3]))}" in report
    assert "beat_schedule" in report


def test_the_ground_is_no_package_of_its_own() -> None:
    assert not (HOME / "platform" / "__init__.py").exists()


def test_the_ground_is_complete() -> None:
    assert {path.stem for path in (HOME / "platform").iterdir()} >= GROUND


@pytest.mark.parametrize("file", sources(), ids=str)
def test_imports_run_one_way(file: Path) -> None:
    upwards = {name for name in imports(file) if level_of_import(name) > level_of_file(file)}

    assert not upwards, f"{file} is of the level {LEVELS[level_of_file(file)]!r} and must not import these"


def test_one_file_speaks_kafka() -> None:
    clients = {file for file in importers("confluent_kafka") if not file.startswith("platform/kafka/")}

    assert not clients


def test_pictures_are_coded_in_their_families_only() -> None:
    allowed = re.compile(
        r"cameras/(sources/\w+|\w*jpeg\w*)\.py|inference/(runtimes/.+|adapters/.+|drawing|preprocessing)\.py|streaming/rendition\.py"
    )

    strangers = {file for file in importers("av", "cv2", "simplejpeg") if not allowed.fullmatch(file)}

    assert strangers == {"cameras/capture.py", "inference/infer.py"}
    assert re.findall(r"cv2\.\w+", (HOME / "inference/infer.py").read_text()) == ["cv2.setNumThreads"]


def test_the_web_server_is_known_in_two_places_only() -> None:
    assert importers("twisted", "daphne") <= {"streaming/backpressure.py", "platform/management/commands/runweb.py"}


def test_nothing_is_unpickled() -> None:
    assert importers("pickle", "cPickle", "_pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal") == set()


def own_files() -> list[Path]:
    """What is written here by people, and the locks: not what is built or fetched."""
    folders = (*CHECKED, "tests", "templates", "scripts", "docs", "benchmarks", "k8s", ".ci")
    found = [*HOME.glob("*"), *(file for folder in folders for file in (HOME / folder).rglob("*"))]
    return [file for file in found if file.is_file() and "__pycache__" not in file.parts and file.name != ".git"]


def test_no_link_is_committed() -> None:
    """A link leads to somewhere on one person's machine."""
    listed = subprocess.run(["git", "ls-files", "--stage"], cwd=HOME, capture_output=True, text=True, check=True).stdout
    assert [line for line in listed.splitlines() if line.startswith("120000")] == []


def test_no_file_knows_one_persons_machine() -> None:
    hosts = "|".join(re.escape(".".join(parts)) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("repo1", "maven"), ("npmjs", "")))
    folders = r"(?<![\w/.:)\]}])/(?:home|root|work|Users)/"
    unwanted = re.compile(f"{hosts}|{folders}".encode())

    found = {f"{file.relative_to(HOME)}: {match[0].decode()}" for file in own_files() for match in unwanted.finditer(file.read_bytes())}

    assert not found
