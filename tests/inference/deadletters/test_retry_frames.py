from __future__ import annotations

import pytest
from django.test import Client

from cameras.models import Camera
from inference.models import Deployment, Model, ModelVersion, RetriedLetter, Role
from inference.runtimes.base import Picture
from inference.runtimes.errors import InferenceError, ServerUnavailable
from sightline.kafka import Record, topics
from sightline.messages import Detection, FrameRef, Prediction, Timing
from tests.inference.deadletters.conftest import PICTURE, Graveyard
from tests.inference.stub import Detections, Mind, Stub
from tests.support import reading

pytestmark = pytest.mark.django_db


def retry(client: Client, pages: str, target: ModelVersion, place: str = "0/0/") -> str:
    return client.post(pages + place, {"target": target.pk}, follow=True).text


def published(camera: str = "dock") -> Prediction:
    with reading(topics.predictions(camera)) as predictions:
        return Prediction.from_json(predictions.wait(1)[-1].value)


def test_the_model_sees_the_frame_and_its_prediction_is_published(
    graveyard: Graveyard, admin_client: Client, pages: str, iris: ModelVersion, dock: Camera
) -> None:
    Deployment.objects.create(version=iris, role=Role.LIVE, threshold=0.5).cameras.add(dock)
    Stub.minds["eye"].see = lambda picture: (Detection("cat", 0.9), Detection("dog", 0.4))
    frame = graveyard.frame()
    page = retry(admin_client, pages, iris)
    assert "Retried. The model sees cat 0.90. Published to" in page
    said = published()
    assert (said.frame, said.camera, said.model, said.version, said.role) == (
        frame.ref,
        "dock",
        "iris",
        "1",
        "live",
    )
    assert [item.label for item in said.predictions] == ["cat"]
    assert [picture.jpeg for call in Stub.minds["eye"].calls for picture in call] == [PICTURE]
    assert Stub.minds["eye"].closed == 1


def test_a_version_that_does_not_see_the_camera_speaks_in_the_shadow(
    graveyard: Graveyard, admin_client: Client, pages: str, second: ModelVersion, dock: Camera
) -> None:
    graveyard.frame()
    retry(admin_client, pages, second)
    said = published()
    assert (said.version, said.role) == ("2", "shadow")


def test_a_frame_that_fails_again_says_why(
    graveyard: Graveyard, admin_client: Client, pages: str, iris: ModelVersion, dock: Camera
) -> None:
    graveyard.frame(jpeg=b"\xff\xd8 broken")
    Stub.minds["eye"].see = lambda picture: (picture.gray(), ())[1]
    page = retry(admin_client, pages, iris)
    assert "It failed again. The frame is not a JPEG picture, or its header is broken." in page
    assert RetriedLetter.objects.get().succeeded is False
    assert len(graveyard.letters()) == 1, "the letter that is there is enough"


@pytest.mark.parametrize(
    "err", [ValueError("odd <b>"), SystemExit(3), InferenceError("No <b>.", permanent=False)]
)
def test_a_model_may_raise_anything(
    graveyard: Graveyard,
    admin_client: Client,
    pages: str,
    iris: ModelVersion,
    dock: Camera,
    err: BaseException,
) -> None:
    def fail(picture: Picture) -> Detections:
        raise err

    Stub.minds["eye"] = Mind(see=fail)
    graveyard.frame()
    page = retry(admin_client, pages, iris)
    assert "It failed again." in page
    assert "<b>" not in page


@pytest.mark.parametrize(
    "err", [ValueError("odd"), InferenceError("The file is gone.", permanent=True)]
)
def test_a_model_that_does_not_load_says_so(
    graveyard: Graveyard,
    admin_client: Client,
    pages: str,
    iris: ModelVersion,
    dock: Camera,
    err: Exception,
) -> None:
    def fail() -> None:
        raise err

    Stub.minds["eye"] = Mind(on_load=fail)
    graveyard.frame()
    page = retry(admin_client, pages, iris)
    assert "The model does not load." in page
    assert str(err) in page


