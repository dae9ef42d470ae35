"""Makes tests/k8s/schemas anew: ``python -m tests.k8s.fetch_schemas``, after a version below was
changed. Needs Go, Maven and Java 21.

KEDA, the Prometheus operator and the Gateway API carry their definitions of custom resources in
their Go modules. Strimzi's are made of its classes at Maven Central by its own generator.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.k8s.custom import SCHEMAS

STRIMZI = "1.2.0"
MODULES = {
    "github.com/kedacore/keda/v2@v2.21.0": (
        "config/crd/bases/keda.sh_scaledobjects.yaml",
        "config/crd/bases/keda.sh_triggerauthentications.yaml",
    ),
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": (
        "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ),
    "sigs.k8s.io/gateway-api@v1.6.0": (
        "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
    ),
}
STRIMZI_CLASSES = ("kafka.Kafka", "nodepool.KafkaNodePool", "topic.KafkaTopic", "user.KafkaUser")
POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>sightline.tests</groupId><artifactId>strimzi</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>io.strimzi</groupId><artifactId>crd-generator</artifactId><version>{STRIMZI}</version></dependency>
    <dependency><groupId>io.strimzi</groupId><artifactId>api</artifactId><version>{STRIMZI}</version></dependency>
  </dependencies>
</project>
"""
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
FETCH_SECONDS = 600


def published(scratch: Path) -> Iterator[Path]:
    """The files with the definitions."""
    for module, files in MODULES.items():
        # Outside any module, so that Go adds nothing to a go.mod.
        done = subprocess.run(
            ["go", "mod", "download", "-json", module],
            check=True,
            capture_output=True,
            cwd=scratch,
            timeout=FETCH_SECONDS,
        )
        yield from (Path(json.loads(done.stdout)["Dir"]) / file for file in files)
    yield from _strimzi(scratch)


def _strimzi(scratch: Path) -> Iterator[Path]:
    pom, jars = scratch / "pom.xml", scratch / "jars"
    pom.write_text(POM, encoding="utf-8")
    subprocess.run(
        ["mvn", "-B", "-q", "-f", pom, COPY, f"-DoutputDirectory={jars}"],
        check=True,
        timeout=FETCH_SECONDS,
    )
    made = {name: scratch / f"{name}.yaml" for name in STRIMZI_CLASSES}
    classes = [f"io.strimzi.api.kafka.model.{name}={file}" for name, file in made.items()]
    java = Path(os.environ["JAVA_HOME"]) / "bin" / "java" if "JAVA_HOME" in os.environ else "java"
    generator = [
        java,
        "-cp",
        f"{jars}/*",
        "io.strimzi.crdgenerator.CrdGenerator",
        "--yaml",
        "--target-kube",
        "1.27+",
        "--crd-api-version",
        "v1",
    ]
    subprocess.run([*generator, *classes], check=True, timeout=FETCH_SECONDS)
    yield from made.values()


def bare(schema: Any) -> Any:
    """The schema without its descriptions, which are most of it."""
    if isinstance(schema, dict):
        return {
            key: bare(value)
            for key, value in schema.items()
            if key != "description" or not isinstance(value, str)
        }
    return [bare(value) for value in schema] if isinstance(schema, list) else schema


def main() -> None:
    SCHEMAS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for file in published(Path(scratch)):
            definition = yaml.safe_load(file.read_text(encoding="utf-8"))["spec"]
            for version in (version for version in definition["versions"] if version["storage"]):
                name = f"{definition['group']}_{version['name']}_{definition['names']['kind']}.json"
                schema = bare(version["schema"]["openAPIV3Schema"])
                (SCHEMAS / name).write_text(
                    json.dumps(schema, separators=(",", ":"), sort_keys=True) + "\n",
                    encoding="utf-8",
                )


if __name__ == "__main__":
    main()
