"""A real Apache Kafka broker in KRaft mode, one node, on loopback.

Its jars come from Maven Central by kafka_jars/pom.xml, once, into .cache/kafka of the project.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from .login import Login
from .ports import LOOPBACK, free_port
from .process import Child
from .server import Server

POM = Path(__file__).with_name("kafka_jars") / "pom.xml"
CACHE = Path(__file__).parents[2] / ".cache" / "kafka"
CLUSTER_ID = "c2lnaHRsaW5lLXRlc3RzLQ"

# Made to start fast and to stay small: no optimising compiler, one garbage collector thread.
JVM = [
    "java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
]  # fmt: skip

# The short broker session is for start() after kill(): until the old one ended, the controller
# refuses the new process.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT
listeners={listeners}
advertised.listeners={advertised}
log.dirs={data}
num.network.threads=2
num.io.threads=2
background.threads=2
log.cleaner.dedupe.buffer.size=4194304
default.replication.factor=1
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=2000
message.max.bytes=10485760
auto.create.topics.enable=false
"""
SASL_PROPERTIES = """\
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required \
user_{login.username}="{login.password}";
"""


def kafka_jars() -> Path:
    """The folder with the broker's jars (44 MB); fetched by Maven when this pom's are not there
    yet.

    Raises CalledProcessError when Maven fails; its own messages are on standard error.
    """
    folder = CACHE / hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            fetched = Path(scratch) / "jars"
            _fetch(fetched)
            _publish(fetched, folder)
    return folder


def _fetch(folder: Path) -> None:
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
    subprocess.run(
        ["mvn", "-B", "-q", "-f", POM, *goal], check=True, stdin=subprocess.DEVNULL, timeout=300
    )


def _publish(fetched: Path, folder: Path) -> None:
    try:
        fetched.rename(folder)
    except OSError:
        if not folder.exists():  # else another test run was faster, with the same jars
            raise


@dataclass(frozen=True, slots=True)
class _Ports:
    plain: int
    controller: int
    sasl: int


class KafkaServer(Server):
    """A broker and controller in one process; the same ports and the same data over stop() and
    start().

    With `sasl` it listens on a second port too, which wants SASL/PLAIN with that user and
    password. `advertised` is the port that it tells its clients to use, such as that of a proxy
    in front of `port`.
    """

    grace = 20.0

    def __init__(
        self,
        data: Path,
        log: Path,
        *,
        port: int | None = None,
        sasl: Login | None = None,
        advertised: int | None = None,
    ) -> None:
        self.data = data
        self.sasl = sasl
        self.advertised = advertised
        self._ports = _Ports(port or free_port(), free_port(), free_port())
        self._properties = log.with_suffix(".properties")
        self._child = Child([], log)

    @property
    def port(self) -> int:
        """Where it listens for clients without security."""
        return self._ports.plain

    @property
    def bootstrap(self) -> str:
        """The address for clients without security."""
        return f"{LOOPBACK}:{self._ports.plain}"

    @property
    def sasl_bootstrap(self) -> str:
        """The address for SASL_PLAINTEXT clients."""
        if self.sasl is None:
            raise RuntimeError("this broker was made without a SASL login")
        return f"{LOOPBACK}:{self._ports.sasl}"

    def start(self, timeout: float = 60.0) -> Self:
        """Formats the storage when it is empty, starts the broker and waits until it answers
        clients (about 2 s).
        """
        java = [*JVM, "-cp", f"{kafka_jars()}/*"]
        self._properties.parent.mkdir(parents=True, exist_ok=True)
        self._properties.write_text(self._server_properties())
        if not (self.data / "meta.properties").exists():
            self._format(java)
        self._child.argv = [*java, "kafka.Kafka", str(self._properties)]
        self._child.start()
        self.wait_ready(timeout)
        return self

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Waits until the broker is in its own metadata, so that topics can be made."""
        client = AdminClient(
            {
                "bootstrap.servers": self.bootstrap,
                "reconnect.backoff.ms": 20,
                "reconnect.backoff.max.ms": 100,
                "log_level": 0,
            }
        )

        def answers() -> bool:
            try:
                return bool(client.list_topics(timeout=1).brokers)
            except KafkaException:
                return False

        self._child.wait_until(answers, timeout, "the Kafka broker to answer")

    def wipe(self) -> None:
        """Deletes the data of a stopped broker: it comes back knowing nothing."""
        if self.running:
            raise RuntimeError("stop the broker first")
        shutil.rmtree(self.data, ignore_errors=True)

    def _format(self, java: list[str]) -> None:
        command = [
            *java,
            "kafka.tools.StorageTool",
            "format",
            "-t",
            CLUSTER_ID,
            "-c",
            str(self._properties),
        ]
        tool = Child(command, self._child.log)
        with tool:
            status = tool.wait(timeout=60)
        if status != 0:
            raise RuntimeError(f"formatting Kafka's storage failed:\n{tool.tail()}")

    def _server_properties(self) -> str:
        listeners = {"PLAINTEXT": self._ports.plain, "CONTROLLER": self._ports.controller}
        if self.sasl:
            listeners["SASL_PLAINTEXT"] = self._ports.sasl
        advertised = {**listeners, "PLAINTEXT": self.advertised or self._ports.plain}
        text = PROPERTIES.format(
            host=LOOPBACK,
            controller=self._ports.controller,
            listeners=_addresses(listeners),
            advertised=_addresses(advertised),
            data=self.data,
        )
        return text + SASL_PROPERTIES.format(login=self.sasl) if self.sasl else text


def _addresses(listeners: Mapping[str, int]) -> str:
    return ",".join(f"{name}://{LOOPBACK}:{port}" for name, port in listeners.items())
