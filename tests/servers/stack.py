"""Sightline itself, all of it, as a person starts it: `manage.py up` with a data folder and a
port of its own, and a browserless operator.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import requests

from .limits import NO_LIMITS
from .ports import free_port, free_ports
from .process import Child

HOME = Path(__file__).parents[2]
PROCESSES = ("supervisor", "web", "capture", "infer", "records", "imprint", "jobs")
ADMIN = "admin"
PASSWORD = "correct-horse-7"


class Stack:
    """A running Sightline. `kafka` is the address of a real cluster; without it the embedded
    broker is used.
    """

    def __init__(
        self, folder: Path, *, kafka: str = "", environment: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.kafka = kafka
        self.port = free_port()
        self.metrics_port = free_ports(len(PROCESSES))
        self.log = folder / "up.log"
        self.variables = {
            "DATA_DIR": str(folder / "data"),
            "PORT": str(self.port),
            "METRICS_PORT": str(self.metrics_port),
            "ADMIN_PASSWORD": PASSWORD,
            "CAMERA_ALLOWED_NETWORKS": "127.0.0.0/8",
            "KAFKA_BOOTSTRAP_SERVERS": kafka,
            "DJANGO_SETTINGS_MODULE": "sightline.settings",
            "PYTHONUNBUFFERED": "1",
            "RECHECK_SECONDS": "2",
            **NO_LIMITS,
            **(environment or {}),
        }
        self.child = Child(
            [sys.executable, HOME / "manage.py", "up", "--verbose"],
            self.log,
            env=self.variables,
            cwd=HOME,
        )

    @property
    def url(self) -> str:
        """The address of the wall, without a slash at the end."""
        return f"http://localhost:{self.port}"

    @property
    def bootstrap(self) -> str:
        """Where its Kafka is."""
        return self.kafka or (self.folder / "data" / "broker.address").read_text()

    @property
    def ready(self) -> bool:
        """Whether `up` has said that all is ready."""
        return self.log.exists() and "Ready in" in self.log.read_text()

    def start(self) -> Self:
        """Start and wait until every process is ready."""
        self.child.start()
        self.child.wait_until(lambda: self.ready, 90, "Sightline to be ready")
        return self

    def stop(self) -> int:
        """End it as Ctrl-C does; the exit status of `up`."""
        self.child.send_signal(signal.SIGINT)
        return self.child.wait(30)

    def pid(self, process: str) -> int:
        """The process id that a process has now: web, capture, infer, imprint, jobs or broker."""
        found = re.findall(rf"process started name={process} pid=(\d+)", self.log.read_text())
        return int(found[-1])

    def another(self, name: str, *command: str, **environment: str) -> Child:
        """One more process with the stack's settings, not yet started: ``manage.py`` with this
        command line. Nobody restarts it.
        """
        own = {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "KAFKA_EMBEDDED": "0" if self.kafka else "1",
            "METRICS_PORT": "0",
        }
        variables = {**self.variables, **own, **environment}
        return Child(
            [sys.executable, HOME / "manage.py", *command],
            self.folder / f"{name}.log",
            env=variables,
            cwd=HOME,
        )

    def shell(self, code: str) -> None:
        """Run some code with the stack's settings, as ``manage.py shell`` does."""
        command = [sys.executable, "-c", f"import django; django.setup()\n{code}"]
        subprocess.run(
            command, env={**os.environ, **self.variables}, cwd=HOME, check=True, timeout=60
        )

    def operations(self, process: str) -> str:
        """Where one of PROCESSES serves /healthz, /readyz and /metrics."""
        return f"http://127.0.0.1:{self.metrics_port + PROCESSES.index(process)}"

    def operator(self) -> Operator:
        """The administrator, logged in."""
        return Operator(self.url).log_in(ADMIN, PASSWORD)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        try:
            if self.child.running:
                self.stop()
        finally:
            self.child.stop()


