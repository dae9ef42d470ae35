"""What all tests share: a data folder of their own, decided before Django reads its settings,
and the embedded broker.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import django
import pytest
from pytest_django import Settings

from tests.servers.kafka import KafkaServer
from tests.servers.login import Login

# Nothing of the person's own environment or data may reach the tests, nor the tests it.
for _name in (
    "DATABASE_URL",
    "REDIS_URL",
    "KAFKA_BOOTSTRAP_SERVERS",
    "KAFKA_EMBEDDED",
    "TOPIC_PREFIX",
    "PORT",
    "BIND",
    "DEBUG",
    "HTTPS",
    "LOG_LEVEL",
    "LOG_FORMAT",
    "METRICS_PORT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "TRACE_EVERY",
    "PYTHON_MODELS",
    "SCHEMA_REGISTRY_URL",
    # many processes are started; without it each would compile all that it imports
    "PYTHONDONTWRITEBYTECODE",
):
    os.environ.pop(_name, None)
_scratch = tempfile.TemporaryDirectory(prefix="sightline-tests-")
os.environ["DATA_DIR"] = _scratch.name
os.environ["CAMERA_ALLOWED_NETWORKS"] = "127.0.0.0/8,::1/128"
os.environ["MODEL_ALLOWED_NETWORKS"] = "127.0.0.0/8,::1/128"
os.environ["DJANGO_SETTINGS_MODULE"] = "sightline.settings"
# Playwright's synchronous interface runs an event loop in the test's thread, in which Django would
# refuse to use the database.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
django.setup()

# Model servers that several test modules share, each started when the first of them asks for it.
pytest_plugins = ("tests.servers.models.fixtures",)

HOME = Path(__file__).resolve().parent.parent

# Groups of tests that take from half a minute to two, so that the others fill up the time beside
# and after them.
LONGEST = (
    "pipeline on embedded",
    "inference/streams/test_ended_in_the_middle.py",
    "model servers",
    "pipeline on kafka",
    "web server",
    "inference/streams/test_stream_trouble.py",
    "kafka",
    "inference/streams/test_stream_answers.py",
    "streaming/hub/test_on_kafka.py",
    "cameras/capture/test_sharing.py",
)


@pytest.fixture(scope="session")
def embedded_address() -> Iterator[str]:
    """The address of an embedded broker in this process, for the whole run."""
    from sightline.kafka import embedded_broker

    handle, address = embedded_broker()
    yield address
    del handle


@pytest.fixture
def embedded(embedded_address: str, settings: Settings, request: pytest.FixtureRequest) -> str:
    """Settings that point at the embedded broker, with a topic prefix of the test's own."""
    settings.KAFKA_BOOTSTRAP_SERVERS = embedded_address
    settings.KAFKA_EMBEDDED = True
    settings.TOPIC_PREFIX = f"test{abs(hash(request.node.nodeid)) % 10**9}"
    return embedded_address


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A real Apache Kafka for the whole run, with a second listener that asks for its login. A
    test that ends it brings it back.
    """
    folder = tmp_path_factory.mktemp("kafka")
    with KafkaServer(
        folder / "data", folder / "kafka.log", sasl=Login("sightline", "s3cret word")
    ) as server:
        yield server


# Before pytest-xdist's own hook, which reads the groups.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """For pytest-xdist: a file stays in one process, and so do tests that share servers. The
    longest groups begin first.
    """
    for item in items:
        if "kafka_server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("kafka"))
        elif item.get_closest_marker("xdist_group") is None:
            item.add_marker(
                pytest.mark.xdist_group(item.path.relative_to(HOME / "tests").as_posix())
            )
    items.sort(key=rank)


def rank(item: pytest.Item) -> int:
    """The place of the test's group among those that begin first; all the others come after
    them.
    """
    marker = item.get_closest_marker("xdist_group")
    assert marker is not None
    return LONGEST.index(marker.args[0]) if marker.args[0] in LONGEST else len(LONGEST)
