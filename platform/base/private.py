"""A folder of secrets: its owner's alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_private(folder: Path, patterns: Iterable[str]) -> None:
    """Make the folder if it is missing; take from others what they may do with it, and with what
    is in it under names that match the patterns. Raises OSError if it cannot be made.

    What belongs to another user stays as it is, such as a volume whose group Kubernetes sets
    (fsGroup). So does a folder that is everybody's, such as /tmp.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not folder.stat().st_mode & stat.S_ISVTX and folder != Path(folder.anchor):
        _restrict(folder)
    for pattern in patterns:
        for path in folder.glob(pattern):
            for inner in _tree(path):
                _restrict(inner)


def _tree(path: Path) -> Iterator[Path]:
    yield path
    for parent, folders, files in os.walk(path):
        yield from (Path(parent, name) for name in (*folders, *files))


def _restrict(path: Path) -> None:
    try:
        found = path.lstat()
        if found.st_uid == os.geteuid() and not stat.S_ISLNK(found.st_mode):
            path.chmod(stat.S_IMODE(found.st_mode) & ~OTHERS)
    except FileNotFoundError:
        pass  # another process has deleted it
