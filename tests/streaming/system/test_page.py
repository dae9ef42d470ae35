"""The system page and its state: who gets it, and that no part hides another."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as configured
from django.contrib.auth.models import Permission, User
from django.db import OperationalError
from django.test import Client
from pytest_django import Settings

from cameras.models import Camera
from streaming.hub.hub import Hub
from streaming.system import report, stores, views
from streaming.system.installation import installation
from streaming.system.parts import Finding, Level, Part
from streaming.system.report import overall
from streaming.visitors.visitor import Visitor
from tests.servers.ports import free_port

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    """Nothing is remembered from one test to the next."""
    for results in (report.results, views._access):
        results.clear()
    views._seen.clear()
    yield
    # Threads of answers keep their database connections; the next test has another database state.
    report.results.clear()


def client_of(name: str, **fields: Any) -> Client:
    client = Client()
    client.force_login(User.objects.create_user(name, **fields))
    return client


@pytest.fixture
def staff(hub: Hub) -> Client:
    return client_of("ada", is_staff=True)


def state_of(client: Client, query: str = "") -> dict[str, Any]:
    answer = client.get(f"/system/state.json{query}")
    assert answer.status_code == 200, answer.content
    assert "no-store" in answer["Cache-Control"]
    document: dict[str, Any] = answer.json()
    return document


def levels(state: dict[str, Any]) -> dict[str, str]:
    return {part["name"]: part["level"] for part in state["parts"]}


def test_who_may_see_it(hub: Hub) -> None:
    assert Client().get("/system/")["Location"] == "/accounts/login/?next=/system/"
    assert Client().get("/system/state.json").status_code == 401
    viewer = client_of("olga")
    refused = viewer.get("/system/")
    assert refused.status_code == 403
    assert "Can see the system page" in refused.content.decode()
    assert viewer.get("/system/state.json").json() == {"error": views.NOT_YOURS}
    assert ">System<" not in viewer.get("/").content.decode()

    User.objects.get(username="olga").user_permissions.add(
        Permission.objects.get(codename="view_system")
    )
    views._access.clear()
    assert viewer.get("/system/").status_code == 200
    assert viewer.get("/system/state.json").status_code == 200
    assert ">System<" in viewer.get("/").content.decode()
    assert client_of("ada", is_staff=True).get("/system/").status_code == 200


def test_shell_commands_are_for_those_who_administer(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = Finding(Level.BAD, "Nobody takes jobs.", "Start one with: manage.py runjobs")
    monkeypatch.setattr(
        stores, "database", lambda: Part("database", "Database", "", findings=(finding,))
    )
    guard = client_of("olga")
    User.objects.get(username="olga").user_permissions.add(
        Permission.objects.get(codename="view_system")
    )

    for client, words in ((staff, "with: manage.py runjobs"), (guard, "Ask your administrator.")):
        report.results.clear()
        parts = {part["name"]: part for part in state_of(client)["parts"]}
        [found] = parts["database"]["findings"]
        assert found["text"].endswith(words)
        assert found.keys() == {"level", "text"}


def test_every_part_is_there_and_no_secret(staff: Client, settings: Settings) -> None:
    Camera.objects.create(slug="gate", name="Gate", kind="demo", url="demo:conveyor")
    state = state_of(staff)

    assert set(levels(state)) == {
        "cameras",
        "models",
        "workers",
        "kafka",
        "database",
        "disk",
        "installation",
    }
    assert [row["role"] for row in state["workers"]] == ["web"]
    assert state["topics"]["known"]
    text = json.dumps(state)
    assert settings.SECRET_KEY not in text
    assert not any(key in text for key in settings.CREDENTIAL_KEYS)


def test_kafka_that_is_away_hides_nothing_else(staff: Client, settings: Settings) -> None:
    settings.KAFKA_BOOTSTRAP_SERVERS = f"127.0.0.1:{free_port()}"
    started = time.monotonic()
    state = state_of(staff)

    assert time.monotonic() - started < 5
    found = levels(state)
    assert (found["kafka"], found["database"], found["disk"]) == ("bad", "ok", "ok")
    assert (state["level"], state["words"]) == ("bad", "Needs somebody now: Kafka.")
    assert state["topics"]["known"] is False


def test_a_part_that_hangs_is_late_and_asked_once(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "PART_SECONDS", 0.3)
    asked: list[float] = []

    def hang() -> Part:
        asked.append(time.monotonic())
        time.sleep(2)
        return Part("disk", "Disk", "at last")

    monkeypatch.setattr(stores, "disk", hang)
    for _ in range(3):
        assert levels(state_of(staff))["disk"] == "bad"
    assert len(asked) == 1


def test_who_was_allowed_a_moment_ago_is_told_that_the_database_is_away(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = client_of("eve", is_staff=True)
    state_of(staff)

    def fail(*_: object) -> object:
        raise OperationalError("the database is away")

    # All that asks the database fails as it does when it is away.
    monkeypatch.setattr(Visitor, "user", fail)
    monkeypatch.setattr("django.db.backends.utils.CursorWrapper.execute", fail)
    for results in (report.results, views._access):
        results.clear()
    state = state_of(staff)

    assert levels(state)["database"] == "bad"
    assert levels(state)["disk"] == "ok"
    assert stranger.get("/system/state.json").status_code == 503, "who it is cannot be known"


@pytest.mark.parametrize(
    "query",
    [
        "?page=0",
        "?page=-1",
        "?page=x",
        "?page=99999999999999999999",
        "?page=%00",
        "?sort=evil",
        "?topics=" + "x" * 5000,
    ],
)
def test_what_makes_no_sense_is_ignored(staff: Client, query: str) -> None:
    assert state_of(staff, query)["topics"]["page"] == 1


def part(title: str, *levels: Level) -> Part:
    return Part(
        title.lower(), title, "words", (), tuple(Finding(level, "text") for level in levels)
    )


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([part("Kafka"), part("Disk")], (Level.OK, "Everything works.")),
        (
            [part("Kafka", Level.NOTE), part("Disk", Level.NOTE)],
            (Level.OK, "Everything works. Worth knowing: 2 things."),
        ),
        ([part("Kafka"), part("Disk", Level.WARN)], (Level.WARN, "Works. Needs a look: Disk.")),
        (
            [part("Workers", Level.WARN), part("Disk", Level.WARN)],
            (Level.WARN, "Works. Needs a look: Workers, Disk."),
        ),
        (
            [part("Workers", Level.BAD), part("Disk", Level.WARN)],
            (Level.BAD, "Needs somebody now: Workers."),
        ),
        (
            [part("Database", Level.BAD), part("Kafka", Level.BAD)],
            (Level.BAD, "Needs somebody now: Database, Kafka."),
        ),
        ([part("Workers", Level.WAIT), part("Disk")], (Level.WAIT, "Not everything is known yet.")),
    ],
)
def test_one_line_says_it_all(parts: list[Part], expected: tuple[Level, str]) -> None:
    assert overall(parts) == expected


def test_dangerous_settings_are_named(settings: Settings) -> None:
    settings.DEBUG = True
    settings.ALLOWED_HOSTS = ["*"]
    settings.BIND = "0.0.0.0"
    settings.HTTPS = False
    settings.SECRET_KEY = "set by somebody"
    found = {finding.text.split(" ")[0]: finding.level for finding in installation().findings}

    assert found == {
        "DEBUG": Level.WARN,
        "ALLOWED_HOSTS": Level.WARN,
        "Passwords": Level.WARN,
        "CREDENTIAL_KEYS": Level.NOTE,
    }
    assert configured.DATA_DIR.exists()
