"""The rules of the house that no tool enforces: directions of imports, who may use which
library.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parent.parent
CHECKED = ("platform", "cameras", "inference", "streaming")
# Sub-folders of these that hold no modules of the house's order.
OUTSIDE = ("migrations", "__pycache__")


@cache
def sources() -> Mapping[str, Path]:
    """Every module of the house by its full name, relative to the house."""
    files = [HOME / "manage.py", HOME / "sightline.py"]
    files += (
        file
        for folder in CHECKED
        for file in (HOME / folder).rglob("*.py")
        if not set(file.parts) & set(OUTSIDE)
    )
    return {name_of(file.relative_to(HOME)): file.relative_to(HOME) for file in files}


def name_of(file: Path) -> str:
    """The name that a file is imported under: ``platform/`` is ``sightline``."""
    parts = file.with_suffix("").parts
    parts = ("sightline", *parts[1:]) if parts[0] == "platform" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


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
    return {
        str(file)
        for file in sources().values()
        if any(name.split(".")[0] in libraries for name in imports(file))
    }


def folder_of(name: str) -> str | None:
    """The folder of the module that ``name`` is, or is a name in; None for other people's
    modules and for ``sightline.py`` itself.
    """
    file = sources().get(name) or sources().get(name.rpartition(".")[0])
    return None if file is None or len(file.parts) == 1 else file.parent.as_posix()


def folder_imports() -> dict[str, dict[str, set[str]]]:
    """For each folder the folders that its own modules import, and which modules do so. A
    sub-folder is another folder.
    """
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name, file in sources().items():
        own = folder_of(name)
        for other in map(folder_of, imports(file)):
            if own and other and own != other:
                found[own][other].add(name)
    return found


def circle(folders: Mapping[str, Mapping[str, set[str]]]) -> list[str]:
    """One circle of folders that import each other, the first again as the last; empty when
    there is none.
    """
    done: set[str] = set()

    def follow(folder: str, path: list[str]) -> list[str]:
        if folder in path:
            return [*path[path.index(folder) :], folder]
        if folder in done:
            return []
        done.add(folder)
        return next(
            filter(None, (follow(other, [*path, folder]) for other in folders.get(folder, ()))), []
        )

    return next(filter(None, (follow(folder, []) for folder in sorted(folders))), [])


def run(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=HOME,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "command", [["-c"], ["manage.py", "shell", "--no-imports", "-c"]], ids=["python", "manage.py"]
)
def test_platform_is_the_standard_librarys(command: list[str]) -> None:
    code = (
        "import platform, sightline.urls as u; print(platform.__file__, platform.python_version(),"
        " u.__file__, sep='\\n')"
    )
    shown = (
        run(*command, code)
        if command[0] == "manage.py"
        else run(*command, code.replace("urls", "environment"))
    )

    stdlib, version, ours = shown.splitlines()
    assert Path(stdlib).parent == Path(ast.__file__).parent
    assert version == ".".join(map(str, sys.version_info[:3]))
    assert Path(ours).parent == HOME / "platform"


def test_celery_finds_the_application_and_the_standard_library() -> None:
    report = run("-m", "celery", "-A", "sightline", "report")

    assert f"py:{'.'.join(map(str, sys.version_info[:3]))}" in report
    assert "beat_schedule" in report


def test_the_ground_is_no_package_of_its_own() -> None:
    assert not (HOME / "platform" / "__init__.py").exists()


def test_folders_import_one_way() -> None:
    folders = folder_imports()
    ring = circle(folders)

    assert not ring, "\n".join(
        f"{one} imports {other} in {sorted(folders[one][other])}" for one, other in pairwise(ring)
    )


def test_a_circle_is_found() -> None:
    folders = {"a": {"b": {"a.x"}}, "b": {"c": {"b.x"}}, "c": {"b": {"c.x"}}}

    assert circle(folders) == ["b", "c", "b"]


def test_apps_stand_on_the_ground_and_on_each_other() -> None:
    """An app imports the ground's folders and the apps before it; only the roof imports all."""
    order = ("cameras", "inference", "streaming")
    ground = {folder for folder in folder_imports() if folder.startswith("platform/")} - roof()
    upwards = {
        (one, other)
        for one, others in folder_imports().items()
        for other in others
        if one not in roof()
        and (other in roof() or rank(one, order, ground) < rank(other, order, ground))
    }

    assert not upwards


