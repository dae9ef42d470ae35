"""The documents say what the code does: nothing of it is missing there, and what they name exists."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from django.core.management import get_commands

from inference.runtimes import RUNTIMES
from sightline import topics
from sightline.messages import CameraState
from sightline.roles import ROLES

HOME = Path(__file__).resolve().parent.parent
DOCUMENTS = ("README.md", "CHANGELOG.md", *(str(path.relative_to(HOME)) for path in sorted((HOME / "docs").glob("*.md"))))
READERS = {"text", "number", "flag", "checked", "checked_items", "choice", "items", "prefixed"}
NAMES_OF_THEIR_OWN = {"SIGHTLINE_HEARTBEAT_FD", "DJANGO_SETTINGS_MODULE"}


def read(name: str) -> str:
    return (HOME / name).read_text(encoding="utf-8")


def calls(file: str) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(read(file))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            yield ast.unparse(node.func), node


def variables() -> set[str]:
    """Every environment variable that the settings and the commands read; a prefix ends with an underscore."""
    found = set()
    for file in ("platform/settings.py", *(str(path.relative_to(HOME)) for path in (HOME / "platform/management/commands").glob("*.py"))):
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
            variable, default, *_ = (eval(ast.unparse(argument)) for argument in call.args)  # literals and their products
            yield variable, default


def topic_names() -> Iterator[str]:
    """The name of every topic and group, with ``<camera>`` and the like where a name of the user's stands."""
    for name, function in inspect.getmembers(topics, inspect.isfunction):
        signature = inspect.signature(function)
        if not name.startswith("_") and (signature.return_annotation == "Topic" or name.endswith("_group")):
            made = function(*(f"<{parameter}>" for parameter in signature.parameters))
            yield getattr(made, "name", made)


def failures() -> Iterator[str]:
    """Every sentence that a source of pictures gives for its failure, with an ellipsis where something is filled in."""
    for path in sorted((HOME / "cameras/sources").glob("*.py")):
        for name, call in calls(str(path.relative_to(HOME))):
            if name.rpartition(".")[2] in ("unreachable", "SourceError"):
                yield from (sentence for argument in call.args if (sentence := template(argument)))


def template(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(template(part) or "…" for part in node.values)
    return str(node.value) if isinstance(node, ast.Constant) else ""


def code(document: str) -> str:
    """What stands in code blocks and between back-ticks."""
    blocks = re.findall(r"```.*?\n(.*?)```", document, re.DOTALL)
    return "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", document, flags=re.DOTALL))])


def missing(wanted: Iterable[str], document: str) -> list[str]:
    text = read(document)
    return [item for item in wanted if item not in text]


def test_every_variable_is_in_the_settings() -> None:
    rows = [f"| `{name}*` |" if name.endswith("_") else f"| `{name}` |" for name in sorted(variables())]

    assert len(rows) > 20
    assert not missing(rows, "docs/settings.md")


def test_the_defaults_of_numbers_are_in_the_settings() -> None:
    rows = [f"| `{name}` | {default} |" for name, default in whole_numbers()]

    assert len(rows) > 5
    assert not missing(rows, "docs/settings.md")


def test_the_settings_name_no_variable_that_nobody_reads() -> None:
    named = set(re.findall(r"^\| `([A-Z_]+)\*?` \|", read("docs/settings.md"), re.MULTILINE))

    assert named <= variables() | {"KAFKA_SECURITY_PROTOCOL"}


@pytest.mark.parametrize("name", RUNTIMES)
def test_every_option_of_a_runtime_is_in_the_models(name: str) -> None:
    section = re.search(rf"^### `{name}`\n(.*?)(^##|\Z)", read("docs/models.md"), re.MULTILINE | re.DOTALL)
    assert section, f"docs/models.md has no section on {name}"
    options = fields(RUNTIMES[name].load().Options)
    rows = [f"| `{item.name}` | {item.default:g} | {item.metadata['low']:g} to {item.metadata['high']:g} |" for item in options]

    assert not [row for row in rows if row not in section[1]]
    assert section[1].count("| `") == len(rows)


def test_every_state_is_in_the_cameras() -> None:
    assert not missing((f"| `{state}` |" for state in CameraState), "docs/cameras.md")


def test_the_cameras_use_the_words_of_the_wall() -> None:
    states = read("streaming/static/sightline/js/states.js").split("const SILENT")[0]
    hints = re.findall(r'hint: "(.+)"', states)

    assert len(hints) >= len(CameraState) - 2  # live and degraded need none
    assert not missing(hints, "docs/cameras.md")


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
    roles = {role for line in re.findall(r"runworkers((?: [a-z]+)+)", shown) for role in line.split()}

    assert set(re.findall(r"\bmake ([a-z][a-z-]*)", shown)) <= targets
    assert set(re.findall(r"manage\.py ([a-z][a-z_]*)", shown)) <= {*get_commands(), "help"}
    assert roles <= ROLES.keys()
