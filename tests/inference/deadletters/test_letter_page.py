from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from inference.runtimes.errors import InferenceError
from sightline.kafka import reader, topics
from tests.inference.deadletters.conftest import PICTURE, Graveyard
from tests.inference.pictures import encode, noise

pytestmark = pytest.mark.django_db


def test_all_that_is_known_is_shown(graveyard: Graveyard, admin_client: Client, pages: str) -> None:
    graveyard.record(b'{"sepal_width":3.1}', ValueError("odd"), attempt=3)
    page = admin_client.get(f"{pages}0/0/").text
    for text in (
        "builtins.ValueError",
        "odd",
        "own.records.iris.1",
        topics.inputs("iris", "1").name,
        "flower-7",
        "Header trace",
        "abc",
    ):
        assert text in page
    assert '<pre class="dl-text">{\n  &quot;sepal_width&quot;: 3.1\n}</pre>' in page
    assert "<details" in page.partition("ValueError: odd\n")[0], "the stack trace is folded"


@pytest.mark.parametrize(
    "value",
    [None, b"", b"\x00\xff\x00", b"[" * 100_000, b'"\\ud800"', b"1" * 300_000, "\u2028é".encode()],
)
def test_any_value_can_be_looked_at(
    graveyard: Graveyard, admin_client: Client, pages: str, value: bytes | None
) -> None:
    graveyard.record(value, key=b"\xff\x00")
    assert admin_client.get(pages).status_code == 200
    assert admin_client.get(f"{pages}0/0/").status_code == 200


def test_a_record_of_another_program_can_be_looked_at(
    graveyard: Graveyard, admin_client: Client, pages: str
) -> None:
    graveyard.producer.send(
        topics.errors("iris", "1"),
        b"hello",
        headers={"dlt-original-partition": b"x", "dlt-exception-fqcn": b"\xff"},
    )
    graveyard.producer.flush(5)
    page = admin_client.get(f"{pages}0/0/").text
    assert "unknown" in page
    assert "hello" in page


def test_a_picture_is_served_as_what_it_is_and_nothing_else(
    graveyard: Graveyard, admin_client: Client, pages: str
) -> None:
    graveyard.frame()
    response = admin_client.get(f"{pages}0/0/picture")
    assert isinstance(response, HttpResponse)
    assert response.content == PICTURE
    assert response.headers["Content-Type"] == "image/jpeg"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "value",
    [
        b"<html><script>alert(1)</script>",
        b"<svg onload='alert(1)'/>",
        b"\xff\xd8\xff<script>",
        b"{}",
        None,
    ],
)
def test_what_is_no_picture_is_not_served(
    graveyard: Graveyard, admin_client: Client, pages: str, value: bytes | None
) -> None:
    graveyard.record(value)
    assert admin_client.get(f"{pages}0/0/picture").status_code == 404


def test_a_picture_can_be_a_record(graveyard: Graveyard, admin_client: Client, pages: str) -> None:
    graveyard.record(encode(noise()))
    page = admin_client.get(f"{pages}0/0/").text
    assert "dl-picture" in page
    assert "Correct and retry" not in page


@pytest.mark.parametrize("place", ["0/1", "3/0", "77/0", "0/99999999999999999999"])
def test_where_nothing_lies_is_not_found(
    graveyard: Graveyard, admin_client: Client, pages: str, place: str
) -> None:
    graveyard.record(b"{}")
    for address in (f"{pages}{place}/", f"{pages}{place}/picture"):
        assert admin_client.get(address).status_code == 404


def test_another_models_version_is_not_found(
    graveyard: Graveyard, admin_client: Client, pages: str
) -> None:
    assert admin_client.get(pages.removesuffix("1/") + "9/").status_code == 404
    assert admin_client.get(pages.removesuffix("1/") + "%3Cb%3E/").status_code == 404
    assert admin_client.get("/admin/inference/model/999/deadletters/1/").status_code == 404


class TestKafkaAway:
    """There is a clear page, whatever is asked for."""

    @pytest.fixture(autouse=True)
    def away(
        self, graveyard: Graveyard, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reader, "ASK_SECONDS", 0.3)
        graveyard.record(b"{}", InferenceError("No.", permanent=True))
        settings.KAFKA_BOOTSTRAP_SERVERS = "127.0.0.1:9"

    @pytest.mark.parametrize("place", ["", "0/0/", "0/0/picture"])
    def test_looking(self, admin_client: Client, pages: str, place: str) -> None:
        response = admin_client.get(pages + place)
        assert response.status_code == 503
        assert "Kafka does not answer" in response.text
        assert "127.0.0.1:9" in response.text

    @pytest.mark.parametrize(
        "form", [{"action": "selected", "letters": ["0:0"]}, {"action": "group", "group": "0" * 16}]
    )
    def test_retrying(
        self, admin_client: Client, graveyard: Graveyard, pages: str, form: dict[str, object]
    ) -> None:
        response = admin_client.post(f"{pages}retry/", {"target": graveyard.version.pk, **form})
        assert response.status_code == 503
        assert "Kafka does not answer" in response.text
