"""Runs the fault tests one after the other and writes what they measured to docs/faults.md.

    python -m tests.faults [FILE or TEST ...] [--document PATH]

Without files all of them run, about half an hour. With some, the rows of the others stay as they
were measured last, in build/faults.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from tests.faults.table import FOLDER, Row, markdown, read

HOME = Path(__file__).resolve().parents[2]
TESTS = Path("tests/faults")
KEPT = HOME / "build" / "faults"
SECTIONS = {
    "cameras": "Cameras",
    "broker": "Kafka",
    "viewers": "Viewers",
    "models": "Models",
    "records": "Records",
    "workers": "Workers",
    "stores": "Database and Redis",
    "disk": "Disk",
    "sigterm": "Orderly ends",
}
INTRODUCTION = """\
# Faults

What happens when something breaks, measured. Each row is a test under `tests/faults/` against the
processes of `manage.py up`, a real Apache Kafka, real cameras and viewers, with a proxy between
them that breaks the network. `make faults` runs them and writes this page.

**Noticed** is how long it takes until somebody who looks at the wall is told. **Well again** counts
from the end of the fault until fresh pictures (or results) come. **Memory** is the growth of the
web, capture or inference process that grew most. The bound of each figure is in brackets; a row out
of its bound says so. A camera's password is planted in every run and looked for in all logs after
each row.

The machine: {machine}. Its load average before the run was {load:.1f}. On a busy machine the
figures grow, and rows may miss their bounds.
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tests", nargs="*", help="files or tests as pytest names them; none: all")
    parser.add_argument("--document", type=Path, default=HOME / "docs" / "faults.md")
    options = parser.parse_args()
    if not options.tests:
        shutil.rmtree(KEPT, ignore_errors=True)
    KEPT.mkdir(parents=True, exist_ok=True)
    load = os.getloadavg()[1]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-n0",
        "-m",
        "faults and not soak",
        *(options.tests or [str(TESTS)]),
    ]
    status = subprocess.run(
        command, cwd=HOME, env={**os.environ, FOLDER: str(KEPT)}, check=False
    ).returncode
    options.document.write_text(document(read(KEPT), load), encoding="utf-8")
    sys.stdout.write(f"{options.document} is written.\n")
    return status


def document(rows: dict[str, list[Row]], load: float) -> str:
    """The page, its sections in the order of SECTIONS; `load` is the load average before the
    run.
    """
    order = sorted(
        rows,
        key=lambda name: (list(SECTIONS).index(name) if name in SECTIONS else len(SECTIONS), name),
    )
    sections = [
        f"## {SECTIONS.get(name, name.capitalize())}\n\n{markdown(rows[name])}" for name in order
    ]
    return "\n".join([INTRODUCTION.format(machine=machine(), load=load), *sections])


def machine() -> str:
    """The machine in a few words, as others would need them to compare."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB of memory, {platform.system()}, Python"
        f" {platform.python_version()}"
    )


if __name__ == "__main__":
    sys.exit(main())
