"""Who may do what in the admin: every address, asked and posted to by everybody, with a valid
token of the form.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.core import serializers
from django.test import Client
from django.urls import URLPattern, URLResolver
from django.utils import timezone
from pytest_django import Settings

from cameras.models import Camera, CameraGroup
from inference.models import Deployment, Model, ModelVersion
from inference.runtimes import RUNTIMES
from streaming.models import ApiToken

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("embedded", "rows")]

NEVER: Final = "never"
# Beside nobody, a user without the admin, and a superuser.
STAFF: Final[dict[str, tuple[str, ...]]] = {
    "guest": (),
    "observer": ("view_*",),
    "camera editor": ("view_camera", "add_camera", "change_camera", "delete_camera"),
    "model editor": (
        "view_model",
        "add_model",
        "change_model",
        "view_modelversion",
        "add_modelversion",
        "change_modelversion",
    ),
    "deployer": ("view_deployment", "add_deployment", "change_deployment"),
}
PEOPLE: Final = ("nobody", "user", *STAFF, "administrator")


@dataclass(frozen=True, slots=True)
class Route:
    """An address, and which right lets somebody ask for it and post to it. ``""``: all staff have
    it; None: there is no such method. ``refusal`` is what other staff get.
    """

    path: str
    get: str | None
    post: str | None
    refusal: int = 403


def model_routes(app: str, model: str, without: str = "") -> dict[str, Route]:
    """The addresses that Django makes for a model, ``without`` adding or changing it by hand."""
    top, name = f"/admin/{app}/{model}/", f"{app}_{model}"
    view, add, change, delete = (
        NEVER if right in without.split() else f"{app}.{right}_{model}"
        for right in ("view", "add", "change", "delete")
    )
    return {
        f"{name}_changelist": Route(top, view, view),
        f"{name}_add": Route(f"{top}add/", add, add),
        f"{name}_history": Route(f"{top}1/history/", view, view),
        f"{name}_delete": Route(f"{top}1/delete/", delete, delete),
        f"{name}_change": Route(f"{top}1/change/", view, change),
    }


IN_CAMERAS: Final = "cameras.view_camera|cameras.view_cameragroup"
VERSIONS: Final = "inference.add_modelversion|inference.change_modelversion"
LETTERS: Final = "/admin/inference/model/1/deadletters/"
ROUTES: Final[dict[str, Route]] = {
    **model_routes("auth", "group"),
    **model_routes("auth", "user"),
    **model_routes("axes", "accessattempt", without="add"),
    **model_routes("axes", "accesslog", without="add"),
    **model_routes("axes", "accessfailurelog", without="add"),
    **model_routes("cameras", "camera"),
    **model_routes("cameras", "cameragroup"),
    **model_routes("inference", "model"),
    **model_routes("inference", "modelversion"),
    **model_routes("inference", "deployment"),
    **model_routes("streaming", "apitoken", without="add change"),
    "index": Route("/admin/", "", ""),
    "app_list": Route("/admin/cameras/", IN_CAMERAS, IN_CAMERAS, refusal=404),
    "password_change": Route("/admin/password_change/", "", ""),
    "password_change_done": Route("/admin/password_change/done/", "", None),
    "jsi18n": Route("/admin/jsi18n/", "", None),
    "auth_user_password_change": Route(
        "/admin/auth/user/1/password/", "auth.change_user", "auth.change_user"
    ),
    "inference_model_options": Route("/admin/inference/model/options/", None, VERSIONS),
    "inference_model_describe": Route("/admin/inference/model/describe/", None, VERSIONS),
    "inference_model_try": Route("/admin/inference/model/try/", None, VERSIONS),
    "inference_model_all_deadletters": Route(
        LETTERS, "inference.view_model", "inference.view_model"
    ),
    "inference_model_deadletters": Route(
        f"{LETTERS}1/", "inference.view_model", "inference.view_model"
    ),
    "inference_model_retry_deadletters": Route(
        f"{LETTERS}1/retry/", "inference.change_model", "inference.change_model"
    ),
    "inference_model_deadletter": Route(
        f"{LETTERS}1/0/0/", "inference.view_model", "inference.change_model"
    ),
    "inference_model_deadletter_picture": Route(
        f"{LETTERS}1/0/0/picture", "inference.view_model", "inference.view_model"
    ),
}
# Django's own: they lead elsewhere, or answer by what is asked of them.
ELSEWHERE: Final = {"login", "logout", "autocomplete", "view_on_site", None}


@pytest.fixture
def rows(db: None, settings: Settings) -> None:
    """One row of each kind, with the number 1, and everybody."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.AXES_ENABLED = False
    administrator = User.objects.create_superuser("administrator", pk=1)
    User.objects.create_user("user")
    for name, codenames in STAFF.items():
        user = User.objects.create_user(name, is_staff=True)
        for codename in codenames:
            found = (
                {"codename__startswith": "view_"}
                if codename == "view_*"
                else {"codename": codename}
            )
            user.user_permissions.add(*Permission.objects.filter(**found))
    Group.objects.create(pk=1, name="Guards")
    AccessAttempt.objects.create(pk=1, username="guard", failures_since_start=1)
    AccessLog.objects.create(pk=1, username="guard")
    AccessFailureLog.objects.create(pk=1, username="guard")
    camera = Camera.objects.create(pk=1, slug="gate", name="Gate", kind="demo", url="demo:conveyor")
    CameraGroup.objects.create(pk=1, name="Yard", slug="yard").cameras.add(camera)
    model = Model.objects.create(pk=1, slug="qr", name="QR codes")
    version = ModelVersion.objects.create(pk=1, model=model, version="1", runtime="builtin-qr")
    Deployment.objects.create(pk=1, version=version).cameras.add(camera)
    ApiToken.objects.create(pk=1, user=administrator, digest="0" * 64, expires_at=timezone.now())