def roof() -> set[str]:
    """The folders of ``platform/`` that know the apps."""
    return {
        folder
        for folder in folder_imports()
        if folder == "platform"
        or folder.startswith(("platform/site", "platform/management", "platform/front_door"))
    }


def rank(folder: str, order: tuple[str, ...], ground: set[str]) -> int:
    return (
        -1
        if folder in ground or folder.startswith("platform/")
        else order.index(folder.split("/")[0])
    )


def test_one_folder_speaks_kafka() -> None:
    clients = {
        file for file in importers("confluent_kafka") if not file.startswith("platform/kafka/")
    }

    assert not clients


def test_pictures_are_coded_in_their_families_only() -> None:
    allowed = re.compile(
        r"cameras/sources/.+\.py|inference/(runtimes/.+|imprint/drawing)\.py|streaming/hub/scaled_frame\.py"
    )

    strangers = {
        file for file in importers("av", "cv2", "simplejpeg") if not allowed.fullmatch(file)
    }

    assert strangers == {"cameras/capture/worker.py", "inference/frames/worker.py"}
    assert re.findall(r"cv2\.\w+", (HOME / "inference/frames/worker.py").read_text()) == [
        "cv2.setNumThreads"
    ]


def test_the_web_server_is_known_at_the_front_door_and_in_two_places_only() -> None:
    inside = {f"platform/front_door/{name}.py" for name in ("channel", "request", "server")}
    assert importers("twisted", "daphne") <= inside | {
        "streaming/mjpeg/backpressure.py",
        "platform/management/commands/runweb.py",
    }


def test_nothing_is_unpickled() -> None:
    assert (
        importers(
            "pickle", "cPickle", "_pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"
        )
        == set()
    )


def own_files() -> list[Path]:
    """What is written here by people, and the locks: not what is built or fetched."""
    folders = (*CHECKED, "tests", "templates", "scripts", "docs", "benchmarks", "k8s", ".ci")
    found = [*HOME.glob("*"), *(file for folder in folders for file in (HOME / folder).rglob("*"))]
    return [
        file
        for file in found
        if file.is_file() and "__pycache__" not in file.parts and file.name != ".git"
    ]


def test_no_link_is_committed() -> None:
    """A link leads to somewhere on one person's machine."""
    listed = subprocess.run(
        ["git", "ls-files", "--stage"], cwd=HOME, capture_output=True, text=True, check=True
    ).stdout
    assert [line for line in listed.splitlines() if line.startswith("120000")] == []


def test_no_file_knows_one_persons_machine() -> None:
    hosts = "|".join(
        re.escape(".".join(parts))
        for parts in (("pypi", "org"), ("pythonhosted", "org"), ("repo1", "maven"), ("npmjs", ""))
    )
    folders = r"(?<![\w/.:)\]}])/(?:home|root|work|Users)/"
    unwanted = re.compile(f"{hosts}|{folders}".encode())

    found = {
        f"{file.relative_to(HOME)}: {match[0].decode()}"
        for file in own_files()
        for match in unwanted.finditer(file.read_bytes())
    }

    assert not found


def test_a_process_without_models_does_not_load_pydantic() -> None:
    code = (
        "import os, sys, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'sightline.settings';"
        " django.setup(); import cameras.capture.worker, inference.imprint.worker;"
        " print('inference.admin' in sys.modules, 'pydantic' in sys.modules)"
    )

    assert run("-c", code).split() == ["True", "False"]
