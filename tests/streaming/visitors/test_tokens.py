from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import AsyncClient, Client
from django.utils import timezone
from pytest_django import Settings

from streaming.models import ApiToken
from streaming.visitors.tokens import issue, user_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def olga() -> User:
    return User.objects.create_user("olga")


def test_a_token_names_its_user(olga: User) -> None:
    assert user_of(issue(olga, "script")) == olga


def test_only_its_digest_is_kept(olga: User) -> None:
    token = issue(olga)
    assert token not in str(ApiToken.objects.values_list())


@pytest.mark.parametrize("token", ["", "x", "sightline_", "\x00", "é" * 1000])
def test_nobody_has_a_wrong_token(olga: User, token: str) -> None:
    issue(olga)
    assert user_of(token) is None


def test_who_may_not_log_in_has_no_token(olga: User) -> None:
    token = issue(olga)
    olga.is_active = False
    olga.save()
    assert user_of(token) is None


def test_it_ends_with_the_password_of_its_user(olga: User) -> None:
    token = issue(olga)
    olga.set_password("another one")
    olga.save()
    assert user_of(token) is None
    assert user_of(issue(olga)) == olga


def test_it_expires(olga: User) -> None:
    token = issue(olga, days=2)
    left = ApiToken.objects.get().expires_at - timezone.now()
    assert timedelta(days=1) < left <= timedelta(days=2)
    ApiToken.objects.update(expires_at=timezone.now())
    assert user_of(token) is None


def test_a_new_secret_key_keeps_it_while_the_old_one_is_known(
    olga: User, settings: Settings
) -> None:
    token = issue(olga)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key"
    assert user_of(token) == olga


def test_its_last_use_is_noted_once_a_minute(olga: User, django_assert_num_queries: Any) -> None:
    token = issue(olga)
    user_of(token)
    assert ApiToken.objects.get().last_used_at is not None
    with django_assert_num_queries(1):
        user_of(token)
    ApiToken.objects.update(last_used_at=timezone.now() - timedelta(hours=1))
    user_of(token)
    assert timezone.now() - ApiToken.objects.get().last_used_at < timedelta(minutes=1)  # type: ignore[operator]


def test_a_request_with_a_token_is_its_users(olga: User, client: Client) -> None:
    answer = client.get("/", headers={"authorization": f"Bearer {issue(olga)}"})
    assert answer.status_code == 200
    assert answer.context["user"] == olga


@pytest.mark.django_db(transaction=True)
async def test_so_is_an_asynchronous_one(async_client: AsyncClient) -> None:
    olga = await User.objects.acreate(username="olga")
    token = await sync_to_async(issue)(olga)
    answer = await async_client.get("/", headers={"authorization": f"bearer {token}"})
    assert answer.status_code == 200
    answer = await async_client.get("/", headers={"authorization": "Bearer wrong"})
    assert answer.status_code == 401


@pytest.mark.parametrize("header", ["Bearer wrong", "bearer", "Bearer  ", "BEARER x y z"])
def test_a_wrong_token_is_401_also_beside_a_session(
    olga: User, client: Client, header: str
) -> None:
    client.force_login(olga)
    answer = client.get("/", headers={"authorization": header})
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")


def test_another_scheme_is_none_of_our_business(olga: User, client: Client) -> None:
    client.force_login(olga)
    assert client.get("/", headers={"authorization": "Basic b2xnYTp4"}).status_code == 200


def test_a_token_needs_no_csrf_token_and_a_session_does(olga: User) -> None:
    client = Client(enforce_csrf_checks=True)
    assert (
        client.post(
            "/accounts/logout/", headers={"authorization": f"Bearer {issue(olga)}"}
        ).status_code
        == 302
    )
    client.force_login(olga)
    assert client.post("/accounts/logout/").status_code == 403


def test_the_command_prints_a_token_and_nothing_else(olga: User) -> None:
    output = io.StringIO()
    call_command("token", "olga", name="ci", stdout=output)
    assert user_of(output.getvalue().strip()) == olga
    assert ApiToken.objects.get().name == "ci"


def test_the_command_knows_only_users_who_may_log_in() -> None:
    User.objects.create_user("old", is_active=False)
    for name in ("nobody", "old"):
        with pytest.raises(CommandError, match="no active user"):
            call_command("token", name)
