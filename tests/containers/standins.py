"""Images that bear official names but are made here, from Debian's packages, for machines that
reach no registry of images.

What they prove: that our image is built and runs, and that compose.yaml starts, connects and
checks everything. What they cannot prove: that the official images read the same variables and
paths as these, which follow their documentation and build files. An image that is there already
and was not made here is never replaced. images/ has a Dockerfile for each.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.containers.engine import CACHE, Engine, debian
from tests.servers.kafka import kafka_jars

IMAGES = Path(__file__).with_name("images")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
LABEL = "org.sightline.stand-in"

# In the order in which they are made. Debian itself is made by mmdebstrap, the others by
# images/<name>.Dockerfile.
DEBIANS = {"debian:bookworm-slim": "bookworm", "debian:trixie-slim": "trixie"}
BEFORE_OURS = {"python:3.11-slim-bookworm": "python"}
OTHERS = {
    "postgres:17": "postgres",
    "redis:8": "redis",
    "apache/kafka:4.3.1": "kafka",
    "prom/prometheus:v3.5.0": "prometheus",
}
# Made from our own image, which has the messages that it speaks.
AFTER_OURS = {"tensorflow/serving:2.19.1": "tfserving"}


def make_debians(engine: Engine) -> None:
    """Debian's images, each once."""
    for name, suite in DEBIANS.items():
        if engine.succeeds("image", "inspect", name):
            continue
        with tempfile.TemporaryDirectory(dir=CACHE if CACHE.exists() else None) as scratch:
            root = Path(scratch) / "root.tar"
            # As the official images: no lists of packages, and no caches of them.
            slim = [
                '--aptopt=Dir::Cache::pkgcache ""',
                '--aptopt=Dir::Cache::srcpkgcache ""',
                '--customize-hook=rm -rf "$1"/var/lib/apt/lists/*',
            ]
            debian(["--variant=minbase", *slim, suite, root])
            engine.docker("import", "--change", f"LABEL {LABEL}=yes", root, name)


def make(engine: Engine, images: dict[str, str]) -> None:
    """Make those images anew that were made here, and those that are missing. What has not
    changed comes out of the build cache.
    """
    with _context() as context:
        for name, file in images.items():
            if not engine.succeeds("image", "inspect", name) or is_stand_in(engine, name):
                engine.docker(
                    "build",
                    "--label",
                    f"{LABEL}=yes",
                    "--file",
                    IMAGES / f"{file}.Dockerfile",
                    "--tag",
                    name,
                    context,
                )


def is_stand_in(engine: Engine, name: str) -> bool:
    """Whether the image of that name was made here."""
    return (
        engine.docker(
            "image", "inspect", "--format", f'{{{{index .Config.Labels "{LABEL}"}}}}', name
        ).strip()
        == "yes"
    )


@contextmanager
def _context() -> Iterator[Path]:
    """A folder with what the Dockerfiles copy: programs, the authorities that this machine
    trusts, Kafka's jars.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        shutil.copytree(IMAGES, folder, dirs_exist_ok=True)
        shutil.copy(CERTIFICATES, folder)
        shutil.copytree(kafka_jars(), folder / "jars")
        yield folder
