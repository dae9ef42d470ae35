"""Virtual environments of the model servers: made with uv on first use, kept under .cache/venvs
of the project.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

DEBIAN_PYTHON = "/usr/bin/python3"
# Triton's stub is linked to the shared libpython3.x: Debian's, so that only Debian's standard
# library fits.
BASES = {
    "mlserver": sys.executable,
    "kserve": sys.executable,
    "tfserving": sys.executable,
    "triton": DEBIAN_PYTHON,
}
HERE = Path(__file__).parent
CACHE = Path(__file__).parents[3] / ".cache" / "venvs"
INSTALL_TIMEOUT = 1200.0


def python_of(name: str) -> Path:
    """The Python of the environment that holds requirements-<name>.txt; half a minute when it is
    not there yet.

    A changed file, or another Python, makes another environment. Raises CalledProcessError when
    uv fails; its own messages are on standard error.
    """
    base = BASES[name]
    inputs = [HERE / f"requirements-{name}.txt", *HERE.glob(f"overrides-{name}.txt")]
    folder = CACHE / f"{name}-{_digest(inputs, base)}"
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE, prefix=f"{name}-making-") as scratch:
            made = Path(scratch) / "venv"
            _install(made, inputs, base)
            publish(made, folder)
    return folder / "bin" / "python"


def publish(made: Path, folder: Path) -> None:
    """Gives a finished folder its name, at once; when another test run was faster, that run's
    stays.
    """
    try:
        made.rename(folder)
    except OSError:
        if not folder.exists():
            raise


def _digest(inputs: list[Path], base: str) -> str:
    version = subprocess.run([base, "-VV"], check=True, capture_output=True, timeout=30).stdout
    return hashlib.sha256(
        b"\0".join([version, *(path.read_bytes() for path in inputs)])
    ).hexdigest()[:12]


def _install(folder: Path, inputs: list[Path], base: str) -> None:
    requirements, *overrides = inputs
    extra = [argument for path in overrides for argument in ("--overrides", path)]
    _uv("venv", "--python", base, folder)
    _uv("pip", "install", "--python", folder / "bin" / "python", "-r", requirements, *extra)


def _uv(*arguments: str | Path) -> None:
    subprocess.run(
        [_uv_program(), "--quiet", *arguments],
        check=True,
        stdin=subprocess.DEVNULL,
        timeout=INSTALL_TIMEOUT,
    )


def _uv_program() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise FileNotFoundError(
            "The model servers of the tests are installed with uv, which is not here: pip"
            " install uv"
        )
    return found


def main() -> None:
    """Installs all of them at once, so that no test waits for a download: python -m
    tests.servers.models.venvs
    """
    with ThreadPoolExecutor(len(BASES)) as pool:
        list(pool.map(python_of, BASES))


if __name__ == "__main__":
    main()
