"""Where the platform's own services are: no camera and no model server is there."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings

DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306, "oracle": 1521}
REDIS_PORT = 6379
KAFKA_PORT = 9092


def own_services() -> list[tuple[str, int]]:
    """Host and port of the database, of Redis and of each Kafka broker that the settings name.
    What is reached through a file or a Unix socket has none.
    """
    brokers = _brokers(settings.KAFKA_BOOTSTRAP_SERVERS or _embedded_broker())
    return [*_databases(), *_redis(settings.REDIS_URL), *brokers]


def _databases() -> list[tuple[str, int]]:
    found = []
    for database in settings.DATABASES.values():
        default = DATABASE_PORTS.get(str(database["ENGINE"]).rpartition(".")[2])
        hosts = str(database.get("HOST") or "").split(",")
        if default is None:
            continue
        port = int(database.get("PORT") or default)
        found += [(host, port) for host in hosts if host and not host.startswith("/")]
    return found


def _redis(url: str) -> list[tuple[str, int]]:
    parts = urlsplit(url)
    if not parts.scheme.startswith("redis") or not parts.hostname:
        return []
    return [(parts.hostname, parts.port or REDIS_PORT)]


def _brokers(servers: str) -> list[tuple[str, int]]:
    authorities = [item.strip().rpartition("://")[2] for item in servers.split(",")]
    parts = [urlsplit(f"//{authority}") for authority in authorities if authority]
    return [(part.hostname, part.port or KAFKA_PORT) for part in parts if part.hostname]


def _embedded_broker() -> str:
    """The address that the embedded broker wrote down, or "" while there is none."""
    try:
        return (settings.DATA_DIR / "broker.address").read_text().strip()
    except OSError:
        return ""
