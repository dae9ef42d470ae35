"""Every check finds what it is there for: one thing is changed in an overlay that is right, and
the check must say so.
"""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest

from tests.k8s import configuration, custom, kafka, network, pods
from tests.k8s.cluster import Cluster, name_of
from tests.k8s.rendering import overlay
from tests.k8s.test_manifests import CHECKS, Check

pytestmark = pytest.mark.xdist_group("manifests")

GONE: Final = object()
LABELS = ("metadata", "labels")
POD = ("spec", "template", "spec")
POD_LABELS = ("spec", "template", *LABELS)
MAIN = (*POD, "containers", 0)
COMPONENT = "app.kubernetes.io/component"
STRIMZI_CLUSTER = "strimzi.io/cluster"


@dataclass(frozen=True)
class Change:
    """One value of one resource, set or taken away; ``resource`` is ``Kind/name``, without the
    hash that kustomize puts behind a name.
    """

    check: Check
    resource: str
    path: tuple[str | int, ...]
    value: Any = GONE
    overlay: str = "production"

    def __str__(self) -> str:
        done = "gone" if self.value is GONE else self.value
        return f"{self.check.__name__}: {self.resource} {'.'.join(map(str, self.path[-2:]))} {done}"

    def applied(self) -> Cluster:
        """The overlay with the change."""
        cluster = overlay(self.overlay)
        kind, _, name = self.resource.partition("/")
        [target] = [
            item
            for item in cluster.of(kind)
            if re.fullmatch(rf"{re.escape(name)}(-[a-z0-9]{{10}})?", name_of(item))
        ]
        changed = deepcopy(target)
        if not self.path:
            return replace(
                cluster, items=tuple(item for item in cluster.items if item is not target)
            )
        *way, last = self.path
        place: Any = changed
        for step in way:
            place = place[step]
        if self.value is GONE:
            del place[last]
        else:
            place[last] = self.value
        return replace(
            cluster, items=tuple(changed if item is target else item for item in cluster.items)
        )


