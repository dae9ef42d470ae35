"""The manifests on a real Kubernetes: its API server accepts them all, and the overlay for one
node runs. Run by `make test-cluster`.
"""

from __future__ import annotations

import copy
import json
import logging
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.cluster.node import Node
from tests.faults.streams import longest_gap
from tests.faults.watcher import Watcher
from tests.k8s.cluster import Manifest
from tests.k8s.custom import SCHEMAS
from tests.k8s.rendering import OVERLAYS, overlay
from tests.servers.ports import free_port
from tests.servers.proxy import FaultProxy
from tests.servers.stack import Operator
from tests.servers.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.xdist_group("cluster")]

log = logging.getLogger(__name__)
NAMESPACE = "sightline"
GAP_SECONDS = 10.0
CAMERA = "conveyor"
MODEL = "qr"


@dataclass(frozen=True)
class Site:
    """Sightline on the cluster, as browsers reach it."""

    node: Node
    operator: Operator
    port: int

    def kubectl(self, *arguments: str) -> str:
        return self.node.kubectl("--namespace", NAMESPACE, *arguments)

    def watching(self) -> Watcher:
        """Somebody who looks at the camera; a context manager."""
        return Watcher(self.operator, CAMERA, port=self.port)

    def pods(self, component: str) -> list[Manifest]:
        """The pods of one service that nobody has asked to end."""
        found = self.node.get(
            "--namespace",
            NAMESPACE,
            "pods",
            "--selector",
            f"app.kubernetes.io/component={component}",
        )["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


@contextmanager
def told(node: Node) -> Iterator[None]:
    """Say what the cluster says when something fails."""
    try:
        yield
    except (AssertionError, TimeoutError) as err:
        parts = (
            ["get", "pods", "--output", "wide"],
            ["get", "events"],
            ["logs", "--selector", "app.kubernetes.io/part-of=sightline", "--tail", "20"],
        )
        raise AssertionError(
            "\n".join(
                [str(err), *(node.kubectl("--namespace", NAMESPACE, *part) for part in parts)]
            )
        ) from err


@pytest.fixture(scope="module")
def namespace(node: Node) -> Iterator[str]:
    """The namespace as the overlays have it: pods that are not restricted are refused in it. And
    a warning for whatever would make such pods.
    """
    made = copy.deepcopy(overlay("local").named("Namespace", NAMESPACE))
    made["metadata"]["labels"]["pod-security.kubernetes.io/warn"] = "restricted"
    node.kubectl("apply", "--filename", "-", documents=[made])
    yield NAMESPACE
    # kubelet takes down what it has set up, wires and mounts, while it runs.
    node.kubectl("delete", "namespace", NAMESPACE, "--timeout=120s")


@pytest.fixture(scope="module")
def definitions(node: Node) -> None:
    """The custom resources of others, as they publish them."""
    made = [definition(file) for file in sorted(SCHEMAS.glob("*.json"))]
    node.kubectl("apply", "--server-side", "--filename", "-", documents=made)
    node.kubectl(
        "wait", "--for=condition=Established", "customresourcedefinition", "--all", "--timeout=60s"
    )


def definition(file: Path) -> Manifest:
    """A CustomResourceDefinition of a file of tests/k8s/schemas."""
    group, version, kind = file.stem.split("_")
    schema = json.loads(file.read_text(encoding="utf-8"))
    plural = f"{kind.lower()}s"
    served = {
        "name": version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        # Names below k8s.io are protected.
        "metadata": {
            "name": f"{plural}.{group}",
            "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
        },
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": [served],
        },
    }


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_api_server_accepts_each_overlay(
    node: Node, namespace: str, definitions: None, name: str
) -> None:
    documents = [item for item in overlay(name).items if item["kind"] != "Namespace"]
    done = node.kubectl(
        "apply",
        "--server-side",
        "--dry-run=server",
        "--validate=strict",
        "--filename",
        "-",
        documents=documents,
    )
    assert len(done.splitlines()) == len(documents)


def test_the_api_server_refuses_what_is_wrong(
    node: Node, namespace: str, definitions: None
) -> None:
    """The test above can fail: each of these is one that other validators let pass, or nobody
    but Kubernetes knows.
    """
    web = overlay("local").named("Deployment", "web")
    container = web["spec"]["template"]["spec"]["containers"][0]
    wrong = {
        "spec.template.spec.containers[0].volumeMounts": {
            **container,
            "volumeMounts": [{"name": "nowhere", "mountPath": "/nowhere"}],
        },
        "would violate PodSecurity": {**container, "securityContext": {}},
        "must be less than or equal to": {
            **container,
            "resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}},
        },
    }
    for words, changed in wrong.items():
        pod = {
            **web["spec"]["template"],
            "spec": {**web["spec"]["template"]["spec"], "containers": [changed]},
        }
        with pytest.raises(AssertionError, match=re.escape(words)):
            node.kubectl(
                "apply",
                "--dry-run=server",
                "--filename",
                "-",
                documents=[{**web, "spec": {**web["spec"], "template": pod}}],
            )


