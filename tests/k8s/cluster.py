"""What a cluster is told, as plain dictionaries, and the questions that all checks ask of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Manifest = dict[str, Any]
UNITS = {"": 1.0, "m": 1e-3, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30}
# Sightline's own services, by the names of their Deployments, and the job.
SERVICES = ("web", "capture", "infer", "records", "imprint", "jobs", "beat")
OWN = (*SERVICES, "prepare")


@dataclass(frozen=True)
class Cluster:
    """The resources of one overlay."""

    name: str
    items: tuple[Manifest, ...]

    def of(self, *kinds: str) -> list[Manifest]:
        """Those of some kinds."""
        return [item for item in self.items if item["kind"] in kinds]

    def named(self, kind: str, name: str) -> Manifest:
        """The one of this kind and name; KeyError when there is none."""
        for item in self.of(kind):
            if name_of(item) == name:
                return item
        raise KeyError(f"{kind}/{name}")

    def names(self, *kinds: str) -> set[str]:
        """The names of those of some kinds."""
        return {name_of(item) for item in self.of(*kinds)}

    @property
    def pods(self) -> dict[str, Manifest]:
        """The pod templates, by the name of what makes the pods."""
        return {
            name_of(item): item["spec"]["template"]
            for item in self.of("Deployment", "StatefulSet", "Job")
        }

    @property
    def own_pods(self) -> dict[str, Manifest]:
        """Those of Sightline itself."""
        return {name: pod for name, pod in self.pods.items() if name in OWN}

    def selected(self, selector: Manifest) -> list[str]:
        """The names of what makes the pods that a label selector chooses."""
        return [name for name, pod in self.pods.items() if matches(selector, labels_of(pod))]

    @property
    def settings(self) -> dict[str, str]:
        """The environment that Sightline's pods read from ConfigMaps."""
        sources = {
            source["configMapRef"]["name"]
            for pod in self.own_pods.values()
            for box in containers(pod)
            for source in box.get("envFrom", [])
        }
        return {
            key: value
            for item in self.of("ConfigMap")
            if name_of(item) in sources
            for key, value in item["data"].items()
        }


def name_of(manifest: Manifest) -> str:
    """Its name."""
    return str(manifest["metadata"]["name"])


def labels_of(manifest: Manifest) -> dict[str, str]:
    """Its labels."""
    labels: dict[str, str] = manifest["metadata"].get("labels", {})
    return labels


def containers(pod: Manifest) -> list[Manifest]:
    """All containers of a pod template, those that run first included."""
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def main_container(pod: Manifest) -> Manifest:
    """The one that does the work."""
    container: Manifest = pod["spec"]["containers"][0]
    return container


def ports_of(pod: Manifest) -> dict[str, int]:
    """The numbers of its ports by their names."""
    return {
        port["name"]: port["containerPort"]
        for container in pod["spec"]["containers"]
        for port in container.get("ports", [])
    }


def mounts_of(pod: Manifest) -> Iterator[tuple[Manifest, Manifest]]:
    """Each container with each of its mounts."""
    for container in containers(pod):
        for mount in container.get("volumeMounts", []):
            yield container, mount


def volumes_of(pod: Manifest) -> list[Manifest]:
    """Its volumes."""
    volumes: list[Manifest] = pod["spec"].get("volumes", [])
    return volumes


def secret_files(volume: Manifest) -> list[tuple[str, str, str]]:
    """The secret, key and path of each file of a volume that is made of secrets."""
    sources = (
        [volume["secret"] | {"name": volume["secret"]["secretName"]}] if "secret" in volume else []
    )
    sources += [
        source["secret"]
        for source in volume.get("projected", {}).get("sources", [])
        if "secret" in source
    ]
    return [
        (source["name"], item["key"], item["path"])
        for source in sources
        for item in source.get("items", [])
    ]


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector chooses what has these labels."""
    plain = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return plain and all(_obeys(rule, labels) for rule in selector.get("matchExpressions", []))


def _obeys(rule: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value = labels.get(rule["key"])
    listed = value in rule.get("values", ())
    return {
        "In": listed,
        "NotIn": not listed,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[rule["operator"]]


def amount(text: object) -> float:
    """A quantity of Kubernetes as a number."""
    found = re.fullmatch(r"([\d.]+)(\w*)", str(text))
    assert found, text
    return float(found[1]) * UNITS[found[2]]