def test_a_camera_that_is_gone_gets_no_prediction(
    graveyard: Graveyard, admin_client: Client, pages: str, iris: ModelVersion
) -> None:
    graveyard.frame("gone")
    assert "The camera gone is not there any more" in retry(admin_client, pages, iris)


def test_a_frame_without_its_headers_cannot_be_retried(
    graveyard: Graveyard, admin_client: Client, pages: str, iris: ModelVersion
) -> None:
    graveyard.bury(Record(topics.frames("dock").name, 0, 1, 1, b"dock", PICTURE, ()))
    assert "headers are incomplete" in retry(admin_client, pages, iris)


def test_a_frame_cannot_be_edited(
    graveyard: Graveyard, admin_client: Client, pages: str, iris: ModelVersion
) -> None:
    graveyard.frame(jpeg=b"not a picture")
    assert "Correct and retry" not in admin_client.get(f"{pages}0/0/").text
    assert admin_client.post(f"{pages}0/0/", {"target": iris.pk, "record": "{}"}).status_code == 404


def test_a_server_that_is_away_ends_the_retry_of_many(
    graveyard: Graveyard, admin_client: Client, pages: str, iris: ModelVersion, dock: Camera
) -> None:
    def away(picture: Picture) -> Detections:
        if picture.seq >= 2:
            raise ServerUnavailable("The model server at 10.0.0.5:8500 refuses the connection.")
        return ()

    Stub.minds["eye"] = Mind(see=away)
    for _ in range(5):
        graveyard.frame()
    form = {"target": iris.pk, "action": "group", "group": graveyard.letters()[0].group}
    page = admin_client.post(f"{pages}retry/", form, follow=True).text
    assert "refuses the connection" in page
    assert sorted(RetriedLetter.objects.values_list("offset", "succeeded")) == [
        (0, True),
        (1, False),
    ]
    Stub.minds["eye"] = Mind()
    admin_client.post(f"{pages}retry/", form)
    assert RetriedLetter.objects.filter(succeeded=True).count() == 5
    assert sum(len(call) for call in Stub.minds["eye"].calls) == 4, (
        "the one that succeeded is not asked again"
    )
    assert Stub.minds["eye"].closed == 1, "loaded once for all of them"


class TestTwoStages:
    """A model that sees what another one found."""

    @pytest.fixture
    def stages(self, iris: ModelVersion, dock: Camera) -> None:
        faces = ModelVersion.objects.create(
            model=Model.objects.create(slug="faces", name="Faces"),
            version="1",
            runtime="builtin-faces",
        )
        first = Deployment.objects.create(version=faces)
        first.cameras.add(dock)
        Deployment.objects.create(version=iris, crops_of=first, crop_label="face")

    def test_it_sees_the_boxes_that_were_found_in_that_frame(
        self,
        graveyard: Graveyard,
        admin_client: Client,
        pages: str,
        iris: ModelVersion,
        stages: None,
    ) -> None:
        Stub.minds["eye"].see = lambda picture: (Detection("happy", 0.8),)
        frame = graveyard.frame()
        box = (0.25, 0.25, 0.75, 0.75)
        found = (Detection("face", 0.9, box), Detection("hand", 0.9, box))
        for ref, seen in (
            (frame.ref, found),
            (FrameRef(999, frame.captured_at + 1, 640, 360, 1), ()),
        ):
            prediction = Prediction("dock", "faces", "1", "live", ref, seen, Timing(1, 1, 1))
            graveyard.producer.send(
                topics.predictions("dock"), prediction.to_json(), key=prediction.key
            )
        graveyard.producer.send(topics.predictions("dock"), b"not JSON", key="faces@1")
        graveyard.producer.flush(5)
        assert "The model sees happy 0.80." in retry(admin_client, pages, iris)
        assert [(item.label, item.box) for item in published().predictions] == [("happy", box)]
        (picture,) = [picture for call in Stub.minds["eye"].calls for picture in call]
        assert picture.width < 640

    def test_without_them_it_says_why_it_cannot(
        self,
        graveyard: Graveyard,
        admin_client: Client,
        pages: str,
        iris: ModelVersion,
        stages: None,
    ) -> None:
        graveyard.frame()
        assert "sees only what faces@1 finds" in retry(admin_client, pages, iris)
