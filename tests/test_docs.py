"""The documents say what the code does: nothing of it is missing there, and what they name
exists.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import get_commands
from pytest_django import Settings

from inference.runtimes import RUNTIMES, check
from inference.runtimes.adapters import ADAPTERS
from inference.runtimes.options import Option, options_of
from inference.runtimes.pictures.input import InputOptions
from inference.runtimes.records import RecordOptions
from inference.runtimes.servers.remote import RemoteOptions
from sightline.kafka import topics
from sightline.messages import CameraState, Cause
from sightline.site.roles import ROLES

HOME = Path(__file__).resolve().parent.parent
DOCUMENTS = (
    "README.md",
    "CHANGELOG.md",
    *(str(path.relative_to(HOME)) for path in sorted((HOME / "docs").glob("*.md"))),
)
READERS = {"text", "number", "flag", "checked", "checked_items", "choice", "items", "prefixed"}
SHARED = tuple(item.name for item in options_of(RemoteOptions))
NAMES_OF_THEIR_OWN = {"SIGHTLINE_HEARTBEAT_FD", "DJANGO_SETTINGS_MODULE"}


def read(name: str) -> str:
    return (HOME / name).read_text(encoding="utf-8")


def calls(file: str) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(read(file))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            yield ast.unparse(node.func), node


def variables() -> set[str]:
    """Every environment variable that the settings and the commands read; a prefix ends with an
    underscore.
    """
    found = set()
    for file in (
        "platform/settings.py",
        *(
            str(path.relative_to(HOME))
            for path in (HOME / "platform/management/commands").glob("*.py")
        ),
    ):
        for name, call in calls(file):
            owner, _, method = name.rpartition(".")
            reads = (owner == "env" and method in READERS) or owner == "os.environ"
            if reads and call.args and isinstance(call.args[0], ast.Constant):
                found.add(str(call.args[0].value))
    return found - NAMES_OF_THEIR_OWN


def whole_numbers() -> Iterator[tuple[str, int]]:
    """The variables that are whole numbers, with their defaults."""
    for name, call in calls("platform/settings.py"):
        if name == "env.number":
            variable, default, *_ = (
                eval(ast.unparse(argument)) for argument in call.args
            )  # literals and their products
            yield variable, default


def topic_names() -> Iterator[str]:
    """The name of every topic and group, with ``<camera>`` and the like where a name of the
    user's stands.
    """
    for name, function in inspect.getmembers(topics, inspect.isfunction):
        signature = inspect.signature(function)
        if not name.startswith("_") and (
            signature.return_annotation == "Topic" or name.endswith("_group")
        ):
            made = function(*(f"<{parameter}>" for parameter in signature.parameters))
            yield getattr(made, "name", made)


def failures() -> Iterator[str]:
    """Every sentence that a source of pictures gives for its failure, with an ellipsis where
    something is filled in.
    """
    for path in sorted((HOME / "cameras/sources").glob("*.py")):
        for name, call in calls(str(path.relative_to(HOME))):
            if name.rpartition(".")[2] in ("unreachable", "_login", "SourceError"):
                yield from (sentence for argument in call.args if (sentence := template(argument)))


def template(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(template(part) or "…" for part in node.values)
    return str(node.value) if isinstance(node, ast.Constant) else ""


def code(document: str) -> str:
    """What stands in code blocks and between back-ticks."""
    blocks = re.findall(r"```.*?\n(.*?)```", document, re.DOTALL)
    return "\n".join(
        [*blocks, *re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", document, flags=re.DOTALL))]
    )


def options(kind: type[Any], *, without: Iterable[str] = ()) -> list[Option]:
    return [item for item in options_of(kind) if item.name not in without]


def option_sections() -> Mapping[str, tuple[str, list[Option]]]:
    """The sections with tables of options, as they are headed: the document, and the options."""
    models = {
        f"`{name}`": (
            "docs/models.md" if name.startswith("builtin-") else "docs/runtimes.md",
            options(kind.load().Options, without=SHARED * kind.remote),
        )
        for name, kind in RUNTIMES.items()
    }
    adapters = {
        f"`{name}`": ("docs/runtimes.md", options(kind.load().Options))
        for name, kind in ADAPTERS.items()
    }
    around = {
        "All model servers": ("docs/runtimes.md", options(RemoteOptions)),
        "`input`": ("docs/runtimes.md", options(InputOptions)),
        "`records`": ("docs/runtimes.md", options(RecordOptions)),
    }
    return models | adapters | around


def section_of(document: str, heading: str) -> str:
    found = re.search(
        rf"^### {re.escape(heading)}\n(.*?)(^## |^### |\Z)",
        read(document),
        re.MULTILINE | re.DOTALL,
    )
    assert found, f"{document} has no section {heading}"
    return found[1]


def shown_default(option: Option) -> str:
    value = option.default
    if option.required:
        return "required"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:g}"
    return f"`{value}`" if value else "empty"


def shown_range(option: Option) -> str:
    if option.choices:
        return ", ".join(f"`{choice}`" for choice in option.choices)
    if option.counts:
        *counts, last = option.counts
        return f"{', '.join(map(str, counts))} or {last} numbers"
    if option.low is not None:
        return f"{option.low:g} to {option.high:g}"
    if isinstance(option.default, bool):
        return "true, false"
    if isinstance(option.default, str):
        return "text"
    return "labels" if option.lists_labels else "list of texts"


def missing(wanted: Iterable[str], document: str) -> list[str]:
    text = read(document)
    return [item for item in wanted if item not in text]


def test_every_variable_is_in_the_settings() -> None:
    rows = [
        f"| `{name}*` |" if name.endswith("_") else f"| `{name}` |" for name in sorted(variables())
    ]

    assert len(rows) > 20
    assert not missing(rows, "docs/settings.md")


def test_the_defaults_of_numbers_are_in_the_settings() -> None:
    rows = [f"| `{name}` | {default} |" for name, default in whole_numbers()]

    assert len(rows) > 5
    assert not missing(rows, "docs/settings.md")


def test_the_settings_name_no_variable_that_nobody_reads() -> None:
    named = set(re.findall(r"^\| `([A-Z_]+)\*?` \|", read("docs/settings.md"), re.MULTILINE))

    assert named <= variables() | {"KAFKA_SECURITY_PROTOCOL"}


@pytest.mark.parametrize("heading", option_sections())
def test_every_option_has_a_row(heading: str) -> None:
    document, wanted = option_sections()[heading]
    section = section_of(document, heading)
    rows = [f"| `{item.name}` | {shown_default(item)} | {shown_range(item)} |" for item in wanted]

    assert not [row for row in rows if row not in section]
    assert len(re.findall(r"^\| `", section, re.MULTILINE)) == len(rows)


@pytest.mark.parametrize("runtime", [name for name in RUNTIMES if not name.startswith("builtin-")])
def test_the_examples_of_options_are_accepted(runtime: str, settings: Settings) -> None:
    settings.PYTHON_MODELS = ["tests.models_for_tests.IrisModel"]
    examples = re.findall(
        r"```json\n(.*?)```", section_of("docs/runtimes.md", f"`{runtime}`"), re.DOTALL
    )

    assert examples
    for example in examples:
        check(runtime, json.loads(example))


def test_the_class_in_the_records_says_what_the_document_says() -> None:
    document = read("docs/records.md")
    [block] = re.findall(r"```python\n(.*?)```", document, re.DOTALL)
    [sent] = re.findall(r"echo '(\{.*\})' \|", document)
    names: dict[str, Any] = {}
    exec(block, names)

    said = names["IrisModel"]().predict(json.loads(sent))

    assert f"\n{json.dumps(said)}\n" in document


def test_a_class_in_the_runtimes_sees_the_dark() -> None:
    [block] = re.findall(r"```python\n(.*?)```", read("docs/runtimes.md"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(block, names)

    assert names["Darkness"]().predict(np.zeros((9, 16, 3), np.uint8)) == [
        {"label": "dark", "score": 1.0}
    ]
    assert names["Darkness"]().predict(np.full((9, 16, 3), 200, np.uint8)) == []


def test_every_state_is_in_the_cameras() -> None:
    assert not missing((f"| `{state}` |" for state in CameraState), "docs/cameras.md")


def test_the_cameras_use_the_words_of_the_wall() -> None:
    states, causes = (
        read("streaming/static/sightline/js/tile/states.js")
        .split("const SILENT")[0]
        .split("const HINTS")
    )
    hints = re.findall(r'(?:hint|command): "(.+)"', states)

    assert len(hints) >= len(CameraState) - 2  # live and degraded need none
    assert not missing(hints, "docs/cameras.md")
    by_cause = dict(re.findall(r'^  "?([\w-]+)"?: "(.+)",$', causes, re.M))
    assert by_cause.keys() <= {*Cause}
    assert not missing(by_cause.values(), "docs/cameras.md")
    assert not missing((f"`{cause}`" for cause in Cause), "docs/cameras.md")


def test_the_cameras_explain_every_failure() -> None:
    sentences = sorted(set(failures()))

    assert len(sentences) > 30
    assert not missing((f"| {sentence} |" for sentence in sentences), "docs/cameras.md")


def test_every_topic_is_in_the_architecture() -> None:
    names = list(topic_names())

    assert len(names) >= 9
    assert not missing((f"| `{name}` |" for name in names), "docs/architecture.md")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", read(document))
    relative = [link for link in links if "://" not in link]

    assert not [link for link in relative if not (HOME / document).parent.joinpath(link).exists()]


def test_the_readme_links_every_document() -> None:
    assert not missing((f"]({name})" for name in DOCUMENTS if name != "README.md"), "README.md")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_exist(document: str) -> None:
    shown = code(read(document))
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    roles = {
        role for line in re.findall(r"runworkers((?: [a-z]+)+)", shown) for role in line.split()
    }

    assert set(re.findall(r"\bmake ([a-z][a-z-]*)", shown)) <= targets
    assert set(re.findall(r"manage\.py ([a-z][a-z_]*)", shown)) <= {*get_commands(), "help"}
    assert roles <= ROLES.keys()


FILE = re.compile(r"(?<![\w/.<])((?:[\w-]+/)*[\w-]+\.(?:py|js|mjs|sh|yaml|toml))\b(?![/\w])")
MODULE = re.compile(r"\b((?:sightline|cameras|inference|streaming)(?:\.\w+)+)\b(?<!\.py)")
CLASS = re.compile(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b")
# Of other people, of a reader's own (the examples), or of what runs elsewhere.
NOT_OURS = {
    "my_models.py",
    "iris_model.py",
    "inference/runtimes/darkness.py",
    "docker-compose.yml",
}
ABOUT_THE_CODE = ("docs/architecture.md", "docs/contributing.md")


@pytest.fixture(scope="module")
def files() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=HOME,
        capture_output=True,
        text=True,
        check=True,
    )
    return [f"/{name}" for name in listed.stdout.splitlines()]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_that_are_named_exist(document: str, files: list[str]) -> None:
    named = set(FILE.findall(code(read(document)))) - NOT_OURS

    assert not {name for name in named if not any(file.endswith(f"/{name}") for file in files)}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_folders_that_are_named_exist(document: str) -> None:
    pattern = r"`((?:platform|cameras|inference|streaming|tests|templates|k8s)/(?:[\w-]+/)*)`"

    assert not {name for name in re.findall(pattern, read(document)) if not (HOME / name).is_dir()}


@pytest.mark.parametrize("document", ABOUT_THE_CODE)
def test_modules_that_are_named_exist(document: str) -> None:
    shown = code(read(document))
    named = {name for name in MODULE.findall(shown) if not is_topic_or_group(name)}

    assert not {name for name in named if not resolves(name)}


@pytest.mark.parametrize("document", ABOUT_THE_CODE)
def test_classes_that_are_named_exist(document: str) -> None:
    ours = {
        node.name
        for app in ("platform", "cameras", "inference", "streaming")
        for path in (HOME / app).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    }
    named = {name for span in spans(read(document)) for name in CLASS.findall(span)}

    assert named <= ours


def spans(document: str) -> list[str]:
    """What stands between back-ticks, without code blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", document, flags=re.DOTALL))


def is_topic_or_group(name: str) -> bool:
    """Topics and groups begin with the prefix, which is ``sightline`` by default."""
    kinds = r"cameras|models|status|assignments|infer|records|capture|imprint|viewer|events|audit"
    return bool(re.match(rf"sightline\.({kinds})\b", name))


def resolves(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    for length in range(len(name.split(".")), 0, -1):
        module, rest = name.split(".")[:length], name.split(".")[length:]
        try:
            found: Any = import_module(".".join(module))
        except ModuleNotFoundError:
            continue
        for part in rest:
            found = getattr(found, part, None)
        return found is not None
    return False
