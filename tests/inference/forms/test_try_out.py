"""The model as it is typed, asked by the page: nothing is saved."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from cameras.models import Camera
from inference import runtimes
from inference.forms import try_out as tryout
from inference.models import ModelVersion
from inference.runtimes.errors import InferenceError
from sightline.kafka import Producer, topics
from sightline.messages import Detection, Frame
from tests.inference.forms.conftest import picture, upload
from tests.inference.pictures import encode, noise
from tests.inference.stub import KIND, Mind, Stub
from tests.servers.ports import free_port

pytestmark = pytest.mark.django_db
URL = "/admin/inference/model/try/"
SQUARES = {
    "runtime": "onnx",
    "sees": "pictures",
    "options_as": "fields",
    "o-output-adapter": "yolo",
    "try-source": "picture",
}
IRIS = {
    "runtime": "python",
    "sees": "records",
    "options_as": "json",
    "options": '{"model": "iris_model"}',
    "try-source": "record",
}
FLOWER = '{"sepal_length": 1, "sepal_width": 2, "petal_length": 1.5, "petal_width": 0.2}'


@pytest.fixture
def mind(monkeypatch: pytest.MonkeyPatch) -> Mind:
    """What a runtime does that the tests decide about."""
    made = Mind()
    monkeypatch.setitem(runtimes.RUNTIMES, "stub", KIND)
    monkeypatch.setattr(Stub, "minds", {"eye": made})
    return made


def tried(client: Client, **form: Any) -> dict[str, Any]:
    response = client.post(URL, form)
    assert response.status_code == 200
    answer: dict[str, Any] = response.json()
    return answer


def stub(client: Client, **form: Any) -> dict[str, Any]:
    image = SimpleUploadedFile("a.jpg", encode(noise()))
    fields = {
        "runtime": "stub",
        "sees": "pictures",
        "options_as": "json",
        "options": '{"name": "eye"}',
        "try-source": "picture",
        "try-picture": image,
    }
    return tried(client, **{**fields, **form})


def test_a_detector_on_a_picture(admin_client: Client, squares: Path) -> None:
    image = SimpleUploadedFile("a.png", picture())

    answer = tried(admin_client, **SQUARES, file=upload(squares), **{"try-picture": image})

    assert answer["error"] == ""
    found = {
        item["label"]: [round(side * 8, 2) for side in item["box"]]
        for item in answer["predictions"]
    }
    assert found == {"red": [2, 1, 3, 2], "blue": [6, 5, 7, 6]}
    assert answer["inputs"] == [{"name": "images", "datatype": "FP32", "shape": [1, 3, 128, 128]}]
    assert answer["outputs"] == [{"name": "output0", "datatype": "FP32", "shape": [1, 7, 64]}]
    assert answer["median_ms"] > 0
    assert answer["first_ms"] < answer["load_ms"]
    assert not ModelVersion.objects.exists()


def test_a_wrong_adapter_shows_the_tensors_beside_the_sentence(
    admin_client: Client, squares: Path
) -> None:
    chosen = {
        **SQUARES,
        "o-output-adapter": "classification",
        "try-picture": SimpleUploadedFile("a.png", picture()),
    }
    answer = tried(admin_client, **chosen, file=upload(squares))
    assert "shape" in answer["error"]
    assert answer["outputs"][0]["name"] == "output0"


def test_a_record(admin_client: Client) -> None:
    answer = tried(admin_client, **IRIS, **{"try-record": FLOWER})
    assert (answer["result"], answer["error"]) == ({"species": "setosa"}, "")


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ("{", "The record is not JSON"),
        ("[1]", "not an object"),
        ('{"sepal_length": "long"}', "The field 'sepal_length' must be a number; it is \"long\"."),
        ("", "The record is not JSON"),
    ],
)
def test_a_record_that_does_not_fit(admin_client: Client, record: str, said: str) -> None:
    assert said in tried(admin_client, **IRIS, **{"try-record": record})["error"]


def test_what_a_camera_sees_now(
    admin_client: Client, dock: Camera, embedded: str, mind: Mind
) -> None:
    frame = Frame("dock", 7, time.time_ns(), 640, 360, encode(noise()))
    producer = Producer()
    producer.send(topics.frames("dock"), frame.jpeg, key="dock", headers=frame.headers())
    assert producer.flush(5) == 0

    answer = stub(admin_client, **{"try-source": "camera", "try-camera": "dock"})

    assert answer["predictions"] == [
        {"label": "thing", "score": 0.9, "box": [0.25, 0.25, 0.75, 0.75], "text": None}
    ]
    assert answer["picture"].startswith("data:image/jpeg;base64,")
    assert mind.calls[0][0].jpeg == frame.jpeg


def test_a_camera_that_delivers_nothing(
    admin_client: Client, dock: Camera, embedded: str, mind: Mind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tryout.newest_frame, "__defaults__", (0.3,))
    assert (
        "delivers no pictures now"
        in stub(admin_client, **{"try-source": "camera", "try-camera": "dock"})["error"]
    )
    assert (
        stub(admin_client, **{"try-source": "camera", "try-camera": "attic"})["error"]
        == "Choose a camera."
    )


def test_kafka_away_is_a_sentence(
    admin_client: Client, dock: Camera, mind: Mind, settings: Settings
) -> None:
    settings.KAFKA_BOOTSTRAP_SERVERS = ""
    assert (
        "No broker is running here"
        in stub(admin_client, **{"try-source": "camera", "try-camera": "dock"})["error"]
    )


def test_a_model_that_hangs_is_left_after_the_deadline(
    admin_client: Client, mind: Mind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tryout, "SECONDS", 0.2)
    go_on = threading.Event()
    mind.on_load = go_on.wait
    try:
        assert (
            stub(admin_client)["error"]
            == "It took longer than 0.2 s, so the trial was ended. Nothing was saved."
        )
        assert [stub(admin_client)["error"][:12] for _ in range(3)] == [
            "It took long",
            "It took long",
            "Other models",
        ]
    finally:
        go_on.set()


def test_what_a_model_raises_is_told(admin_client: Client, mind: Mind) -> None:
    def fail() -> None:
        raise ZeroDivisionError("rtsp://admin:secret@10.0.0.5/ <img onerror=alert(1)>")

    mind.on_call = fail
    error = stub(admin_client)["error"]
    assert error.startswith("The model failed. ZeroDivisionError: ")
    assert "secret" not in error
    assert mind.closed == 1


def test_predictions_are_bounded(admin_client: Client, mind: Mind) -> None:
    mind.see = lambda _: tuple(Detection("x", 0.5, text="y" * 9000) for _ in range(500))
    answer = stub(admin_client)
    assert (len(answer["predictions"]), len(answer["predictions"][0]["text"])) == (200, 4002)
    assert answer["notes"] == ["The first 200 of 500 predictions are shown."]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"try-picture": ""}, "Choose a picture"),
        ({"try-picture": SimpleUploadedFile("a.txt", b"hello")}, "choose a JPEG or a PNG"),
        ({"try-picture": SimpleUploadedFile("a.jpg", b"\xff\xd8broken")}, "not a JPEG picture"),
        ({"try-picture": SimpleUploadedFile("a.jpg", bytes(9 * 2**20))}, "too large"),
        ({"options": "{"}, "Options are a JSON object"),
        ({"options": '{"taste": 1}'}, "'taste' is not known"),
        ({"runtime": "abacus"}, "Choose a runtime first"),
        ({"runtime": "onnx", "options": "{}"}, "Choose the model's file first"),
    ],
)
def test_what_is_missing_is_said(
    admin_client: Client, mind: Mind, form: dict[str, Any], said: str
) -> None:
    assert said in stub(admin_client, **form)["error"]


def test_a_server_is_asked_only_where_one_may_be(admin_client: Client, settings: Settings) -> None:
    settings.MODEL_ALLOWED_NETWORKS = []
    options = json.dumps({"address": f"http://127.0.0.1:{free_port()}", "model": "x"})
    form = {
        "runtime": "kserve-rest",
        "sees": "pictures",
        "options_as": "json",
        "options": options,
        "try-source": "picture",
    }
    answer = tried(admin_client, **form, **{"try-picture": SimpleUploadedFile("a.png", picture())})
    assert "is this machine itself, so no model server is asked there" in answer["error"]


def test_motion_needs_more_than_a_picture(admin_client: Client) -> None:
    image = SimpleUploadedFile("a.png", picture())
    answer = tried(
        admin_client,
        runtime="builtin-motion",
        sees="pictures",
        options_as="fields",
        **{"try-source": "picture", "try-picture": image},
    )
    assert "one picture alone shows none" in answer["notes"][0]


def test_only_who_may_change_models_tries_them(client: Client, mind: Mind) -> None:
    user = User.objects.create_user("viewer", password="viewer", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_model"))
    client.force_login(user)
    assert client.post(URL, {}).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="change_modelversion"))
    assert client.post(URL, {}).status_code == 200
    assert client.get(URL).status_code == 405
    assert Client().post(URL, {}).status_code == 302


def test_a_trial_carries_the_token_of_its_form(admin_user: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    assert client.post(URL, {}).status_code == 403


def test_a_picture_must_be_one() -> None:
    with pytest.raises(InferenceError, match="choose a JPEG or a PNG"):
        tryout.picture_of(b"GIF89a")
