"""The programs of a Kubernetes cluster, built from their Go modules by kubernetes/go.mod, once,
into .cache/kubernetes (10 minutes on two cores).
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

MODULE = Path(__file__).with_name("kubernetes")
SOURCES = ("go.mod", "go.sum", "dns/main.go")
CACHE = Path(__file__).parents[2] / ".cache" / "kubernetes"
BUILD_SECONDS = 3600
VERSION = "k8s.io/component-base/version"


def binaries() -> Path:
    """The folder with them. Raises CalledProcessError when Go fails; its own messages are on
    standard error.
    """
    sources = {name: (MODULE / name).read_bytes() for name in SOURCES}
    folder = CACHE / hashlib.sha256(b"\0".join(sources.values())).hexdigest()[:12]
    if not folder.exists():
        scratch = folder.with_suffix(".part")
        shutil.rmtree(scratch, ignore_errors=True)
        environment = {
            **os.environ,
            "GOBIN": str(scratch),
            "GOFLAGS": "-buildvcs=false",
            "CGO_ENABLED": "0",
        }
        command = [
            "go",
            "install",
            "-trimpath",
            "-ldflags",
            _version(sources["go.mod"].decode()),
            "tool",
            "./dns",
        ]
        subprocess.run(command, cwd=MODULE, env=environment, check=True, timeout=BUILD_SECONDS)
        scratch.rename(folder)
    return folder


def _version(module: str) -> str:
    """Linker flags: Kubernetes' programs refuse to work together unless each knows its version."""
    found = re.search(r"k8s\.io/kubernetes (v(\d+)\.(\d+)\.\d+)", module)
    assert found
    names = {"gitVersion": found[1], "gitMajor": found[2], "gitMinor": found[3]}
    return " ".join(["-s -w", *(f"-X {VERSION}.{name}={value}" for name, value in names.items())])
