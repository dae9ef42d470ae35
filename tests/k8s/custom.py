"""Custom resources against the schemas that their projects publish, in tests/k8s/schemas
(tests/k8s/fetch_schemas.py made them).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema_rs import Draft202012Validator

from tests.k8s.cluster import Cluster, Manifest, name_of

SCHEMAS = Path(__file__).with_name("schemas")
# What every resource has, and the schema of a custom one leaves to Kubernetes.
COMMON = {"apiVersion", "kind", "metadata"}


def is_custom(manifest: Manifest) -> bool:
    """Whether an operator defines this kind, and not Kubernetes itself."""
    group = manifest["apiVersion"].partition("/")[0]
    return ("." in group and not group.endswith(".k8s.io")) or group == "gateway.networking.k8s.io"


def resources(cluster: Cluster) -> Iterator[str]:
    """Operators know every field of their resources."""
    for manifest in cluster.items:
        if is_custom(manifest):
            yield from problems(manifest)


def problems(manifest: Manifest) -> Iterator[str]:
    """What the operator's own definition has against a custom resource. Rules written in CEL are
    not computed.
    """
    file = SCHEMAS / f"{manifest['apiVersion'].replace('/', '_')}_{manifest['kind']}.json"
    if not file.exists():
        yield f"there is no schema of {manifest['kind']} of {manifest['apiVersion']}"
        return
    schema = strict(json.loads(file.read_text(encoding="utf-8")))
    schema["properties"] |= {key: {} for key in COMMON}
    for error in Draft202012Validator(schema).iter_errors(manifest):
        yield (
            f"{manifest['kind']} {name_of(manifest)}: {'.'.join(map(str, error.instance_path))}:"
            f" {error.message}"
        )


def strict(schema: Any) -> Any:
    """The schema, with unknown fields refused, which Kubernetes would drop in silence."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {key: strict(value) for key, value in schema.items()}
    is_closed = (
        schema.get("type") == "object"
        and "properties" in schema
        and not schema.get("x-kubernetes-preserve-unknown-fields")
    )
    return {"additionalProperties": False, **parts} if is_closed else parts


CHECKS = (resources,)
