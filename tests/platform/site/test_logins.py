"""Guessing passwords: who fails is locked out, and nobody else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone

from sightline.site.logins import client_address

pytestmark = pytest.mark.django_db

HERE, ELSEWHERE = "203.0.113.7", "203.0.113.8"
PASSWORD = "correct-horse-7"
GUESS = "hunter2-and-more"


@pytest.fixture(autouse=True)
def olga(settings: Any) -> User:
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.MD5PasswordHasher"
    ]  # the real one takes a third of a second
    return User.objects.create_superuser("olga", password=PASSWORD)


def log_in(name: str, password: str, address: str = HERE, forwarded: str = "") -> Any:
    form = {"username": name, "password": password, "next": "/system/"}
    return Client(REMOTE_ADDR=address).post(
        "/accounts/login/", form, headers={"X-Forwarded-For": forwarded} if forwarded else {}
    )


def fail(times: int, name: str = "olga", address: str = HERE, forwarded: str = "") -> Any:
    """The last answer to so many wrong passwords."""
    return [log_in(name, GUESS, address, forwarded) for _ in range(times)][-1]


def is_locked(answer: HttpResponse) -> bool:
    return answer.status_code == 429 and "Too many wrong passwords" in answer.content.decode()


def logs_in(answer: HttpResponse) -> bool:
    return (answer.status_code, answer.get("Location")) == (302, "/system/")


def test_the_fifth_wrong_password_locks_the_name_and_then_the_right_one_does_not_help() -> None:
    assert "do not belong together" in fail(4).content.decode()
    assert is_locked(fail(1))

    answer = log_in("olga", PASSWORD)
    assert is_locked(answer)
    assert "15 minutes" in answer.content.decode()
    assert answer["Retry-After"] == "900"
    assert 'value="/system/"' in answer.content.decode()


def test_others_may_go_on_and_so_may_the_same_name_from_elsewhere() -> None:
    User.objects.create_user("otto", password=PASSWORD)
    assert is_locked(fail(5))
    assert logs_in(log_in("olga", PASSWORD, ELSEWHERE))
    assert logs_in(log_in("otto", PASSWORD))


def test_a_name_that_there_is_not_is_answered_as_one_that_there_is() -> None:
    real, invented = fail(5), fail(5, "nobody")
    assert is_locked(real)
    assert is_locked(invented)


def test_forged_headers_neither_save_nor_lock_out_anybody() -> None:
    for number in range(4):
        fail(1, forwarded=f"198.51.100.{number}")
    assert is_locked(fail(1, forwarded=ELSEWHERE))
    fail(5, address="192.0.2.1", forwarded=ELSEWHERE)
    assert logs_in(log_in("olga", PASSWORD, ELSEWHERE))


def test_behind_a_proxy_the_address_that_the_proxy_adds_counts(settings: Any) -> None:
    settings.PROXIES = 1
    proxy = "10.0.0.1"
    for number in range(4):
        fail(1, address=proxy, forwarded=f"198.51.100.{number}, {HERE}")
    assert is_locked(fail(1, address=proxy, forwarded=f"{ELSEWHERE}, {HERE}"))
    assert logs_in(log_in("olga", PASSWORD, proxy, forwarded=ELSEWHERE))


def test_the_right_password_begins_anew() -> None:
    for _ in range(2):
        fail(4)
        assert logs_in(log_in("olga", PASSWORD))


def test_it_ends_by_itself_and_trying_does_not_prolong_it() -> None:
    assert is_locked(fail(7))
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=15, seconds=1))
    assert logs_in(log_in("olga", PASSWORD))


def test_an_administrator_unlocks() -> None:
    fail(5)
    attempt = AccessAttempt.objects.get()
    admin = Client()
    admin.force_login(User.objects.create_superuser("otto"))
    assert HERE in admin.get("/admin/axes/accessattempt/").content.decode()
    admin.post(f"/admin/axes/accessattempt/{attempt.pk}/delete/", {"post": "yes"})
    assert logs_in(log_in("olga", PASSWORD))


@pytest.mark.parametrize(
    "name", ["\0", "x" * 100_000, "<img onerror>", "\U0001f600", "' or 1=1 --", ""]
)
def test_nonsense_is_answered_in_words(name: str) -> None:
    form = {"username": name, "password": "\0" + GUESS}
    answers = [
        Client(REMOTE_ADDR="/run/web.sock").post(
            "/accounts/login/", form, headers={"User-Agent": "y" * 5000}
        )
        for _ in range(6)
    ]
    assert {answer.status_code for answer in answers} <= {200, 429}
    assert all('role="alert"' in answer.content.decode() for answer in answers)


def test_no_password_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        fail(5)
    assert GUESS not in str(list(AccessAttempt.objects.values()))
    assert GUESS not in caplog.text


@pytest.mark.parametrize(
    ("proxies", "seen", "forwarded", "address"),
    [
        (0, HERE, "", HERE),
        (0, HERE, ELSEWHERE, HERE),
        (1, HERE, ELSEWHERE, ELSEWHERE),
        (1, HERE, "", HERE),
        (1, HERE, f"garbage, {ELSEWHERE}:55123", ELSEWHERE),
        (1, HERE, f"{ELSEWHERE}, garbage", HERE),
        (2, HERE, f"198.51.100.1, {ELSEWHERE}, 10.0.0.2", ELSEWHERE),
        (3, HERE, ELSEWHERE, HERE),
        (0, "2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::"),
        (1, HERE, "[2001:db8:1:2::9]:443", "2001:db8:1:2::"),
        (0, "::ffff:203.0.113.7", "", HERE),
        (0, "", "", None),
        (0, "/run/web.sock", "", None),
        (1, "", ELSEWHERE, ELSEWHERE),
        (0, "fe80::1%eth0", "", "fe80::"),
    ],
)
def test_who_is_asking(
    settings: Any, proxies: int, seen: str, forwarded: str, address: str | None
) -> None:
    settings.PROXIES = proxies
    request = RequestFactory().get(
        "/", headers={"X-Forwarded-For": forwarded} if forwarded else {}, REMOTE_ADDR=seen
    )
    assert client_address(request) == address


def test_many_names_that_fail_from_one_address_lock_it_and_no_other() -> None:
    answers = [fail(1, f"name-{number}") for number in range(30)]

    assert [answer.status_code for answer in answers[:20]] == [200] * 20
    assert {answer.status_code for answer in answers[20:]} == {429}
    assert "Too many user names" in answers[-1].content.decode()
    assert log_in("olga", PASSWORD).status_code == 429
    assert logs_in(log_in("olga", PASSWORD, ELSEWHERE))


def test_an_office_whose_people_mistype_and_then_log_in_is_not_locked() -> None:
    for number in range(30):
        User.objects.create_user(f"person-{number}", password=PASSWORD)
        fail(1, f"person-{number}")
        assert logs_in(log_in(f"person-{number}", PASSWORD))
