from __future__ import annotations

from pathlib import Path

import pytest
import requests

from tests.servers.ports import free_port
from tests.servers.process import Child
from tests.streaming.conftest import Broker
from tests.streaming.site import HOME, Site

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("web server")]


def test_a_site_with_all_that_it_needs_is_ready(site: Site) -> None:
    answer = requests.get(f"{site.url}/readyz", timeout=10)
    assert answer.status_code == 200
    assert answer.json() == {
        "database": {"ok": True, "detail": ""},
        "kafka": {"ok": True, "detail": ""},
    }


def test_static_files_are_served_and_nothing_is_warned_of(site: Site) -> None:
    for path in ("admin/css/base.css", "sightline/css/tokens.css"):
        answer = requests.get(f"{site.url}/static/{path}", timeout=10)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/css")
    for path in ("../manage.py", "%2e%2e/manage.py", "sightline/../../manage.py", "nothing.css"):
        assert requests.get(f"{site.url}/static/{path}", timeout=10).status_code == 404
    assert "StreamingHttpResponse" not in site.child.tail()


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    site = Site(
        tmp_path,
        bootstrap=f"127.0.0.1:{free_port()}",
        prefix="none",
        REDIS_URL=f"redis://127.0.0.1:{free_port()}/0",
    )
    site.prepare()
    site.start()
    try:
        answer = requests.get(f"{site.url}/readyz", timeout=15)
        assert answer.status_code == 503
        parts = answer.json()
        assert parts["database"]["ok"]
        assert parts["kafka"] == {"ok": False, "detail": "Kafka does not answer."}
        assert parts["redis"] == {"ok": False, "detail": "Redis does not answer."}
        assert requests.get(f"{site.url}/healthz", timeout=5).text == "ok\n"
        assert site.login().get(f"{site.url}/", timeout=5).status_code == 200
    finally:
        site.child.stop()


def test_a_port_that_is_taken_is_said_to_be_so(site: Site, broker: Broker, tmp_path: Path) -> None:
    second = Child(site.child.argv, tmp_path / "second.log", env=site.environment, cwd=HOME)
    with second.start():
        assert second.wait(30) == 1
    assert f"Port {site.port} of 127.0.0.1 cannot be used" in second.tail()