@pytest.fixture(scope="module")
def site(
    node: Node,
    namespace: str,
    images: None,
    checkout: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """The overlay for one node, by the words of docs/deploy.md, once all is available."""
    # A cluster of one node brings a class of storage with it; here it is one folder.
    media = tmp_path_factory.mktemp("media")
    media.chmod(0o777)
    volume = {
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "media"},
        "spec": {
            "capacity": {"storage": "5Gi"},
            "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": str(media)},
        },
    }  # fmt: skip
    node.kubectl("apply", "--filename", "-", documents=[volume])
    with ExitStack() as running, told(node):
        node.shell("kubectl apply -k k8s/overlays/local", checkout)
        node.shell(
            f"kubectl -n {NAMESPACE} wait --for=condition=Available deployment --all --timeout 5m"
        )
        node.shell(f"kubectl -n {NAMESPACE} wait --for=condition=Complete job/prepare --timeout 1m")
        service = node.get("--namespace", NAMESPACE, "service", "web")["spec"]["clusterIP"]
        link = running.enter_context(FaultProxy(80, host=service))
        operator = Operator(f"http://127.0.0.1:{link.port}").log_in("admin", "sightline")
        with told(node):
            yield Site(node, operator, link.port)


def test_a_frame_goes_through_kafka_to_a_model_and_to_the_wall(site: Site) -> None:
    with site.watching() as watcher, told(site.node):
        watcher.wait_fresh(CAMERA, time.monotonic())
        watcher.wait_told("predictions", 0.0, 60, camera=CAMERA, model=MODEL)


def test_nothing_had_to_be_started_twice(site: Site) -> None:
    pods = site.node.get(
        "--namespace", NAMESPACE, "pods", "--selector", "app.kubernetes.io/part-of=sightline"
    )["items"]
    restarts = {
        pod["metadata"]["name"]: sum(
            status["restartCount"] for status in pod["status"]["containerStatuses"]
        )
        for pod in pods
    }
    assert restarts == dict.fromkeys(restarts, 0)


@pytest.mark.parametrize("component", ["capture", "infer", "web"])
def test_a_rolling_update_leaves_a_short_gap(site: Site, component: str) -> None:
    before = {pod["metadata"]["name"] for pod in site.pods(component)}
    with site.watching() as watcher, told(site.node):
        watcher.wait_fresh(CAMERA, time.monotonic())
        watcher.wait_told("predictions", 0.0, 60, camera=CAMERA, model=MODEL)
        began = time.monotonic()
        site.kubectl("rollout", "restart", f"deployment/{component}")
        site.kubectl("rollout", "status", f"deployment/{component}", "--timeout", "3m")
        wait_until(lambda: len(site.pods(component)) == 1, 60, "the old pod to go")
        healed = time.monotonic()
        watcher.wait_fresh(CAMERA, healed)
        watcher.wait_told("predictions", healed, 60, camera=CAMERA, model=MODEL)
        pictures = [frame.at for frame in watcher.seen(CAMERA)]
        predictions = [
            message.at for message in watcher.messages("predictions", camera=CAMERA, model=MODEL)
        ]
        gaps = [
            longest_gap(moments, began, time.monotonic()) for moments in (pictures, predictions)
        ]
    assert before.isdisjoint(pod["metadata"]["name"] for pod in site.pods(component))
    log.info("%s: the longest gap of pictures %.1f s, of predictions %.1f s", component, *gaps)
    assert max(gaps) <= GAP_SECONDS


@pytest.mark.parametrize("component", ["capture", "infer", "web", "kafka", "redis"])
def test_a_pod_that_is_lost_is_replaced_and_all_goes_on(site: Site, component: str) -> None:
    """At once, as when its node is lost: nothing is asked to end in good order."""
    selector = (
        f"sightline.io/service={component}"
        if component in {"kafka", "redis"}
        else f"app.kubernetes.io/component={component}"
    )
    with site.watching() as watcher, told(site.node):
        watcher.wait_fresh(CAMERA, time.monotonic())
        site.kubectl("delete", "pod", "--selector", selector, "--grace-period=0", "--force")
        lost = time.monotonic()
        site.kubectl("wait", "--for=condition=Available", "deployment", "--all", "--timeout", "3m")
        watcher.wait_fresh(CAMERA, lost, timeout=120)
        watcher.wait_told("predictions", time.monotonic(), 120, camera=CAMERA, model=MODEL)
        log.info(
            "%s: pictures and predictions are back %.1f s after the loss",
            component,
            time.monotonic() - lost,
        )


def test_each_process_ends_in_good_order(site: Site) -> None:
    """Asked by kubelet, within the grace period, with status 0: kubelet notes how a container
    ended that it starts again.
    """
    for component in ("web", "capture", "infer", "records", "imprint", "jobs", "beat"):
        (pod,) = site.pods(component)
        name = pod["metadata"]["name"]
        site.kubectl("exec", name, "--", "sh", "-c", "kill -TERM 1")

        def ended(name: str = name) -> list[int]:
            statuses = site.node.get("--namespace", NAMESPACE, "pod", name)["status"][
                "containerStatuses"
            ]
            return [
                status["lastState"]["terminated"]["exitCode"]
                for status in statuses
                if "terminated" in status.get("lastState", {})
            ]

        assert wait_until(ended, 60, f"{component} to end") == [0]


def test_pages_are_reached_by_the_command_of_the_document(site: Site) -> None:
    """`kubectl port-forward`, as docs/deploy.md says, but with a free port."""
    port = free_port()
    with site.node.forwarding(f"--namespace={NAMESPACE}", "service/web", f"{port}:80"):
        assert requests.get(f"http://localhost:{port}/healthz", timeout=10).status_code == 200
