from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from cameras import probe
from cameras.models import Camera, Health, Outage
from cameras.sources.credentials import SecretError
from sightline.jobs.app import app
from tests.inference.pictures import blank, encode
from tests.servers.mjpeg import MjpegServer
from tests.servers.ports import free_port

ADD = "/admin/cameras/camera/add/"
LIST = "/admin/cameras/camera/"
FIELDS = {
    "name": "Dock",
    "slug": "dock",
    "enabled": "on",
    "kind": "rtsp",
    "url": "rtsp://192.168.1.20:554/stream1",
    "username": "",
    "new_password": "",
    "transport": "tcp",
    "fps": "10",
    "max_width": "1280",
    "quality": "80",
}
NO_OUTAGES = {
    f"outages-{name}": "0"
    for name in ("TOTAL_FORMS", "INITIAL_FORMS", "MIN_NUM_FORMS", "MAX_NUM_FORMS")
}

Submit = Callable[..., HttpResponse]


@pytest.fixture(autouse=True)
def quick_hashes(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def submit(
    admin_client: Client,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[Any]],
) -> Submit:
    """Post a form as the administrator; the jobs it queues run at once."""
    monkeypatch.setitem(app.conf, "task_always_eager", True)
    monkeypatch.setattr(probe, "WATCH_SECONDS", 0.2)

    def submit(url: str, /, **fields: Any) -> HttpResponse:
        with django_capture_on_commit_callbacks(execute=True):
            response = admin_client.post(url, fields)
        assert isinstance(response, HttpResponse)
        return response

    return submit


def add(submit: Submit, **fields: Any) -> HttpResponse:
    return submit(ADD, **{**FIELDS, **fields})


def change(submit: Submit, camera: Camera, **fields: Any) -> HttpResponse:
    unchanged = {name: value for name, value in FIELDS.items() if name != "slug"}
    return submit(f"{LIST}{camera.pk}/change/", **{**unchanged, **NO_OUTAGES, **fields})


def errors(response: HttpResponse) -> dict[str, list[str]]:
    form: Any = response.context["adminform"].form  # type: ignore[attr-defined]
    return {name: [str(message) for message in messages] for name, messages in form.errors.items()}


def page(client: Client, camera: Camera, view: str = "change") -> str:
    response = client.get(f"{LIST}{camera.pk}/{view}/")
    assert response.status_code == 200
    return response.content.decode()


def test_a_camera_is_added(submit: Submit) -> None:
    response = add(submit, username="operator", new_password=" s3cret ", enabled="")

    assert response.status_code == 302
    camera = Camera.objects.get()
    assert (camera.slug, camera.url, camera.username, camera.password) == (
        "dock",
        FIELDS["url"],
        "operator",
        " s3cret ",
    )


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"url": "rtsp://192.168.1.20/stream 1"}, "url", "contains a space"),
        ({"url": "rtsp://192.168.1.20/a\\b"}, "url", "backslash"),
        ({"url": "rtsp://192.168.1.20/\u202estream"}, "url", "invisible character"),
        ({"url": "rtsp://192.168.1.20/<script>"}, "url", "percent form"),
        ({"url": "rtsp://operator:secret@192.168.1.20/"}, "url", "their own fields"),
        ({"url": "http://192.168.1.20/"}, "url", "starts with rtsp://"),
        ({"url": "rtsp://169.254.169.254/"}, "url", "no camera"),
        ({"kind": "file", "url": "/videos/dock.mp4"}, "kind", "not one of the available choices"),
        ({"slug": "Dock!"}, "slug", "lower-case letters"),
        ({"slug": "admin"}, "slug", "reserved"),
        ({"slug": "taken"}, "slug", "already a camera with this short name"),
        ({"name": ""}, "name", "required"),
        ({"username": "guard\r\nX-Evil: 1"}, "username", "Leave out line breaks"),
        ({"username": "gu\u2028ard"}, "username", "Leave out line breaks"),
        ({"new_password": "one\ntwo"}, "new_password", "Leave out line breaks"),
        ({"fps": "0"}, "fps", "greater than or equal to 0.1"),
        ({"fps": "nan"}, "fps", "number"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    submit: Submit, fields: dict[str, str], field: str, said: str
) -> None:
    Camera.objects.create(slug="taken", name="FrameOutcome", kind="demo", url="demo:conveyor")

    response = add(submit, **fields)

    assert response.status_code == 200
    assert any(said in message for message in errors(response)[field])
    assert Camera.objects.count() == 1


def test_a_file_can_be_a_camera_where_the_settings_allow_it(
    submit: Submit, settings: Settings
) -> None:
    settings.CAMERA_ALLOW_FILE = True

    assert add(submit, kind="file", url="/videos/dock.mp4").status_code == 302


def test_the_password_is_never_shown(submit: Submit, admin_client: Client) -> None:
    add(submit, new_password="s3cret-one", enabled="")
    camera = Camera.objects.get()
    change(submit, camera, new_password="s3cret-two", enabled="")
    refused = change(submit, camera, new_password="s3cret-three", fps="0", enabled="")

    assert Camera.objects.get().password == "s3cret-two"
    shown = [
        page(admin_client, camera),
        page(admin_client, camera, "history"),
        refused.content.decode(),
    ]
    shown += [
        admin_client.get(LIST).content.decode(),
        *LogEntry.objects.values_list("change_message", flat=True),
    ]
    assert not any("s3cret" in text or camera.password_sealed in text for text in shown)


