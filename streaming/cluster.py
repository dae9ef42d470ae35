"""This process's connection for questions about topics and groups."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sightline.kafka import Admin, KafkaUnavailable, bootstrap_servers

_lock = threading.Lock()
_admins: dict[str, Admin] = {}


@contextmanager
def cluster_admin() -> Iterator[Admin]:
    """One client for all callers, recreated after a failure: a broker that comes back empty is not
    understood by a client that knew it before.

    KafkaUnavailable when no broker is configured.
    """
    address = bootstrap_servers()
    with _lock:
        admin = _admins.get(address)
        if admin is None:
            _admins.clear()
            admin = _admins[address] = Admin()
    try:
        yield admin
    except KafkaUnavailable:
        with _lock:
            if _admins.get(address) is admin:
                del _admins[address]
        raise
