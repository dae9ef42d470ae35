"""A whole web server in a process of its own, with a database of its own: ``python -m
tests.streaming.site`` fills that database.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import requests

from tests.servers.limits import NO_LIMITS
from tests.servers.ports import free_port
from tests.servers.process import Child

HOME = Path(__file__).resolve().parents[2]
USERS = ("olga", "peter")
PASSWORD = "correct horse 7 battery"
CAMERAS = ("gate", "yard", "dock", "hall")


class Site:
    """A running ``manage.py runweb``. ``tokens`` by user."""

    def __init__(self, folder: Path, *, bootstrap: str, prefix: str, **settings: str) -> None:
        self.port = free_port()
        self.environment = {
            "DATA_DIR": str(folder / "data"),
            "PORT": str(self.port),
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "KAFKA_EMBEDDED": "1",
            "TOPIC_PREFIX": prefix,
            "DJANGO_SETTINGS_MODULE": "sightline.settings",
            "RECHECK_SECONDS": "1",
            **NO_LIMITS,
            **settings,
        }
        self.child = Child(
            [sys.executable, "manage.py", "runweb"],
            folder / "web.log",
            env=self.environment,
            cwd=HOME,
        )
        self.tokens: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def memory(self) -> int:
        """Resident bytes."""
        fields = Path(f"/proc/{self.child.pid}/statm").read_text().split()
        return int(fields[1]) * 4096

    @property
    def sockets(self) -> int:
        """Open sockets. (Files say little: SQLite closes those of one connection only when no
        other one holds a lock.)
        """
        return sum(_is_socket(link) for link in Path(f"/proc/{self.child.pid}/fd").iterdir())

    @property
    def threads(self) -> int:
        return len(list(Path(f"/proc/{self.child.pid}/task").iterdir()))

    @property
    def processor_seconds(self) -> float:
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def prepare(self) -> None:
        """Make the database, its users and cameras."""
        self.tokens = json.loads(self.run("-m", "tests.streaming.site"))

    def run(self, *arguments: str) -> str:
        """Run Python with the site's settings; what it printed last."""
        done = subprocess.run(
            [sys.executable, *arguments],
            env={**os.environ, **self.environment},
            cwd=HOME,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""

    def shell(self, code: str) -> str:
        """Run some code with Django set up."""
        return self.run("-c", f"import django; django.setup()\n{code}")

    def start(self) -> None:
        self.child.start()
        self.child.wait_until(self._answers, what="the web server to answer")

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/healthz", timeout=2).ok
        except requests.ConnectionError:
            return False

    def bearer(self, user: str = "olga") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[user]}"}

    def login(self, user: str = "olga") -> requests.Session:
        """A session as a browser has it."""
        session = requests.Session()
        session.get(f"{self.url}/accounts/login/").raise_for_status()
        form = {
            "username": user,
            "password": PASSWORD,
            "csrfmiddlewaretoken": session.cookies["csrftoken"],
        }
        answer = session.post(f"{self.url}/accounts/login/", data=form, allow_redirects=False)
        assert answer.status_code == 302, answer.text
        return session


def _is_socket(link: Path) -> bool:
    try:
        return str(link.readlink()).startswith("socket:")
    except OSError:
        return False


def main() -> None:
    import django

    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command

    from cameras.models import Camera
    from streaming.visitors.tokens import issue

    call_command("migrate", verbosity=0)
    tokens = {name: issue(User.objects.create_user(name, password=PASSWORD)) for name in USERS}
    for slug in CAMERAS:
        Camera.objects.create(
            slug=slug, name=slug.title(), kind="demo", url="demo:conveyor", imprint=slug == "gate"
        )
    sys.stdout.write(json.dumps(tokens) + "\n")


if __name__ == "__main__":
    main()