def test_an_empty_password_field_keeps_the_password(submit: Submit) -> None:
    add(submit, new_password="s3cret", enabled="")
    change(submit, Camera.objects.get(), name="Dock 2", enabled="")

    assert (Camera.objects.get().name, Camera.objects.get().password) == ("Dock 2", "s3cret")


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"url": "rtsp://192.168.1.21:554/stream1"},
        {"url": "rtsp://192.168.1.20:8554/stream1"},
        {"url": "rtsps://192.168.1.20:554/stream1"},
        {"kind": "mjpeg", "url": "http://192.168.1.20:554/stream1"},
    ],
)
def test_a_password_is_entered_again_for_another_destination(
    submit: Submit, elsewhere: dict[str, str]
) -> None:
    add(submit, new_password="s3cret", enabled="")
    camera = Camera.objects.get()

    refused = change(submit, camera, **elsewhere, enabled="")
    assert "entered for rtsp://192.168.1.20:554" in errors(refused)["new_password"][0]
    assert "s3cret" not in refused.content.decode()
    Camera.objects.update(**elsewhere)  # by whatever way the address changes
    with pytest.raises(SecretError, match="entered for"):
        _ = Camera.objects.get().password
    Camera.objects.update(kind="rtsp", url=FIELDS["url"])

    assert change(submit, camera, **elsewhere, new_password="n3w", enabled="").status_code == 302
    assert Camera.objects.get().password == "n3w"


def test_another_path_keeps_the_password(submit: Submit) -> None:
    add(submit, new_password="s3cret", enabled="")
    camera = Camera.objects.get()
    assert change(submit, camera, url=f"{FIELDS['url']}/sub", enabled="").status_code == 302
    assert Camera.objects.get().password == "s3cret"


def test_a_password_can_be_removed(submit: Submit) -> None:
    add(submit, new_password="s3cret", enabled="")
    change(submit, Camera.objects.get(), forget_password="on", enabled="")

    assert Camera.objects.get().password == ""


def test_the_slug_can_be_read_only(submit: Submit, admin_client: Client) -> None:
    add(submit, enabled="")
    camera = Camera.objects.get()
    change(submit, camera, slug="gate", enabled="")

    assert Camera.objects.get().slug == "dock"
    assert 'name="slug"' not in page(admin_client, camera)
    assert 'name="slug"' in admin_client.get(ADD).content.decode()


def test_a_saved_camera_is_probed_and_its_picture_shown(
    submit: Submit, admin_client: Client
) -> None:
    with MjpegServer([encode(blank(640, 360))], fps=20) as server:
        add(submit, kind="mjpeg", url=server.url)

    shown = page(admin_client, Camera.objects.get())
    assert "mjpeg, 640×360" in shown
    address = "/cameras/dock/thumbnail.jpg"
    assert f'src="{address}"' in shown
    assert f'src="{address}"' in admin_client.get(LIST).content.decode()
    picture = admin_client.get(address)
    assert picture.content.startswith(b"\xff\xd8")
    assert picture["Cache-Control"] == "private, max-age=60"
    known = {"If-Modified-Since": picture["Last-Modified"]}
    assert admin_client.get(address, headers=known).status_code == 304


def test_what_the_probe_could_not_do_is_shown(submit: Submit, admin_client: Client) -> None:
    port = free_port()
    add(submit, kind="mjpeg", url=f"http://127.0.0.1:{port}/")

    assert f"refuses connections on port {port}" in page(admin_client, Camera.objects.get())


def test_a_disabled_camera_is_not_probed(submit: Submit) -> None:
    add(submit, enabled="")

    assert not Health.objects.exists()


def test_states_and_outages_are_shown(submit: Submit, admin_client: Client) -> None:
    add(submit, enabled="")
    camera = Camera.objects.get()
    Camera.objects.update(enabled=True)
    now = timezone.now()
    Health.objects.create(
        camera=camera, state="unreachable", since=now, detail="It does not answer."
    )
    Outage.objects.create(
        camera=camera,
        state="unreachable",
        detail="It was off yesterday.",
        started_at=now - timedelta(days=1),
        ended_at=now,
    )
    Outage.objects.create(
        camera=camera,
        state="unreachable",
        detail="Long ago.",
        started_at=now - timedelta(days=30),
        ended_at=now,
    )

    shown = page(admin_client, camera)
    assert "unreachable: It does not answer." in shown
    assert "It was off yesterday." in shown
    assert "Long ago." not in shown


@pytest.mark.parametrize(("action", "enabled"), [("enable", True), ("disable", False)])
def test_cameras_are_switched_together(submit: Submit, action: str, enabled: bool) -> None:
    cameras = [
        Camera.objects.create(
            slug=slug, name=slug, kind="demo", url="demo:conveyor", enabled=not enabled
        )
        for slug in ("a", "b")
    ]

    submit(LIST, action=action, _selected_action=[camera.pk for camera in cameras])

    assert set(Camera.objects.values_list("enabled", flat=True)) == {enabled}


def test_cameras_are_probed_again(submit: Submit, admin_client: Client) -> None:
    camera = Camera.objects.create(slug="a", name="A", kind="demo", url="demo:conveyor")
    Camera.objects.create(slug="off", name="Off", kind="demo", url="demo:conveyor", enabled=False)

    submit(
        LIST,
        action="probe_again",
        _selected_action=list(Camera.objects.values_list("pk", flat=True)),
    )

    assert Health.objects.get().camera == camera
    assert Health.objects.get().codec == "demo"
    assert "1 camera" in admin_client.get(LIST).content.decode()


def test_a_camera_is_deleted_with_what_is_known_of_it(submit: Submit) -> None:
    camera = Camera.objects.create(slug="a", name="A", kind="demo", url="demo:conveyor")
    Health.objects.create(camera=camera)
    Outage.objects.create(camera=camera, state="stalled", started_at=timezone.now())

    submit(f"{LIST}{camera.pk}/delete/", post="yes")

    assert not Camera.objects.exists()
    assert not Health.objects.exists()
