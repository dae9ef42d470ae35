"""Who may talk to whom, computed from the NetworkPolicies as Kubernetes does: whoever a policy
speaks of may do only what policies list.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.k8s.cluster import SERVICES, Cluster, Manifest, labels_of, matches, name_of, ports_of

NAMESPACE = "sightline"
NAMESPACE_NAME = "kubernetes.io/metadata.name"


@dataclass(frozen=True)
class Peer:
    """A pod in a namespace; or, with an ``address``, a machine outside the cluster."""

    name: str
    namespace: str = NAMESPACE
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    address: str = ""


DNS = Peer("dns", "kube-system", {"k8s-app": "kube-dns"})
# Where they are, when not in Sightline's own namespace.
ELSEWHERE = {
    name: Peer(name, "databases", {"sightline.io/service": name}) for name in ("postgres", "redis")
}
PORTS = {"postgres": 5432, "redis": 6379}
PROMETHEUS = Peer("prometheus", "monitoring")
PROXY = Peer("proxy", "ingress-nginx")
STRANGER = Peer("stranger", "elsewhere", {"app.kubernetes.io/part-of": "sightline"})
CAMERA = Peer("camera", address="192.168.1.20")
METADATA = Peer("metadata", address="169.254.169.254")
API_SERVER = Peer("API server", address="10.96.0.1")
OPERATOR = Peer(
    "entity operator",
    labels={"strimzi.io/cluster": "kafka", "strimzi.io/name": "kafka-entity-operator"},
)

# Strimzi's own policy for its brokers, as its documentation describes it: the listeners are open,
# the rest is for the cluster's own pods.
STRIMZI_OWN: Manifest = {
    "metadata": {"name": "kafka-network-policy-kafka", "namespace": NAMESPACE},
    "spec": {
        "podSelector": {"matchLabels": {"strimzi.io/cluster": "kafka", "strimzi.io/kind": "Kafka"}},
        "policyTypes": ["Ingress"],
        "ingress": [
            {
                "from": [{"podSelector": {"matchLabels": {"strimzi.io/cluster": "kafka"}}}],
                "ports": [{"port": 9090}, {"port": 9091}],
            },
            {"ports": [{"port": 9093}]},
        ],
    },
}


def allowed(cluster: Cluster, source: Peer, target: Peer, port: int) -> bool:
    """Whether ``source`` can open a connection to ``port`` of ``target``."""
    policies = [*cluster.of("NetworkPolicy"), STRIMZI_OWN]
    out = _lets(policies, "Egress", source, target, target, port)
    return out and _lets(policies, "Ingress", target, source, target, port)


def _lets(
    policies: list[Manifest], direction: str, subject: Peer, other: Peer, target: Peer, port: int
) -> bool:
    mine = [
        policy["spec"]
        for policy in policies
        if not subject.address and _speaks_of(policy, direction, subject)
    ]
    if not mine:
        return True
    key, peers = ("egress", "to") if direction == "Egress" else ("ingress", "from")
    rules = [rule for spec in mine for rule in spec.get(key, [])]
    return any(
        _names_peer(rule.get(peers), other) and _names_port(rule.get("ports"), target, port)
        for rule in rules
    )


def _speaks_of(policy: Manifest, direction: str, peer: Peer) -> bool:
    spec = policy["spec"]
    return (
        peer.namespace == policy["metadata"]["namespace"]
        and direction in spec["policyTypes"]
        and matches(spec["podSelector"], peer.labels)
    )


def _names_peer(entries: list[Manifest] | None, peer: Peer) -> bool:
    return not entries or any(_is_peer(entry, peer) for entry in entries)


def _is_peer(entry: Manifest, peer: Peer) -> bool:
    if "ipBlock" in entry:
        block = entry["ipBlock"]
        within = [
            ipaddress.ip_network(network) for network in (block["cidr"], *block.get("except", []))
        ]
        address = peer.address and ipaddress.ip_address(peer.address)
        return (
            bool(address)
            and address in within[0]
            and not any(address in network for network in within[1:])
        )
    if peer.address:
        return False
    spaces = entry.get("namespaceSelector")
    at_home = (
        peer.namespace == NAMESPACE
        if spaces is None
        else matches(spaces, {NAMESPACE_NAME: peer.namespace})
    )
    return at_home and matches(entry.get("podSelector", {}), peer.labels)


def _names_port(entries: list[Manifest] | None, target: Peer, port: int) -> bool:
    return not entries or any(
        target.ports.get(entry["port"], entry["port"]) == port for entry in entries
    )


def peers(cluster: Cluster) -> dict[str, Peer]:
    """The pods that there are, and Kafka's, which Strimzi makes of a pool of nodes."""
    found = ELSEWHERE | {
        name: Peer(name, labels=labels_of(pod), ports=ports_of(pod))
        for name, pod in cluster.pods.items()
    }
    for pool in cluster.of("KafkaNodePool"):
        labels = {
            **labels_of(pool),
            "strimzi.io/kind": "Kafka",
            "strimzi.io/pool-name": name_of(pool),
            "strimzi.io/broker-role": "true",
        }
        found["kafka"] = Peer("kafka", labels=labels)
        found["operator"] = OPERATOR
    return found


