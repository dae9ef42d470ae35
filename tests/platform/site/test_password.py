"""Everybody changes their own password, without an administrator."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from streaming.visitors.tokens import issue, user_of

pytestmark = pytest.mark.django_db
PAGE = "/accounts/password/"
OLD, NEW = "old pass phrase", "new pass phrase"


@pytest.fixture
def guard(client: Client) -> User:
    user = User.objects.create_user("guard", password=OLD)
    client.force_login(user)
    return user


def change(client: Client, old: str, new: str) -> str:
    fields = {"old_password": old, "new_password1": new, "new_password2": new}
    return client.post(PAGE, fields, follow=True).content.decode()


def test_a_user_changes_the_password_and_all_else_that_logged_in_ends(
    guard: User, client: Client
) -> None:
    other, token = Client(), issue(guard)
    other.force_login(guard)

    assert "Your password is changed" in change(client, OLD, NEW)
    guard.refresh_from_db()
    assert guard.check_password(NEW)
    assert client.get("/").status_code == 200
    assert other.get("/").status_code == 302
    assert user_of(token) is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [("wrong", NEW, "old password was entered incorrectly"), (OLD, "12345", "too short")],
)
def test_what_is_wrong_is_said(guard: User, client: Client, old: str, new: str, said: str) -> None:
    assert said in change(client, old, new)
    guard.refresh_from_db()
    assert guard.check_password(OLD)


def test_it_is_found_from_every_page(guard: User, client: Client) -> None:
    assert f'href="{PAGE}"' in client.get("/").content.decode()
