"""What Kubernetes is told must fit together, and fit the code: the references that validators of
single resources do not follow.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.k8s import configuration, custom, kafka, network, pods
from tests.k8s.cluster import Cluster
from tests.k8s.rendering import K8S, OVERLAYS, cluster_of, overlay, rendered

# One process renders for all.
pytestmark = pytest.mark.xdist_group("manifests")

Check = Callable[[Cluster], Iterator[str]]
CHECKS: tuple[Check, ...] = (
    *pods.CHECKS,
    *configuration.CHECKS,
    *kafka.CHECKS,
    *network.CHECKS,
    *custom.CHECKS,
)


@pytest.mark.parametrize("name", OVERLAYS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_an_overlay_fits_together(name: str, check: Check) -> None:
    assert list(check(overlay(name))) == []


def test_the_overlays_are_those_that_the_documents_name() -> None:
    assert OVERLAYS == ("local", "production")


def test_a_gateway_takes_the_place_of_the_ingress(tmp_path: Path) -> None:
    """As docs/deploy.md says: the component is exchanged, and the policy names the gateway's
    namespace.
    """
    here = Path(os.path.relpath(K8S, tmp_path))
    gone = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web"},
        "$patch": "delete",
    }
    folder = {
        "resources": [str(here / "overlays" / "production")],
        "components": [str(here / "components" / "gateway")],
        "patches": [{"patch": yaml.safe_dump(gone)}],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(folder), encoding="utf-8")

    cluster = cluster_of("production", rendered(tmp_path))

    assert cluster.names("HTTPRoute") == {"web"}
    assert not cluster.names("Ingress")
    assert [problem for check in CHECKS for problem in check(cluster)] == []
