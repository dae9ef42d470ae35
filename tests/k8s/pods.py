"""Checks of pods and of what points to them. Each check gives one sentence for each problem that
it finds.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from itertools import chain

import yaml
from django.core.management import get_commands, load_command_class
from django.core.management.base import CommandError

from inference.deadletters.sender import DELIVERY_SECONDS
from inference.deadletters.tasks import JOB_SECONDS
from sightline.asgi import PROBES
from sightline.site.roles import ROLES
from tests.k8s.cluster import (
    SERVICES,
    Cluster,
    Manifest,
    amount,
    containers,
    labels_of,
    main_container,
    matches,
    mounts_of,
    name_of,
    ports_of,
    volumes_of,
)
from tests.k8s.rendering import HOME

PROBE_KINDS = ("startupProbe", "livenessProbe", "readinessProbe")
# Every process ends so soon after SIGTERM, but the jobs, which end what they have begun.
END_SECONDS = 20
KUBERNETES_DEFAULT_GRACE = 30
# Its image writes its configuration when it starts.
WRITABLE_ROOT = {"kafka"}


def selectors(cluster: Cluster) -> Iterator[str]:
    """A Deployment selects its own pods and nobody else's; each pod is spread over the nodes
    among its like.
    """
    for deployment in cluster.of("Deployment"):
        chosen = cluster.selected(deployment["spec"]["selector"])
        if chosen != [name_of(deployment)]:
            yield f"Deployment {name_of(deployment)} selects the pods of {chosen}"
    for name, pod in cluster.pods.items():
        for rule in pod["spec"].get("topologySpreadConstraints", []):
            if not matches(rule["labelSelector"], labels_of(pod)):
                yield f"{name} is spread by labels that it does not have"
            if (
                missing := set(rule.get("matchLabelKeys", []))
                - labels_of(pod).keys()
                - {"pod-template-hash"}
            ):
                yield f"{name} is spread by {missing}, which it does not have"


def services(cluster: Cluster) -> Iterator[str]:
    """A Service leads to a port of one kind of pods; what comes from outside leads to a port of
    a Service.
    """
    offered: dict[str, set[object]] = {}
    for service in cluster.of("Service"):
        offered[name_of(service)] = {
            value for port in service["spec"]["ports"] for value in (port["name"], port["port"])
        }
        chosen = cluster.selected({"matchLabels": service["spec"]["selector"]})
        if len(chosen) != 1:
            yield f"Service {name_of(service)} selects the pods of {chosen}"
        for target in (port["targetPort"] for port in service["spec"]["ports"]):
            if any(target not in ports_of(cluster.pods[name]) for name in chosen):
                yield (
                    f"Service {name_of(service)} leads to the port {target}, which {chosen} does"
                    " not have"
                )
    for kind, name, service_name, port in _backends(cluster):
        if port not in offered.get(service_name, set()):
            yield (
                f"{kind} {name} leads to the port {port} of the service {service_name}, which is"
                " not there"
            )


def _backends(cluster: Cluster) -> Iterator[tuple[str, str, str, object]]:
    for ingress in cluster.of("Ingress"):
        for path in chain.from_iterable(rule["http"]["paths"] for rule in ingress["spec"]["rules"]):
            service = path["backend"]["service"]
            yield (
                "Ingress",
                name_of(ingress),
                service["name"],
                service["port"].get("name", service["port"].get("number")),
            )
    for route in cluster.of("HTTPRoute"):
        for backend in chain.from_iterable(rule["backendRefs"] for rule in route["spec"]["rules"]):
            yield "HTTPRoute", name_of(route), backend["name"], backend["port"]


def hosts(cluster: Cluster) -> Iterator[str]:
    """The host names that are routed are those that the web answers to, and over TLS."""
    allowed = cluster.settings["ALLOWED_HOSTS"].split(",")
    routed = [rule["host"] for item in cluster.of("Ingress") for rule in item["spec"]["rules"]]
    secured = [
        host
        for item in cluster.of("Ingress")
        for entry in item["spec"].get("tls", [])
        for host in entry["hosts"]
    ]
    routed += [host for item in cluster.of("HTTPRoute") for host in item["spec"]["hostnames"]]
    if cluster.of("Ingress") and set(secured) != set(routed):
        yield f"of {routed} only {secured} have a certificate"
    for host in routed:
        if host not in allowed:
            yield f"{host} is not in ALLOWED_HOSTS"
        if f"https://{host}" not in cluster.settings.get("CSRF_TRUSTED_ORIGINS", ""):
            yield f"https://{host} is not in CSRF_TRUSTED_ORIGINS"


def answered() -> dict[str, set[str]]:
    """The paths that the web answers whatever the host, and those that each process answers on
    METRICS_PORT.
    """
    handler = (HOME / "platform" / "telemetry" / "health.py").read_text(encoding="utf-8")
    return {"http": set(PROBES), "metrics": set(re.findall(r'"(/[a-z]+)": self\.', handler))}


def probes(cluster: Cluster) -> Iterator[str]:
    """Whatever goes on for ever is asked whether it lives; probes ask a port that is there,
    Sightline's a path that is answered.
    """
    for name, pod in cluster.pods.items():
        container = main_container(pod)
        if name in cluster.names("Deployment") and "livenessProbe" not in container:
            yield f"nobody asks whether {name} lives"
        for kind in PROBE_KINDS:
            if (probe := container.get(kind)) is None:
                continue
            target = probe.get("httpGet") or probe["tcpSocket"]
            if target["port"] not in ports_of(pod):
                yield f"the {kind} of {name} asks the port {target['port']}, which it does not have"
            elif name in SERVICES and target.get("path") not in answered()[target["port"]]:
                yield f"the {kind} of {name} asks for {target.get('path')}, which nobody answers"
    for monitor in cluster.of("PodMonitor"):
        for name in cluster.selected(monitor["spec"]["selector"]):
            for endpoint in monitor["spec"]["podMetricsEndpoints"]:
                if endpoint["port"] not in ports_of(cluster.pods[name]):
                    yield (
                        f"PodMonitor {name_of(monitor)} asks the port {endpoint['port']} of {name},"
                        " which it does not have"
                    )
        if missing := set(SERVICES) - set(cluster.selected(monitor["spec"]["selector"])):
            yield f"PodMonitor {name_of(monitor)} leaves out {missing}"


def volumes(cluster: Cluster) -> Iterator[str]:
    """Each mount has its volume, each volume a mount, each path one mount."""
    for name, pod in cluster.pods.items():
        there = {volume["name"] for volume in volumes_of(pod)}
        mounted = {mount["name"] for _, mount in mounts_of(pod)}
        if there != mounted:
            yield (
                f"{name}: mounted, but no volume: {mounted - there}; a volume, but not mounted:"
                f" {there - mounted}"
            )
        paths = Counter(
            (container["name"], mount["mountPath"]) for container, mount in mounts_of(pod)
        )
        yield from (f"{name} mounts twice at {path}" for path, count in paths.items() if count > 1)


def resources(cluster: Cluster) -> Iterator[str]:
    """Every container says what it needs and how much memory it may take; limits are not below
    requests.
    """
    for name, pod in cluster.pods.items():
        for container in containers(pod):
            needs, limits = (
                container["resources"].get("requests", {}),
                container["resources"].get("limits", {}),
            )
            if not {"cpu", "memory"} <= needs.keys() or "memory" not in limits:
                yield f"{name} does not say what it needs, or has no limit of memory"
            for kind, limit in limits.items():
                if amount(limit) < amount(needs.get(kind, 0)):
                    yield f"{name} asks for more {kind} than it may have"


def restricted(cluster: Cluster) -> Iterator[str]:
    """Pods fulfil the restricted Pod Security Standard, and more: no token of the API, no file
    system to write to. The namespace enforces it.
    """
    for name, pod in cluster.pods.items():
        security = pod["spec"].get("securityContext", {})
        if security.get("runAsNonRoot") is not True or security.get("seccompProfile") != {
            "type": "RuntimeDefault"
        }:
            yield f"{name} may run as root, or make any system call"
        if pod["spec"].get("automountServiceAccountToken") is not False:
            yield f"{name} is given a token of the API"
        for container in containers(pod):
            context = container.get("securityContext", {})
            if context.get("allowPrivilegeEscalation") is not False or context.get(
                "capabilities"
            ) != {"drop": ["ALL"]}:
                yield f"{name} may gain rights"
            if context.get("readOnlyRootFilesystem") is not True and name not in WRITABLE_ROOT:
                yield f"{name} may write to its file system"
    for namespace in cluster.of("Namespace"):
        if labels_of(namespace).get("pod-security.kubernetes.io/enforce") != "restricted":
            yield f"the namespace {name_of(namespace)} does not enforce the restricted standard"


def budgets(cluster: Cluster) -> Iterator[str]:
    """A PodDisruptionBudget is for one kind of pods, and lets them be moved."""
    for budget in cluster.of("PodDisruptionBudget"):
        chosen = cluster.selected(budget["spec"]["selector"])
        if len(chosen) != 1:
            yield f"PodDisruptionBudget {name_of(budget)} selects the pods of {chosen}"
        if not budget["spec"].get("maxUnavailable"):
            yield f"PodDisruptionBudget {name_of(budget)} lets no pod be moved"


def commands(cluster: Cluster) -> Iterator[str]:
    """Sightline's containers run what compose.yaml runs, or else a command that is there, under
    the image's own entry point; each role is run.
    """
    if 'ENTRYPOINT ["tini", "--"]' not in (HOME / "Dockerfile").read_text(encoding="utf-8"):
        yield "SIGTERM does not reach the processes of the image"
    composed = services_of_compose()
    roles: set[str] = set()
    for name, pod in cluster.own_pods.items():
        for container in containers(pod):
            arguments = container.get("args", [])
            if "command" in container or not (
                arguments == composed[name].get("command") or is_command(arguments)
            ):
                yield f"{name} runs {container.get('command', [])} {arguments}"
            elif "runworkers" in arguments:
                roles |= set(arguments[arguments.index("runworkers") + 1 :])
    if roles != ROLES.keys():
        yield f"these roles are run, or not, against what there is: {roles ^ ROLES.keys()}"


def is_command(arguments: list[str]) -> bool:
    """Whether manage.py takes them."""
    if (
        arguments[:2] != ["python", "manage.py"]
        or arguments[2:3] == []
        or arguments[2] not in get_commands()
    ):
        return False
    command = load_command_class("sightline", arguments[2])
    try:
        command.create_parser("manage.py", arguments[2]).parse_args(arguments[3:])
    except CommandError:
        return False
    return True


def grace(cluster: Cluster) -> Iterator[str]:
    """Nobody is killed before it has ended in good order."""
    for name in SERVICES:
        spec = cluster.pods[name]["spec"]
        needed = JOB_SECONDS + DELIVERY_SECONDS if name == "jobs" else END_SECONDS
        needed += (
            main_container({"spec": spec})
            .get("lifecycle", {})
            .get("preStop", {})
            .get("sleep", {})
            .get("seconds", 0)
        )
        if spec.get("terminationGracePeriodSeconds", KUBERNETES_DEFAULT_GRACE) < needed:
            yield f"{name} needs {needed:.0f} s to end"


def rollout(cluster: Cluster) -> Iterator[str]:
    """A new pod is there before an old one goes, and a worker has its share before the next one
    goes; of the clock there is one at any time.
    """
    for name in SERVICES:
        spec = cluster.named("Deployment", name)["spec"]
        update = spec.get("strategy", {}).get("rollingUpdate", {})
        if name == "beat":
            if spec["replicas"] != 1 or spec.get("strategy") != {"type": "Recreate"}:
                yield "there may be two clocks"
        elif update.get("maxUnavailable") != 0 or not update.get("maxSurge"):
            yield f"{name} is ended before another one is there"
        if name in ROLES and spec.get("minReadySeconds", 0) < 10:
            yield f"{name} is ended before another one has taken its share"


def release() -> str:
    """The version of the project."""
    with (HOME / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def services_of_compose() -> dict[str, Manifest]:
    """The services of compose.yaml."""
    services: dict[str, Manifest] = yaml.safe_load(
        (HOME / "compose.yaml").read_text(encoding="utf-8")
    )["services"]
    return services


def images(cluster: Cluster) -> Iterator[str]:
    """Sightline's containers are of this release's image; every image has one version, the same
    as in compose.yaml.
    """
    used = {
        name: {container["image"] for container in containers(pod)}
        for name, pod in cluster.pods.items()
    }
    own = set[str]().union(*(images for name, images in used.items() if name in cluster.own_pods))
    if {image.partition(":")[2] for image in own} != {release()} or len(own) != 1:
        yield f"Sightline's processes are of the images {sorted(own)}, the release is {release()}"
    for name, service in services_of_compose().items():
        if name in used.keys() - cluster.own_pods.keys() and used[name] != {service["image"]}:
            yield f"{name} is {used[name]}, and in compose.yaml {service['image']}"
    versions: dict[str, set[str]] = {}
    for image in set[str]().union(*used.values()):
        name, _, version = image.partition(":")
        versions.setdefault(name, set()).add(version)
    for name, found in versions.items():
        if found & {"", "latest"} or len(found) > 1:
            yield f"{name} has the versions {sorted(found)}"


CHECKS = (
    selectors,
    services,
    hosts,
    probes,
    volumes,
    resources,
    restricted,
    budgets,
    commands,
    grace,
    rollout,
    images,
)
