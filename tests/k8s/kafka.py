"""Checks of what Kafka and its scalers are told against what the code makes of topics, groups
and sizes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import chain

from django.conf import settings

from sightline.kafka import topics
from tests.k8s.cluster import Cluster, Manifest, labels_of, main_container, name_of
from tests.k8s.rendering import HOME

BOOTSTRAP = "kafka-bootstrap"
# Of the model version that the example in components/keda scales.
EXAMPLE_PARTITIONS = 4


def _strimzi(cluster: Cluster) -> Mapping[str, Manifest]:
    return {name_of(item): item for item in cluster.of("Kafka")}


def kafka_topics(cluster: Cluster) -> Iterator[str]:
    """Strimzi makes the platform's topics as the code would."""
    if not _strimzi(cluster):
        return
    found = {name_of(item): item["spec"] for item in cluster.of("KafkaTopic")}
    for topic in topics.platform_topics():
        spec = found.pop(topic.name, None)
        made = spec and (
            spec["partitions"],
            {key: str(value) for key, value in spec["config"].items()},
        )
        if made != (topic.partitions, topic.config):
            yield (
                f"{topic.name} is made as {made}, the code makes it as"
                f" {(topic.partitions, topic.config)}"
            )
    yield from (f"nobody uses the topic {name}" for name in found)


def kafka_sizes(cluster: Cluster) -> Iterator[str]:
    """Brokers take the largest record that the code sends, and pass it on."""
    largest = int(cluster.settings["KAFKA_MAX_MESSAGE_BYTES"]) + topics.HEADER_ROOM
    for name, limits in _limits(cluster):
        if limits != [largest, largest]:
            yield f"{name} takes and passes on {limits} bytes, the code sends {largest}"


def _limits(cluster: Cluster) -> Iterator[tuple[str, list[int]]]:
    for name, kafka in _strimzi(cluster).items():
        config = kafka["spec"]["kafka"]["config"]
        yield (
            name,
            [int(config.get(key, 0)) for key in ("message.max.bytes", "replica.fetch.max.bytes")],
        )
    if (pod := cluster.pods.get("kafka")) is not None:
        variables = {item["name"]: item.get("value") for item in main_container(pod)["env"]}
        yield (
            "kafka",
            [
                int(variables.get(key) or 0)
                for key in ("KAFKA_MESSAGE_MAX_BYTES", "KAFKA_REPLICA_FETCH_MAX_BYTES")
            ],
        )


def kafka_login(cluster: Cluster) -> Iterator[str]:
    """The settings lead to a listener that is there, by its protocol, as a user that is there."""
    values = cluster.settings
    address = values["KAFKA_BOOTSTRAP_SERVERS"]
    if not _strimzi(cluster):
        offered = {
            f"{name_of(service)}:{port['port']}"
            for service in cluster.of("Service")
            for port in service["spec"]["ports"]
        }
        if address not in offered:
            yield f"there is no Kafka at {address}"
        return
    listeners = {
        f"{name}-{BOOTSTRAP}:{item['port']}": item
        for name, kafka in _strimzi(cluster).items()
        for item in kafka["spec"]["kafka"]["listeners"]
    }
    if (listener := listeners.get(address)) is None:
        yield f"there is no Kafka at {address}"
        return
    login = listener.get("authentication", {}).get("type", "")
    protocol = ("SASL_" if login else "") + ("SSL" if listener["tls"] else "PLAINTEXT")
    if values.get("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT") != protocol:
        yield f"Kafka speaks {protocol} at {address}"
    if values.get("KAFKA_SECURITY_SASL_MECHANISM", "").lower() != login:
        yield f"Kafka wants {login} at {address}"
    if values.get("KAFKA_SECURITY_SASL_USERNAME") not in cluster.names("KafkaUser"):
        yield "the settings name a user that Kafka does not know"


def kafka_rights(cluster: Cluster) -> Iterator[str]:
    """Users may use the topics, groups and transactions of the prefix; users, topics and nodes
    belong to a cluster that is there.
    """
    prefix = f"{settings.TOPIC_PREFIX}."
    for user in cluster.of("KafkaUser"):
        rules = [rule["resource"] for rule in user["spec"]["authorization"]["acls"]]
        for kind in ("topic", "group", "transactionalId"):
            if {"type": kind, "name": prefix, "patternType": "prefix"} not in rules:
                yield f"the user {name_of(user)} has no right to any {kind} of {prefix}"
    for item in cluster.of("KafkaUser", "KafkaTopic", "KafkaNodePool"):
        if labels_of(item).get("strimzi.io/cluster") not in _strimzi(cluster):
            yield f"{item['kind']} {name_of(item)} belongs to no cluster"


