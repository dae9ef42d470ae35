"""``manage.py token USER``: a new API token, printed once."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from streaming.visitors.tokens import DEFAULT_DAYS, MAX_DAYS, issue


class Command(BaseCommand):
    help = (
        "Make an API token for a user and print it. It cannot be shown again, and ends with the"
        " user's password."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="the user's login name")
        parser.add_argument("--name", default="", help="what the token is for")
        parser.add_argument(
            "--days",
            type=int,
            default=DEFAULT_DAYS,
            help=f"after so many days it expires ({DEFAULT_DAYS}; {MAX_DAYS} at most)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"], is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user named {options['user']}.")
        if not 1 <= options["days"] <= MAX_DAYS:
            raise CommandError(f"A token lasts from 1 to {MAX_DAYS} days.")
        self.stdout.write(issue(user, options["name"], options["days"]))