def wanted(known: Mapping[str, Peer], kafka_port: int) -> Iterator[tuple[Peer, Peer, int]]:
    """What must be possible."""
    for name in (*SERVICES, "prepare"):
        yield known[name], DNS, 53
        yield known[name], known["kafka"], kafka_port
        yield from ((known[name], known[store], port) for store, port in PORTS.items())
    for name in SERVICES:
        yield PROMETHEUS, known[name], known[name].ports["metrics"]
    for name in ("capture", "jobs", "web"):
        yield known[name], CAMERA, 554
    yield PROXY, known["web"], known["web"].ports["http"]
    if "tfserving" in known:
        yield from (
            (known[name], known["tfserving"], 8500) for name in ("infer", "records", "jobs", "web")
        )
    if "operator" in known:
        yield known["kafka"], known["kafka"], 9091
        yield known["operator"], known["kafka"], 9091
        yield known["operator"], API_SERVER, 443


def unwanted(known: Mapping[str, Peer], kafka_port: int) -> Iterator[tuple[Peer, Peer, int]]:
    """What must not be possible."""
    for name in SERVICES:
        yield known[name], METADATA, 80
        yield STRANGER, known[name], known[name].ports["metrics"]
    for name in ("infer", "records", "imprint", "beat", "kafka"):
        yield known[name], CAMERA, 554
    yield STRANGER, known["web"], known["web"].ports["http"]
    yield PROXY, known["web"], known["web"].ports["metrics"]
    yield known["infer"], known["web"], known["web"].ports["http"]
    yield from (
        (STRANGER, known[name], port)
        for name, port in PORTS.items()
        if known[name].namespace == NAMESPACE
    )
    if "tfserving" in known:
        server = known["tfserving"]
        yield from ((known[name], server, 8500) for name in ("capture", "imprint", "beat"))
        yield from (
            (server, known[name], port) for name, port in (PORTS | {"kafka": kafka_port}).items()
        )
        yield STRANGER, server, 8500
        yield server, CAMERA, 554


def reach(cluster: Cluster) -> Iterator[str]:
    """Where there are policies, all that is needed is allowed, and what nobody needs is not."""
    if not cluster.of("NetworkPolicy"):
        return
    known = peers(cluster)
    kafka_port = int(cluster.settings["KAFKA_BOOTSTRAP_SERVERS"].rpartition(":")[2])
    for source, target, port in wanted(known, kafka_port):
        if not allowed(cluster, source, target, port):
            yield f"{source.name} cannot reach {target.name} at port {port}"
    for source, target, port in unwanted(known, kafka_port):
        if allowed(cluster, source, target, port):
            yield f"{source.name} can reach {target.name} at port {port}"


CHECKS = (reach,)