def client_of(person: str) -> Client:
    """Somebody's browser, which sends the form's token with each request."""
    token = "a" * 32
    client = Client(enforce_csrf_checks=True, headers={"X-CSRFToken": token})
    if person != "nobody":
        client.force_login(User.objects.get(username=person))
    client.cookies["csrftoken"] = token
    return client


def may(person: str, right: str) -> bool:
    """Whether somebody has one of these rights, and may use the admin at all."""
    user = User.objects.filter(username=person, is_staff=True).first()
    if user is None or right == NEVER:
        return False
    return not right or any(map(user.has_perm, right.split("|")))


def fits(answer: Any, route: Route, right: str | None, person: str) -> bool:
    """Whether somebody got the answer that they should."""
    if person in ("nobody", "user"):
        return answer.status_code in (403, 405) or "/login/" in answer.get("Location", "")
    if right is None:
        return answer.status_code in (403, 405)
    if may(person, right):
        return answer.status_code in (200, 302, 404)  # there are no dead letters
    return bool(answer.status_code == route.refusal)


def everything() -> str:
    """All rows of cameras, models and what belongs to them, as text."""
    labels = ("cameras", "inference", "streaming")
    models = [model for label in labels for model in apps.get_app_config(label).get_models()]
    return "".join(
        serializers.serialize("json", model._default_manager.order_by("pk")) for model in models
    )


@pytest.mark.parametrize("person", PEOPLE)
def test_each_address_is_for_those_who_have_its_right(person: str) -> None:
    client, before, wrong = client_of(person), everything(), {}
    for name, route in ROUTES.items():
        for method, right in (("get", route.get), ("post", route.post)):
            answer = getattr(client, method)(route.path)
            if not fits(answer, route, right, person):
                wrong[f"{method} {name}"] = answer.status_code
    assert wrong == {}
    assert everything() == before  # empty forms change nothing


def test_every_address_of_the_admin_is_listed() -> None:
    names = {name for name in _names(admin.site.get_urls()) if name not in ELSEWHERE}
    assert names == ROUTES.keys()


def _names(patterns: list[URLPattern | URLResolver]) -> Iterator[str | None]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _names(pattern.url_patterns)
        else:
            yield pattern.name


@pytest.mark.parametrize("action", ["disable", "enable", "probe_again", "delete_selected"])
def test_actions_ask_for_the_right_of_what_they_change(action: str) -> None:
    before = everything()
    chosen = {"action": action, "_selected_action": "1", "post": "yes"}
    client_of("observer").post("/admin/cameras/camera/", chosen)
    assert everything() == before


def test_the_groups_of_a_camera_change_with_the_right_to_change_groups() -> None:
    fields = {"name": "Gate 2", "enabled": "on", "kind": "demo", "url": "demo:conveyor"}
    fields |= {"transport": "tcp", "fps": "10", "max_width": "1280", "quality": "80"}
    fields |= {f"outages-{name}_FORMS": "0" for name in ("TOTAL", "INITIAL")}
    path = "/admin/cameras/camera/1/change/"

    assert client_of("camera editor").post(path, fields).status_code == 302
    camera = Camera.objects.get()
    assert (camera.name, [group.name for group in camera.groups.all()]) == ("Gate 2", ["Yard"])
    assert "Yard" in client_of("camera editor").get(path).content.decode()
    assert client_of("administrator").post(path, fields).status_code == 302
    assert not camera.groups.exists()


def test_a_new_version_runs_with_the_right_to_add_deployments() -> None:
    fields = {"model": "1", "version": "2", "runtime": "builtin-qr", "options": "{}"}
    fields |= {"sees": "pictures", "deploy-wanted": "on", "deploy-cameras": "1"}
    fields |= {"deploy-role": "live", "deploy-threshold": "0", "deploy-batch": "1"}
    fields |= {"deploy-batch_ms": "5"}
    path = "/admin/inference/modelversion/add/"

    assert client_of("model editor").post(path, fields).status_code == 302
    assert not ModelVersion.objects.get(version="2").deployments.exists()
    assert "deploy-wanted" not in client_of("model editor").get(path).content.decode()
    assert client_of("administrator").post(path, {**fields, "version": "3"}).status_code == 302
    assert ModelVersion.objects.get(version="3").deployments.exists()


def test_those_who_may_only_look_see_a_page_without_fields() -> None:
    for path, shown in (
        ("/admin/cameras/camera/1/change/", "stored, never shown"),
        ("/admin/inference/modelversion/1/change/", RUNTIMES["builtin-qr"].title),
    ):
        camera = Camera.objects.get()
        camera.password = "s3cret"
        camera.save()
        page = client_of("observer").get(path).content.decode()
        assert shown in page
        assert 'name="_save"' not in page