class Operator:
    """A person with a browser, as far as HTTP goes: forms with their CSRF token, a session
    cookie.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()

    def log_in(self, username: str, password: str) -> Self:
        """Log in; AssertionError when that fails."""
        reply = self.post("/accounts/login/", {"username": username, "password": password})
        assert "sessionid" in self.session.cookies, f"login failed: {reply.status_code}"
        return self

    def get(self, path: str) -> requests.Response:
        """A page."""
        return self.session.get(self.url + path, timeout=20)

    def post(self, path: str, fields: Mapping[str, object]) -> requests.Response:
        """Fill in the form of a page and send it."""
        self.get(path)
        token = self.session.cookies["csrftoken"]
        data = {**fields, "csrfmiddlewaretoken": token}
        return self.session.post(
            self.url + path, data=data, headers={"Referer": self.url + path}, timeout=20
        )

    def add_camera(self, slug: str, kind: str, url: str, **fields: object) -> None:
        """Add a camera by the admin's form; AssertionError with the form's errors when it is
        refused.
        """
        form: dict[str, object] = {
            "name": slug.capitalize(),
            "slug": slug,
            "kind": kind,
            "url": url,
            "username": "",
            "new_password": "",
            "transport": "tcp",
            "enabled": "on",
            "fps": "10",
            "max_width": "1280",
            "quality": "80",
            **fields,
        }
        refuse_errors(self.post("/admin/cameras/camera/add/", form))

    def change_camera(self, slug: str, **changes: object) -> None:
        """Change a camera by the admin's form: the fields named, None to clear a check box."""
        pk = self.camera_pk(slug)
        path = f"/admin/cameras/camera/{pk}/change/"
        form = {**form_values(self.get(path).text), **changes}
        refuse_errors(
            self.post(path, {name: value for name, value in form.items() if value is not None})
        )

    def delete_camera(self, slug: str) -> None:
        """Delete a camera and confirm."""
        self.post(f"/admin/cameras/camera/{self.camera_pk(slug)}/delete/", {"post": "yes"})

    def delete_cameras(self, *slugs: str) -> None:
        """Delete many at once, by the action of the admin's list."""
        chosen = [self.camera_pk(slug) for slug in slugs]
        self.post(
            "/admin/cameras/camera/",
            {"action": "delete_selected", "_selected_action": chosen, "post": "yes"},
        )

    def camera_pk(self, slug: str) -> int:
        """The camera's number in the admin."""
        page = self.get(f"/admin/cameras/camera/?q={slug}").text
        for pk, found in re.findall(
            r'/admin/cameras/camera/(\d+)/change/.*?field-slug">([^<]+)<', page, re.DOTALL
        ):
            if found == slug:
                return int(pk)
        raise AssertionError(f"no camera {slug}")

    def add_model(self, slug: str, runtime: str) -> None:
        """Add a model with one version, 1."""
        versions = {
            "versions-TOTAL_FORMS": 1,
            "versions-INITIAL_FORMS": 0,
            "versions-MIN_NUM_FORMS": 1,
            "versions-MAX_NUM_FORMS": 1000,
        }
        version = {
            "versions-0-version": "1",
            "versions-0-runtime": runtime,
            "versions-0-options": "{}",
        }
        refuse_errors(
            self.post(
                "/admin/inference/model/add/", {"name": slug, "slug": slug, **versions, **version}
            )
        )

    def deploy(self, model: str, *cameras: str, role: str = "live") -> None:
        """Deploy version 1 of a model on cameras."""
        page = self.get("/admin/inference/deployment/add/").text
        version = re.search(rf'<option value="(\d+)">{re.escape(model)} 1</option>', page)
        assert version, f"no model {model}"
        pks = [self.camera_pk(camera) for camera in cameras]
        form = {
            "version": version[1],
            "cameras": pks,
            "role": role,
            "delivery": "latest",
            "threshold": "0",
            "enabled": "on",
        }
        refuse_errors(self.post("/admin/inference/deployment/add/", form))

    def deploy_runtime(self, model: str, runtime: str, *cameras: str) -> None:
        """Deploy a model on cameras; it is added when it is not there yet."""
        if f">{model} 1</option>" not in self.get("/admin/inference/deployment/add/").text:
            self.add_model(model, runtime)
        self.deploy(model, *cameras)

    def extend_deployment(self, model: str, *cameras: str) -> None:
        """Let the deployment of a model that there is see these cameras, and no others."""
        page = self.get("/admin/inference/deployment/").text
        found = re.search(
            rf"/admin/inference/deployment/(\d+)/change/[^>]*>{re.escape(model)} 1<", page
        )
        assert found, f"no deployment of {model}"
        path = f"/admin/inference/deployment/{found[1]}/change/"
        form = {
            **form_values(self.get(path).text),
            "cameras": [self.camera_pk(camera) for camera in cameras],
        }
        refuse_errors(self.post(path, form))


def refuse_errors(reply: requests.Response) -> None:
    """AssertionError with the messages of a form that came back."""
    errors = re.findall(r'<ul class="errorlist[^>]*>(.*?)</ul>', reply.text, re.DOTALL)
    assert reply.status_code == 200, f"{reply.status_code} {reply.url}"
    assert not errors, errors


def form_values(page: str) -> dict[str, object]:
    """The names and values of the text fields, checked boxes, chosen options and hidden inputs
    of the page's forms.
    """
    values: dict[str, object] = {}
    for tag in re.findall(r"<input\b[^>]*>", page):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        box = attributes.get("type") == "checkbox"
        if (
            "name" in attributes
            and attributes.get("type") != "submit"
            and (not box or " checked" in tag)
        ):
            values[attributes["name"]] = attributes.get("value", "on")
    for name, options in re.findall(
        r'<select name="([\w-]+)"[^>]*>(.*?)</select>', page, re.DOTALL
    ):
        if chosen := re.search(r'<option value="([^"]*)" selected', options):
            values[name] = chosen[1]
    return values
