"""Renders kustomize folders as ``kubectl apply -k`` would: by kubectl, or by kustomize built
from its Go module, once, into .cache/kustomize.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path

import yaml

from tests.k8s.cluster import Cluster

HOME = Path(__file__).parents[2]
K8S = HOME / "k8s"
OVERLAYS = tuple(sorted(path.parent.name for path in K8S.glob("overlays/*/kustomization.yaml")))
MODULE = "sigs.k8s.io/kustomize/kustomize/v5@v5.6.0"
BUILD_SECONDS = 600


@functools.cache
def _kustomize() -> list[str]:
    if (kubectl := shutil.which("kubectl")) is not None:
        return [kubectl, "kustomize"]
    folder = HOME / ".cache" / "kustomize"
    if not (folder / "kustomize").exists():
        subprocess.run(
            ["go", "install", MODULE],
            check=True,
            timeout=BUILD_SECONDS,
            env={**os.environ, "GOBIN": str(folder)},
        )
    return [str(folder / "kustomize"), "build"]


def rendered(folder: Path) -> str:
    """What would be applied, as YAML; AssertionError with what kustomize says when it cannot."""
    done = subprocess.run(
        [*_kustomize(), folder], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@functools.cache
def overlay_text(name: str) -> str:
    """An overlay, rendered."""
    return rendered(K8S / "overlays" / name)


def cluster_of(name: str, text: str) -> Cluster:
    """What rendered YAML makes of a cluster."""
    return Cluster(name, tuple(yaml.load_all(text, Loader=yaml.CSafeLoader)))


@functools.cache
def overlay(name: str) -> Cluster:
    """What an overlay makes of a cluster. All share it: copy what you change."""
    return cluster_of(name, overlay_text(name))
