"""``manage.py rotatekeys``: stored camera passwords change over to the newest key."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from cameras.models import Camera, secret_box
from cameras.sources.credentials import SecretError


class Command(BaseCommand):
    help = (
        "Encrypt all stored camera passwords with the newest key, the first of CREDENTIAL_KEYS."
        " After that the others can go."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        box = secret_box()
        unreadable: list[str] = []
        done = 0
        for slug, sealed in (
            Camera.objects.exclude(password_sealed="")
            .order_by("slug")
            .values_list("slug", "password_sealed")
        ):
            try:
                rotated = box.rotate(sealed)
            except SecretError:
                unreadable.append(slug)
                continue
            # A password that was entered meanwhile has the newest key already.
            done += Camera.objects.filter(slug=slug, password_sealed=sealed).update(
                password_sealed=rotated
            )
        self.stdout.write(f"{done} camera passwords are now encrypted with the newest key.")
        if unreadable:
            raise CommandError(
                f"None of the keys fits the passwords of {', '.join(unreadable)}. Enter those again"
                " in the cameras' settings."
            )
