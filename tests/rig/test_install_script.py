"""The script that installs the tests' Debian packages is quiet when all is there, and clear when
it cannot help.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "install-test-system.sh"


def run(path: str | None = None) -> subprocess.CompletedProcess[str]:
    env = None if path is None else {"PATH": path}
    return subprocess.run(
        ["/bin/sh", SCRIPT], env=env, capture_output=True, text=True, timeout=60, check=False
    )


def test_it_says_nothing_when_nothing_is_missing() -> None:
    done = run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_it_names_what_is_missing_where_it_cannot_install(tmp_path: Path) -> None:
    for tool in ("dirname", "id", "readlink", "sed", "node"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or tool)
    done = run(path=str(tmp_path))
    assert done.returncode == 1
    assert "apt-get install --no-install-recommends chromium" in done.stderr
    assert "default-jre-headless" in done.stderr
    assert "nodejs" not in done.stderr
