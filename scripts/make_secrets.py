"""Makes the secrets that compose.yaml names, each in a file of its own in secrets/. Those that
exist stay as they are.

python3 scripts/make_secrets.py

Docker puts such a file into a container as it is, with its owner and mode, and the containers'
users are not its owner: 10001 in Sightline's, others in Redis' and Grafana's. So the folder
keeps everybody else of this machine out, and the files themselves can be read.
"""

from __future__ import annotations

import base64
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "secrets"


def kept(name: str, make: Callable[[], str]) -> str:
    """The secret of that name, made now if there is none."""
    path = FOLDER / name
    if not path.exists():
        path.write_text(make(), encoding="utf-8")
        sys.stdout.write(f"made secrets/{name}\n")
    path.chmod(0o444)  # also where the umask is strict
    return path.read_text(encoding="utf-8")


def word() -> str:
    """Letters and digits only, because it becomes part of an address."""
    return secrets.token_hex(24)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    FOLDER.chmod(0o700)
    kept("secret_key", lambda: secrets.token_urlsafe(50))
    kept("credential_keys", lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    kept("admin_password", lambda: secrets.token_urlsafe(12))
    postgres, redis = kept("postgres_password", word), kept("redis_password", word)
    # A database that does not answer is given up after seconds.
    kept("database_url", lambda: f"postgres://sightline:{postgres}@postgres:5432/sightline")
    kept("redis_url", lambda: f"redis://:{redis}@redis:6379/0")


if __name__ == "__main__":
    main()
