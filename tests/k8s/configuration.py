"""Checks of ConfigMaps, secrets and accounts: what pods name is there, the settings know what
they read, and nothing that they need is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from tests.k8s.cluster import (
    OWN,
    Cluster,
    containers,
    labels_of,
    mounts_of,
    name_of,
    ports_of,
    secret_files,
    volumes_of,
)
from tests.k8s.rendering import HOME

DEPLOY = HOME / "docs" / "deploy.md"
# Without these a cluster does not work: the embedded defaults serve one machine.
NEEDED = {
    "SECRET_KEY",
    "CREDENTIAL_KEYS",
    "DATABASE_URL",
    "REDIS_URL",
    "KAFKA_BOOTSTRAP_SERVERS",
    "ALLOWED_HOSTS",
    "METRICS_PORT",
    "HTTPS",
}
DEFAULT_PORT = 8000
FILE = "_FILE"


def documented_keys() -> set[str]:
    """The keys that docs/deploy.md wants in the secret "sightline"."""
    return set(
        re.findall(r"^ *\| `([A-Z_]+)` \|", DEPLOY.read_text(encoding="utf-8"), re.MULTILINE)
    )


def secrets(cluster: Cluster) -> Mapping[str, set[str]]:
    """The secrets that there are with their keys: rendered, made by Strimzi's operators, or by
    hand as docs/deploy.md says.
    """
    found = {name_of(item): set(item.get("data", {})) for item in cluster.of("Secret")}
    found |= {name_of(user): {"password", "sasl.jaas.config"} for user in cluster.of("KafkaUser")}
    found |= {
        f"{name_of(kafka)}-cluster-ca-cert": {"ca.crt", "ca.p12", "ca.password"}
        for kafka in cluster.of("Kafka")
    }
    if cluster.name != "local":
        found |= {"sightline": documented_keys(), "sightline-tls": {"tls.crt", "tls.key"}}
    return found


def references(cluster: Cluster) -> Iterator[str]:
    """Accounts, claims, ConfigMaps and secrets that pods name are there, with the keys that are
    asked for.
    """
    there = {
        kind: cluster.names(kind)
        for kind in ("ConfigMap", "PersistentVolumeClaim", "ServiceAccount")
    }
    for name, pod in cluster.pods.items():
        named = [("ServiceAccount", pod["spec"].get("serviceAccountName", "default"))]
        named += [
            ("PersistentVolumeClaim", v["persistentVolumeClaim"]["claimName"])
            for v in volumes_of(pod)
            if "persistentVolumeClaim" in v
        ]
        for container in containers(pod):
            named += [
                ("ConfigMap", source["configMapRef"]["name"])
                for source in container.get("envFrom", [])
            ]
        yield from (
            f"{name} names the {kind} {missing}, which is not there"
            for kind, missing in named
            if missing not in there[kind]
        )
    known = secrets(cluster)
    for user, secret, key in _secret_keys(cluster):
        if key not in known.get(secret, set()):
            yield f"{user} wants {key} of the secret {secret}, which is not there"


def _secret_keys(cluster: Cluster) -> Iterator[tuple[str, str, str]]:
    for name, pod in cluster.pods.items():
        for volume in volumes_of(pod):
            yield from ((name, secret, key) for secret, key, _ in secret_files(volume))
        for container in containers(pod):
            chosen = [
                entry["valueFrom"]["secretKeyRef"]
                for entry in container.get("env", [])
                if "valueFrom" in entry
            ]
            yield from ((name, reference["name"], reference["key"]) for reference in chosen)
    for login in cluster.of("TriggerAuthentication"):
        for reference in login["spec"].get("secretTargetRef", []):
            yield name_of(login), reference["name"], reference["key"]
    for ingress in cluster.of("Ingress"):
        yield from (
            (name_of(ingress), entry["secretName"], "tls.crt")
            for entry in ingress["spec"].get("tls", [])
        )


def read_settings() -> set[str]:
    """The variables that the settings read; those of a prefix end with an underscore."""
    return set(
        re.findall(
            r"env\.\w+\(\s*\"([A-Z_]+)\"",
            (HOME / "platform" / "settings.py").read_text(encoding="utf-8"),
        )
    )


def known_settings(cluster: Cluster) -> Iterator[str]:
    """Every variable is one that the settings read."""
    known = read_settings()
    variables = {
        entry["name"]
        for pod in cluster.own_pods.values()
        for box in containers(pod)
        for entry in box.get("env", [])
    }
    for variable in sorted(variables | cluster.settings.keys()):
        name = variable.removesuffix(FILE)
        if name not in known and not any(
            name.startswith(prefix) for prefix in known if prefix.endswith("_")
        ):
            yield f"{variable} is no setting"


def needed_settings(cluster: Cluster) -> Iterator[str]:
    """All that a cluster needs is set."""
    given = {key.removesuffix(FILE) for key, value in cluster.settings.items() if value}
    yield from (f"{name} is not set" for name in sorted(NEEDED - given))


def setting_files(cluster: Cluster) -> Iterator[str]:
    """The files that settings name are there in each container that reads the settings."""
    named = {
        key: value for key, value in cluster.settings.items() if key.endswith((FILE, "_LOCATION"))
    }
    for name, pod in cluster.own_pods.items():
        files = {
            volume["name"]: {path for _, _, path in secret_files(volume)}
            for volume in volumes_of(pod)
        }
        there: dict[str, set[str]] = {container["name"]: set() for container in containers(pod)}
        for container, mount in mounts_of(pod):
            there[container["name"]] |= {
                f"{mount['mountPath']}/{path}" for path in files.get(mount["name"], ())
            }
        for container in containers(pod):
            missing = {key for key, path in named.items() if path not in there[container["name"]]}
            if missing and container.get("envFrom"):
                yield (
                    f"{name} does not have the files of {sorted(missing)} in its container"
                    f" {container['name']}"
                )


def ports(cluster: Cluster) -> Iterator[str]:
    """Processes listen where their pods say."""
    expected = {
        "metrics": int(cluster.settings.get("METRICS_PORT", 0)),
        "http": int(cluster.settings.get("PORT", DEFAULT_PORT)),
    }
    for name, pod in cluster.own_pods.items():
        for port, number in ports_of(pod).items():
            if number != expected.get(port):
                yield (
                    f"the port {port} of {name} is {number}, but the settings say"
                    f" {expected.get(port)}"
                )


def parts(cluster: Cluster) -> Iterator[str]:
    """Sightline's pods carry the labels by which policies, monitors and people find them."""
    for name in OWN:
        labels = labels_of(cluster.pods[name])
        if (
            labels.get("app.kubernetes.io/part-of") != "sightline"
            or labels.get("app.kubernetes.io/component") != name
        ):
            yield f"the pods of {name} do not say what they are"


CHECKS = (references, known_settings, needed_settings, setting_files, ports, parts)