def replication(cluster: Cluster) -> Iterator[str]:
    """There are as many brokers as copies are wanted, and more copies than must be there to
    write.
    """
    brokers = sum(pool["spec"]["replicas"] for pool in cluster.of("KafkaNodePool"))
    for name, kafka in _strimzi(cluster).items():
        config = kafka["spec"]["kafka"]["config"]
        wanted = [topic["spec"]["replicas"] for topic in cluster.of("KafkaTopic")] + [
            config["default.replication.factor"]
        ]
        wanted.append(int(cluster.settings["KAFKA_REPLICATION"]))
        if max(wanted) > brokers:
            yield f"{name} has {brokers} brokers for {max(wanted)} copies"
        if min(wanted) <= config["min.insync.replicas"]:
            yield f"when one broker of {name} ends, nothing can be written"


def scalers(cluster: Cluster) -> Iterator[str]:
    """A scaler has a target whose number nobody else sets, and no more pods than there are
    partitions to share.
    """
    deployments = {name_of(item): item["spec"] for item in cluster.of("Deployment")}
    for scaler in cluster.of("ScaledObject"):
        name, spec = name_of(scaler), scaler["spec"]
        target = spec["scaleTargetRef"]["name"]
        if target not in deployments:
            yield f"the scaler {name} has no target"
        elif "replicas" in deployments[target]:
            yield f"the number of {target} is set by its Deployment and by a scaler"
        if spec["minReplicaCount"] < 1:
            yield f"the scaler {name} ends the last {target}, and nobody waits then"
        if target == "records" and spec["maxReplicaCount"] > EXAMPLE_PARTITIONS:
            yield f"the scaler {name} starts more {target} than there are partitions"
    partitions = int(cluster.settings["CAPTURE_PARTITIONS"])
    if deployments["capture"].get("replicas", 1) > partitions:
        yield f"more capture pods than the {partitions} partitions of assignments share no cameras"


def triggers(cluster: Cluster) -> Iterator[str]:
    """Scalers look at groups and topics of the code, on the Kafka of the settings, with its
    login.
    """
    logins = {name_of(item): item["spec"] for item in cluster.of("TriggerAuthentication")}
    for scaler in cluster.of("ScaledObject"):
        for trigger in (
            trigger for trigger in scaler["spec"]["triggers"] if trigger["type"] == "kafka"
        ):
            data, name = trigger["metadata"], name_of(scaler)
            model, version = data["consumerGroup"].split(".")[-2:]
            if (data["consumerGroup"], data["topic"]) != (
                topics.records_group(model, version),
                topics.inputs(model, version).name,
            ):
                yield (
                    f"the scaler {name} looks at {data['consumerGroup']} on {data['topic']}, which"
                    " the code does not use"
                )
            if data["bootstrapServers"] != cluster.settings["KAFKA_BOOTSTRAP_SERVERS"]:
                yield f"the scaler {name} looks at another Kafka"
            secure = cluster.settings.get("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT")
            if (data.get("tls") == "enable", "sasl" in data) != (
                secure.endswith("SSL"),
                secure.startswith("SASL"),
            ):
                yield f"the scaler {name} does not speak {secure}"
            login = logins.get(trigger.get("authenticationRef", {}).get("name", ""), {})
            given = {
                entry["parameter"]
                for key in ("env", "secretTargetRef")
                for entry in login.get(key, [])
            }
            if secure == "SASL_SSL" and not {"username", "password", "ca"} <= given:
                yield f"the scaler {name} has no login"
    for name, login in logins.items():
        for entry in login.get("env", []):
            if entry["name"] not in cluster.settings:
                yield f"the login {name} wants {entry['name']}, which is not set"


def measures(cluster: Cluster) -> Iterator[str]:
    """What scalers ask Prometheus for is what Sightline's processes tell."""
    told = set[str]()
    for file in chain.from_iterable(
        (HOME / app).rglob("metrics.py")
        for app in ("platform", "cameras", "inference", "streaming")
    ):
        told |= set(re.findall(r'"(sightline_\w+)"', file.read_text(encoding="utf-8")))
    for scaler in cluster.of("ScaledObject"):
        for trigger in (
            trigger for trigger in scaler["spec"]["triggers"] if trigger["type"] == "prometheus"
        ):
            for metric in re.findall(r"sightline_\w+", trigger["metadata"]["query"]):
                if re.sub(r"_(total|sum|count|bucket)$", "", metric) not in told:
                    yield f"the scaler {name_of(scaler)} asks for {metric}, which nobody tells"


CHECKS = (
    kafka_topics,
    kafka_sizes,
    kafka_login,
    kafka_rights,
    replication,
    scalers,
    triggers,
    measures,
)
