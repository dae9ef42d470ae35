"""Measures the shape of the code: how it is divided, named and connected.

    python scripts/measure.py [FOLDER ...]

Prints one column for each checkout in FOLDER, so that a branch can be held against the commit it
started from; without any, this one. Tests, migrations and vendored files are left out. ``--doors``
also counts the functions that one frame, one prediction and one dead letter are handed to, which
takes a minute: see scripts/doors.py.
"""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
PYTHON = ("platform", "cameras", "inference", "streaming", "benchmarks", "scripts")
SCRIPTS = "streaming/static/sightline/js"
MAX_LINE = 100
SHORT = 6
Function = ast.FunctionDef | ast.AsyncFunctionDef


def measure(home: Path) -> dict[str, str]:
    """Each figure of a checkout, by what it says."""
    files = list(modules(home))
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in files}
    scripts = [file for file in (home / SCRIPTS).rglob("*.js") if "vendor" not in file.parts]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    short, single, functions = one_caller(trees.values())
    long_lines = sum(len(line) > MAX_LINE for line in lines)
    twice = {name: count for name, count in class_names(trees.values()).items() if count > 1}
    return {
        "Python modules": str(len(files)),
        "modules in the largest folder": largest_folder(home, files),
        "browser modules in the largest folder": largest_folder(home, scripts),
        "folders in circles of imports": str(len(in_circles(folder_imports(home, trees)))),
        "statements": str(sum(map(statements, trees.values()))),
        "functions": str(functions),
        "  private, with one caller": f"{single} ({single / functions:.0%})",
        f"  of them shorter than {SHORT} lines": str(short),
        f"lines over {MAX_LINE} characters": f"{long_lines} ({long_lines / len(lines):.1%})",
        "class names with several meanings": f"{len(twice)}: {', '.join(sorted(twice))}".rstrip(
            ": "
        ),
        "docstrings of four words or fewer": str(sum(map(short_docstrings, trees.values()))),
    }


def modules(home: Path) -> Iterator[Path]:
    """The Python files of a checkout outside tests and migrations."""
    yield from (home / "manage.py", home / "sightline.py")
    for file in chain.from_iterable((home / folder).rglob("*.py") for folder in PYTHON):
        if "migrations" not in file.parts and file.stat().st_size:
            yield file


def largest_folder(home: Path, files: Iterable[Path]) -> str:
    """How many files lie side by side in the fullest folder, and which it is."""
    [(folder, count)] = Counter(file.parent for file in files).most_common(1)
    return f"{count} in {folder.relative_to(home)}"


def statements(tree: ast.AST) -> int:
    """Statements without docstrings."""
    return sum(isinstance(node, ast.stmt) and not is_text(node) for node in ast.walk(tree))


def is_text(node: ast.stmt) -> bool:
    """Whether the statement is a docstring, or a string that stands alone."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def one_caller(trees: Iterable[ast.AST]) -> tuple[int, int, int]:
    """Private functions that their module names once: those shorter than ``SHORT`` lines, and all.

    And how many functions there are.
    """
    short = single = functions = 0
    for tree in trees:
        nodes = list(ast.walk(tree))
        found = [node for node in nodes if isinstance(node, Function)]
        named = Counter(node.id for node in nodes if isinstance(node, ast.Name))
        named += Counter(node.attr for node in nodes if isinstance(node, ast.Attribute))
        private = [
            item for item in found if re.match(r"_(?!_)", item.name) and named[item.name] == 1
        ]
        functions += len(found)
        single += len(private)
        short += sum(length(item) < SHORT for item in private)
    return short, single, functions


def length(function: Function) -> int:
    """Lines of the body without the docstring."""
    body = [node for node in function.body if not is_text(node)]
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def class_names(trees: Iterable[ast.AST]) -> Counter[str]:
    """How many classes there are of each name; Django finds some by theirs."""
    nodes = chain.from_iterable(map(ast.walk, trees))
    names = Counter(node.name for node in nodes if isinstance(node, ast.ClassDef))
    return Counter(
        {name: count for name, count in names.items() if name not in ("Command", "Media", "Meta")}
    )


def short_docstrings(tree: ast.AST) -> int:
    """Docstrings that can say little more than the name."""
    owners = (node for node in ast.walk(tree) if isinstance(node, Function | ast.ClassDef))
    texts = (ast.get_docstring(node) for node in owners)
    return sum(text is not None and len(text.split()) <= 4 for text in texts)


def folder_imports(home: Path, trees: Mapping[Path, ast.AST]) -> dict[str, set[str]]:
    """The folders that the modules of each folder import."""
    folders = {module_name(file.relative_to(home)): file.parent for file in trees}
    found: dict[str, set[str]] = defaultdict(set)
    for file, tree in trees.items():
        for name in imported(tree):
            folder = folders.get(name) or folders.get(name.rpartition(".")[0])
            if folder not in (None, home, file.parent):
                found[str(file.parent)].add(str(folder))
    return found


def module_name(file: Path) -> str:
    """The name that a file is imported under: ``platform/`` is ``sightline``."""
    parts = file.with_suffix("").parts
    parts = ("sightline", *parts[1:]) if parts[0] == "platform" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(tree: ast.AST) -> Iterator[str]:
    """The full names of all that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def in_circles(folders: Mapping[str, set[str]]) -> set[str]:
    """The folders that reach themselves by way of what they import."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            new = folders.get(waiting.pop(), set()) - seen
            seen |= new
            waiting += new
        return seen

    return {folder for folder in folders if folder in reached(folder)}


def doors(home: Path) -> dict[str, str]:
    """What scripts/doors.py counts in the checkout."""
    command = [sys.executable, "-m", "scripts.doors"]
    shown = subprocess.run(command, cwd=home, capture_output=True, text=True, check=True).stdout
    return dict(line.split(": ", 1) for line in shown.splitlines() if ": " in line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folders", nargs="*", type=Path, default=[HOME], metavar="FOLDER")
    parser.add_argument("--doors", action="store_true", help="also what scripts/doors.py counts")
    options = parser.parse_args()
    columns = [
        measure(folder) | (doors(folder) if options.doors else {})
        for folder in map(Path.resolve, options.folders)
    ]
    for name in columns[0]:
        print(f"{name:<40}", " | ".join(f"{column.get(name, '-'):<28}" for column in columns))


if __name__ == "__main__":
    main()
