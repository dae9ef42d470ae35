"""Tokens expire, and end with the password that their user has."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import migrations, models
from django.utils import timezone
from django.utils.crypto import salted_hmac

# Those that were made to last for ever go on for a year.
FOR_EXISTING = timedelta(days=365)


def bind(apps: Any, _: Any) -> None:
    """Bind each token to its user's present password, as User.get_session_auth_hash() does."""
    salt = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash"
    for token in apps.get_model("streaming", "ApiToken").objects.select_related("user"):
        token.password_hash = salted_hmac(salt, token.user.password, algorithm="sha256").hexdigest()
        token.expires_at = timezone.now() + FOR_EXISTING
        token.save(update_fields=["password_hash", "expires_at"])


class Migration(migrations.Migration):
    dependencies = [("streaming", "0003_system_page")]

    operations = [
        migrations.AddField(
            "apitoken",
            "password_hash",
            models.CharField(default="", editable=False, max_length=128),
            preserve_default=False,
        ),
        migrations.AddField("apitoken", "expires_at", models.DateTimeField(null=True)),
        migrations.RunPython(bind, migrations.RunPython.noop),
        migrations.AlterField("apitoken", "expires_at", models.DateTimeField()),
    ]
