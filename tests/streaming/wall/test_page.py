from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from cameras.models import Camera as CameraRow
from inference.models import Deployment, Model, ModelVersion
from sightline.messages import CameraStatus
from streaming.hub.hub import Hub
from streaming.hub.states import CameraReport
from tests.streaming.conftest import Camera

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer(hub: Hub, client: Client) -> Client:
    client.force_login(User.objects.create_user("olga"))
    return client


@pytest.fixture
def row() -> CameraRow:
    return CameraRow.objects.create(
        slug="gate", name="Gate <img src=x onerror=alert(1)>", kind="demo", url="demo:conveyor"
    )


def deploy(slug: str, camera: CameraRow, *, role: str = "live", enabled: bool = True) -> None:
    version = ModelVersion.objects.create(
        model=Model.objects.create(slug=slug, name=slug), version="1", runtime="motion"
    )
    Deployment.objects.create(version=version, role=role, enabled=enabled).cameras.add(camera)


def test_the_wall_has_every_camera_with_its_live_models(viewer: Client, row: CameraRow) -> None:
    deploy("qr", row)
    deploy("faces", row, role="shadow")
    deploy("people", row, enabled=False)
    cards = viewer.get("/").context["cameras"]
    assert [(card.slug, card.name, card.enabled, card.models) for card in cards] == [
        ("gate", row.name, True, ("qr 1",))
    ]


def test_the_camera_page_has_its_deployments(viewer: Client, row: CameraRow) -> None:
    deploy("qr", row)
    deploy("faces", row, role="shadow")
    context = viewer.get("/cameras/gate/").context
    assert (context["camera"].pk, context["camera"].slug) == (row.pk, "gate")
    assert {(item.model, item.version, item.role) for item in context["deployments"]} == {
        ("qr", "1", "live"),
        ("faces", "1", "shadow"),
    }


def test_shell_commands_are_for_those_who_administer(viewer: Client, row: CameraRow) -> None:
    def pages() -> list[str]:
        return [viewer.get(path).content.decode() for path in ("/", "/cameras/gate/")]

    assert not any("manage.py" in page or "data-administers" in page for page in pages())
    assert "ask your administrator for one" in pages()[1]

    User.objects.update(is_staff=True)
    assert all("data-administers" in page for page in pages())
    assert "manage.py token olga" in pages()[1]


def test_the_size_is_what_the_capture_worker_says(
    viewer: Client, row: CameraRow, hub: Hub, gate: Camera
) -> None:
    card = viewer.get("/").context["cameras"][0]
    assert (card.width, card.height) == (0, 0)
    status: CameraStatus = gate.report()
    hub.reports["gate"] = CameraReport(status, hub.started_at)
    card = viewer.get("/").context["cameras"][0]
    assert (card.width, card.height) == (320, 180)


def test_names_are_inert(viewer: Client, row: CameraRow) -> None:
    for path in ("/", "/cameras/gate/"):
        assert "<img src=x" not in viewer.get(path).content.decode()


def test_the_number_of_queries_does_not_grow_with_the_cameras(
    viewer: Client, row: CameraRow, django_assert_max_num_queries: object
) -> None:
    for number in range(20):
        camera = CameraRow.objects.create(
            slug=f"c{number}", name=f"C{number}", kind="demo", url="demo:conveyor"
        )
        deploy(f"m{number}", camera)
    with django_assert_max_num_queries(10):  # type: ignore[operator]
        viewer.get("/")


def test_pages_are_not_cached(viewer: Client, row: CameraRow) -> None:
    assert "no-store" in viewer.get("/")["Cache-Control"]


def test_the_pages_work_without_any_camera_and_without_kafka(viewer: Client) -> None:
    assert viewer.get("/").status_code == 200


def test_the_admin_has_the_login_of_all_pages(client: Client) -> None:
    assert (
        client.get("/admin/", follow=True).redirect_chain[-1][0] == "/accounts/login/?next=/admin/"
    )


def test_who_is_no_administrator_is_told_so(viewer: Client) -> None:
    assert viewer.get("/admin/", follow=True).status_code == 403