CHANGES = (
    # Pods, and what points to them.
    Change(
        pods.selectors,
        "Deployment/infer",
        ("spec", "selector", "matchLabels", COMPONENT),
        "records",
    ),
    Change(pods.selectors, "Deployment/infer", ("spec", "selector", "matchLabels", COMPONENT)),
    Change(
        pods.selectors,
        "Deployment/web",
        (*POD, "topologySpreadConstraints", 0, "labelSelector", "matchLabels", COMPONENT),
        "infer",
    ),
    Change(
        pods.selectors,
        "Deployment/web",
        (*POD, "topologySpreadConstraints", 0, "matchLabelKeys"),
        ["component"],
    ),
    Change(pods.services, "Service/web", ("spec", "selector", COMPONENT), "wep"),
    Change(pods.services, "Service/web", ("spec", "ports", 0, "targetPort"), "https"),
    Change(pods.services, "Service/web", ("spec", "ports", 0, "name"), "https"),
    Change(
        pods.services,
        "Ingress/web",
        ("spec", "rules", 0, "http", "paths", 0, "backend", "service", "name"),
        "wall",
    ),
    Change(pods.hosts, "Ingress/web", ("spec", "rules", 0, "host"), "wall.example.org"),
    Change(pods.hosts, "Ingress/web", ("spec", "tls"), []),
    Change(
        pods.hosts,
        "ConfigMap/sightline",
        ("data", "CSRF_TRUSTED_ORIGINS"),
        "http://sightline.example.org",
    ),
    Change(pods.probes, "Deployment/capture", (*MAIN, "livenessProbe")),
    Change(
        pods.probes, "Deployment/capture", (*MAIN, "readinessProbe", "httpGet", "path"), "/ready"
    ),
    Change(pods.probes, "Deployment/web", (*MAIN, "livenessProbe", "httpGet", "path"), "/metrics"),
    Change(pods.probes, "Deployment/capture", (*MAIN, "startupProbe", "httpGet", "port"), "health"),
    Change(pods.probes, "PodMonitor/sightline", ("spec", "podMetricsEndpoints", 0, "port"), "http"),
    Change(
        pods.probes, "PodMonitor/sightline", ("spec", "selector", "matchLabels", COMPONENT), "web"
    ),
    Change(pods.volumes, "Deployment/infer", (*POD, "volumes", 0, "name"), "models"),
    Change(pods.volumes, "Deployment/infer", (*MAIN, "volumeMounts", 0, "mountPath"), "/tmp"),
    Change(pods.resources, "Deployment/infer", (*MAIN, "resources", "requests", "memory"), "3Gi"),
    Change(pods.resources, "Deployment/infer", (*MAIN, "resources", "limits", "memory")),
    Change(pods.resources, "Job/prepare", (*MAIN, "resources", "requests", "cpu")),
    Change(pods.restricted, "Deployment/tfserving", (*POD, "securityContext", "runAsNonRoot")),
    Change(pods.restricted, "Deployment/tfserving", (*POD, "automountServiceAccountToken"), True),
    Change(
        pods.restricted,
        "Deployment/web",
        (*MAIN, "securityContext", "capabilities"),
        {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
    ),
    Change(
        pods.restricted,
        "Deployment/web",
        (*MAIN, "securityContext", "readOnlyRootFilesystem"),
        False,
    ),
    Change(
        pods.restricted,
        "Namespace/sightline",
        (*LABELS, "pod-security.kubernetes.io/enforce"),
        "baseline",
    ),
    Change(
        pods.budgets,
        "PodDisruptionBudget/web",
        ("spec", "selector", "matchLabels", COMPONENT),
        "wep",
    ),
    Change(pods.budgets, "PodDisruptionBudget/web", ("spec", "maxUnavailable"), 0),
    Change(pods.commands, "Deployment/capture", (*MAIN, "args", 3), "infer"),
    Change(pods.commands, "Deployment/jobs", (*MAIN, "args", 3), "beat"),
    Change(
        pods.commands, "Job/prepare", (*MAIN, "args"), ["python", "manage.py", "prepare", "--all"]
    ),
    Change(pods.commands, "Deployment/web", (*MAIN, "command"), ["python", "manage.py", "runweb"]),
    Change(pods.grace, "Deployment/capture", (*POD, "terminationGracePeriodSeconds"), 15),
    Change(pods.grace, "Deployment/jobs", (*POD, "terminationGracePeriodSeconds")),
    Change(pods.grace, "Deployment/web", (*MAIN, "lifecycle", "preStop", "sleep", "seconds"), 15),
    Change(
        pods.rollout,
        "Deployment/capture",
        ("spec", "strategy", "rollingUpdate", "maxUnavailable"),
        1,
    ),
    Change(pods.rollout, "Deployment/capture", ("spec", "minReadySeconds"), 0),
    Change(pods.rollout, "Deployment/beat", ("spec", "strategy"), {"type": "RollingUpdate"}),
    Change(
        pods.images, "Deployment/infer", (*MAIN, "image"), "registry.example.org/sightline:0.0.9"
    ),
    Change(pods.images, "Deployment/tfserving", (*MAIN, "image"), "tensorflow/serving"),
    Change(
        pods.images, "Deployment/kafka", (*MAIN, "image"), "apache/kafka:4.0.0", overlay="local"
    ),
    # Configuration.
    Change(configuration.references, "PersistentVolumeClaim/media", ()),
    Change(configuration.references, "ServiceAccount/infer", ()),
    Change(
        configuration.references,
        "Deployment/infer",
        (*MAIN, "envFrom", 0, "configMapRef", "name"),
        "sightline",
    ),
    Change(
        configuration.references,
        "Deployment/infer",
        (*POD, "volumes", 3, "secret", "items", 0, "key"),
        "SECRET",
    ),
    Change(configuration.references, "Ingress/web", ("spec", "tls", 0, "secretName"), "web-tls"),
    Change(configuration.references, "KafkaUser/sightline-kafka", ("metadata", "name"), "capture"),
    Change(
        configuration.references, "Secret/sightline", ("data", "ADMIN_PASSWORD"), overlay="local"
    ),
    Change(configuration.known_settings, "ConfigMap/sightline", ("data", "FRAME_RETENTION"), "60"),
    Change(configuration.needed_settings, "ConfigMap/sightline", ("data", "REDIS_URL_FILE")),
    Change(
        configuration.needed_settings,
        "ConfigMap/sightline",
        ("data", "KAFKA_BOOTSTRAP_SERVERS"),
        "",
    ),
    Change(
        configuration.setting_files,
        "ConfigMap/sightline",
        ("data", "SECRET_KEY_FILE"),
        "/run/secrets/secret_key",
    ),
    Change(
        configuration.setting_files,
        "Deployment/infer",
        (*POD, "initContainers", 0, "volumeMounts"),
        [],
    ),
    Change(configuration.ports, "ConfigMap/sightline", ("data", "METRICS_PORT"), "9101"),
    Change(configuration.ports, "Deployment/web", (*MAIN, "ports", 0, "containerPort"), 8080),
    Change(configuration.parts, "Deployment/records", (*POD_LABELS, "app.kubernetes.io/part-of")),
    # Kafka and its scalers.
    Change(kafka.kafka_topics, "KafkaTopic/sightline.assignments", ("spec", "partitions"), 32),
    Change(
        kafka.kafka_topics,
        "KafkaTopic/sightline.status",
        ("spec", "config", "cleanup.policy"),
        "delete",
    ),
    Change(
        kafka.kafka_topics, "KafkaTopic/sightline.status", ("metadata", "name"), "sightline.state"
    ),
    Change(
        kafka.kafka_sizes,
        "Kafka/kafka",
        ("spec", "kafka", "config", "replica.fetch.max.bytes"),
        1048576,
    ),
    Change(
        kafka.kafka_sizes,
        "ConfigMap/sightline",
        ("data", "KAFKA_MAX_MESSAGE_BYTES"),
        "16777216",
        overlay="local",
    ),
    Change(
        kafka.kafka_login, "ConfigMap/sightline", ("data", "KAFKA_BOOTSTRAP_SERVERS"), "kafka:9093"
    ),
    Change(
        kafka.kafka_login,
        "ConfigMap/sightline",
        ("data", "KAFKA_BOOTSTRAP_SERVERS"),
        "kafka:9093",
        overlay="local",
    ),
    Change(kafka.kafka_login, "Kafka/kafka", ("spec", "kafka", "listeners", 0, "tls"), False),
    Change(
        kafka.kafka_login, "ConfigMap/sightline", ("data", "KAFKA_SECURITY_SASL_MECHANISM"), "PLAIN"
    ),
    Change(
        kafka.kafka_login,
        "ConfigMap/sightline",
        ("data", "KAFKA_SECURITY_SASL_USERNAME"),
        "sightline",
    ),
    Change(
        kafka.kafka_rights,
        "KafkaUser/sightline-kafka",
        ("spec", "authorization", "acls", 1, "resource", "name"),
        "sightline",
    ),
    Change(kafka.kafka_rights, "KafkaNodePool/brokers", (*LABELS, STRIMZI_CLUSTER), "sightline"),
    Change(kafka.replication, "KafkaNodePool/brokers", ("spec", "replicas"), 2),
    Change(kafka.replication, "Kafka/kafka", ("spec", "kafka", "config", "min.insync.replicas"), 3),
    Change(kafka.scalers, "ScaledObject/records", ("spec", "scaleTargetRef", "name"), "record"),
    Change(kafka.scalers, "ScaledObject/records", ("spec", "maxReplicaCount"), 5),
    Change(kafka.scalers, "ScaledObject/infer", ("spec", "minReplicaCount"), 0),
    Change(kafka.scalers, "Deployment/infer", ("spec", "replicas"), 2),
    Change(kafka.scalers, "Deployment/capture", ("spec", "replicas"), 65),
    Change(
        kafka.triggers,
        "ScaledObject/records",
        ("spec", "triggers", 0, "metadata", "consumerGroup"),
        "sightline.infer.iris.1",
    ),
    Change(
        kafka.triggers,
        "ScaledObject/records",
        ("spec", "triggers", 0, "metadata", "topic"),
        "sightline.models.iris.2.inputs",
    ),
    Change(
        kafka.triggers,
        "ScaledObject/records",
        ("spec", "triggers", 0, "metadata", "bootstrapServers"),
        "kafka-kafka-bootstrap:9092",
    ),
    Change(kafka.triggers, "ScaledObject/records", ("spec", "triggers", 0, "metadata", "tls")),
    Change(kafka.triggers, "ScaledObject/records", ("spec", "triggers", 0, "authenticationRef")),
    Change(kafka.triggers, "TriggerAuthentication/kafka", ("spec", "env", 0, "name"), "KAFKA_USER"),
    Change(
        kafka.measures,
        "ScaledObject/infer",
        ("spec", "triggers", 0, "metadata", "query"),
        "rate(sightline_frames_skipped_total[2m])",
    ),
    # The network.
    Change(network.reach, "NetworkPolicy/deny", ()),
    Change(network.reach, "NetworkPolicy/deny", ("spec", "policyTypes"), ["Ingress"]),
    Change(network.reach, "NetworkPolicy/deny", ("spec", "egress"), []),
    Change(
        network.reach, "NetworkPolicy/services", ("spec", "egress", 0, "ports", 1, "port"), 9094
    ),
    Change(
        network.reach,
        "NetworkPolicy/services",
        ("spec", "podSelector", "matchLabels"),
        {"app.kubernetes.io/part-of": "sight"},
    ),
    Change(network.reach, "NetworkPolicy/from-sightline", ()),
    Change(
        network.reach,
        "NetworkPolicy/from-sightline",
        ("spec", "ingress", 0, "from", 0, "namespaceSelector"),
        {},
    ),
    Change(
        network.reach,
        "NetworkPolicy/cameras",
        ("spec", "podSelector", "matchExpressions", 0, "values"),
        ["capture", "jobs"],
    ),
    Change(network.reach, "NetworkPolicy/cameras", ("spec", "podSelector", "matchExpressions"), []),
    Change(
        network.reach,
        "NetworkPolicy/cameras",
        ("spec", "egress", 0, "to", 0, "ipBlock", "except"),
        [],
    ),
    Change(
        network.reach,
        "NetworkPolicy/models",
        ("spec", "podSelector", "matchExpressions", 0, "operator"),
        "NotIn",
    ),
    Change(
        network.reach, "NetworkPolicy/metrics", ("spec", "ingress", 0, "ports", 0, "port"), "http"
    ),
    Change(network.reach, "NetworkPolicy/web", ("spec", "ingress", 0, "from"), []),
    Change(network.reach, "NetworkPolicy/web", ("spec", "ingress", 0, "ports")),
    Change(network.reach, "NetworkPolicy/kafka-to-itself", ()),
    Change(
        network.reach,
        "NetworkPolicy/kafka-entity-operator",
        ("spec", "egress", 0, "ports"),
        [{"protocol": "TCP", "port": 8443}],
    ),
    Change(network.reach, "Deployment/capture", (*POD_LABELS, COMPONENT), "capturer"),
    Change(network.reach, "Deployment/tfserving", (*POD_LABELS, "sightline.io/service")),
    Change(
        network.reach, "Deployment/redis", (*POD_LABELS, "sightline.io/service"), overlay="local"
    ),
    # Custom resources.
    Change(custom.resources, "ScaledObject/records", ("spec", "maxReplicas"), 4),
    Change(custom.resources, "ScaledObject/records", ("spec", "scaleTargetRef")),
    Change(
        custom.resources,
        "PodMonitor/sightline",
        ("spec", "podMetricsEndpoints", 0, "interval"),
        "soon",
    ),
    Change(custom.resources, "Kafka/kafka", ("spec", "kafka", "listeners", 0, "type"), "public"),
    Change(custom.resources, "KafkaTopic/sightline.status", ("spec", "replicas"), "three"),
    Change(
        custom.resources, "KafkaUser/sightline-kafka", ("spec", "authentication", "type"), "scram"
    ),
    Change(custom.resources, "KafkaNodePool/brokers", ("apiVersion",), "kafka.strimzi.io/v1beta2"),
)


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_check_finds_what_is_wrong(change: Change) -> None:
    assert list(change.check(change.applied()))


def test_every_check_can_fail() -> None:
    assert {change.check for change in CHANGES} == set(CHECKS)
