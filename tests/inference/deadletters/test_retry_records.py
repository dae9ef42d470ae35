from __future__ import annotations

import re
import threading
from typing import Any

import pytest
from celery.signals import worker_shutting_down
from django.test import Client
from kombu.exceptions import OperationalError

from inference.deadletters import tasks
from inference.models import Deployment, InputKind, ModelVersion, RetriedLetter
from inference.runtimes.errors import InferenceError
from sightline.kafka import topics
from tests.inference.deadletters.conftest import Graveyard
from tests.support import Reader, reading

pytestmark = pytest.mark.django_db

BROKEN = InferenceError("not JSON: line 1", permanent=True)


def values(reader: Reader, count: int) -> list[bytes | None]:
    return [record.value for record in reader.wait(count)]


def retry(client: Client, pages: str, target: ModelVersion, **form: Any) -> str:
    """The text of the page that comes after a retry of several."""
    return client.post(f"{pages}retry/", {"target": target.pk, **form}, follow=True).text


def test_one_goes_back_as_it_came(
    graveyard: Graveyard, admin_client: Client, pages: str, iris: ModelVersion
) -> None:
    value = b'\x00{"n": 1.10}\n'
    graveyard.record(
        value,
        key=b"\xffkey",
        headers=(("trace", b"1"), ("trace", b"2"), ("dlt-delivery-attempt", b"2")),
        attempt=3,
        partition=2,
    )
    response = admin_client.post(f"{pages}0/0/", {"target": iris.pk}, follow=True)
    assert f"Retried. Sent to {topics.inputs('iris', '1').name}." in response.text
    with reading(topics.inputs("iris", "1")) as inputs:
        inputs.consumer.watch(topics.inputs("iris", "1"), 2, 0)
        (record,) = inputs.wait(1)
    assert (record.value, record.key, record.partition) == (value, b"\xffkey", 2)
    assert record.headers == (("trace", b"1"), ("trace", b"2"), ("dlt-delivery-attempt", b"4"))


def test_a_null_goes_back_as_a_null(
    graveyard: Graveyard, admin_client: Client, pages: str, iris: ModelVersion
) -> None:
    graveyard.record(None)
    admin_client.post(f"{pages}0/0/", {"target": iris.pk})
    with reading(topics.inputs("iris", "1")) as inputs:
        assert values(inputs, 1) == [None]


def test_it_can_go_to_another_version(
    graveyard: Graveyard, admin_client: Client, pages: str, second: ModelVersion
) -> None:
    graveyard.record(b"{}")
    assert (
        "against iris 2 by admin"
        in admin_client.post(f"{pages}0/0/", {"target": second.pk}, follow=True).text
    )
    with reading(topics.inputs("iris", "2")) as inputs:
        assert values(inputs, 1) == [b"{}"]


def test_it_says_when_no_deployment_takes_the_records(
    graveyard: Graveyard, admin_client: Client, pages: str, iris: ModelVersion
) -> None:
    graveyard.record(b"{}")
    assert (
        "they wait there until one does"
        in admin_client.post(f"{pages}0/0/", {"target": iris.pk}, follow=True).text
    )
    Deployment.objects.create(version=iris, kind=InputKind.RECORDS)
    page = admin_client.post(f"{pages}0/0/", {"target": iris.pk}, follow=True).text
    assert "they wait there until one does" not in page


def test_what_was_retried_is_marked(
    graveyard: Graveyard, admin_client: Client, pages: str, iris: ModelVersion
) -> None:
    graveyard.record(b"{}")
    graveyard.record(b"{}")
    admin_client.post(f"{pages}0/0/", {"target": iris.pk})
    row = RetriedLetter.objects.get()
    assert (row.model_version, row.topic, row.offset, row.succeeded) == (
        iris,
        topics.errors("iris", "1").name,
        0,
        True,
    )
    page = admin_client.get(pages).text
    assert len(re.findall("Retried\\s+20", page)) == 1


def test_a_retry_is_not_taken_for_one_of_a_recreated_topics_letter(
    graveyard: Graveyard, admin_client: Client, pages: str, iris: ModelVersion
) -> None:
    graveyard.record(b"{}")
    admin_client.post(f"{pages}0/0/", {"target": iris.pk})
    RetriedLetter.objects.update(timestamp=1)
    assert "dl-mark" not in admin_client.get(pages).text


def test_a_broken_record_is_corrected_and_sent(
    graveyard: Graveyard, admin_client: Client, pages: str, iris: ModelVersion
) -> None:
    graveyard.record(b'{"sepal_length": 1.1', BROKEN)
    assert "{&quot;sepal_length&quot;: 1.1</textarea>" in admin_client.get(f"{pages}0/0/").text
    response = admin_client.post(
        f"{pages}0/0/", {"target": iris.pk, "record": '{"sepal_length":\r\n 1.1}'}, follow=True
    )
    assert "Retried." in response.text
    with reading(topics.inputs("iris", "1")) as inputs:
        (record,) = inputs.wait(1)
    assert (record.value, record.key) == (b'{"sepal_length":\n 1.1}', b"flower-7")
    assert record.header_map == {"trace": b"abc", "dlt-delivery-attempt": b"2"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"sepal_length": 1.1', "The record is not JSON"),
        ("[1]", "The record is not a JSON object"),
        ('{"sepal_length": NaN}', "NaN is not a number"),
        ("[" * 100_000, "The record is not JSON"),
        ("", "This field is required"),
        ('{"sepal_width": 1}', "sepal_length"),
        ('{"sepal_length": "long"}', "must be a number"),
    ],
)
def test_a_wrong_correction_is_refused_and_kept(
    graveyard: Graveyard,
    admin_client: Client,
    pages: str,
    second: ModelVersion,
    text: str,
    said: str,
) -> None:
    graveyard.record(b"{", BROKEN)
    response = admin_client.post(f"{pages}0/0/", {"target": second.pk, "record": text})
    assert said in response.text
    assert response.context["correct_form"]["record"].value() == text
    assert not RetriedLetter.objects.exists()
    with reading(topics.inputs("iris", "2")) as inputs:
        assert inputs.read() == []


def test_what_cannot_be_edited_takes_no_correction(
    graveyard: Graveyard, admin_client: Client, pages: str, iris: ModelVersion
) -> None:
    graveyard.record(b"\x00\xff")
    assert admin_client.post(f"{pages}0/0/", {"target": iris.pk, "record": "{}"}).status_code == 404


def test_selected_ones_are_retried(
    graveyard: Graveyard, admin_client: Client, pages: str, iris: ModelVersion
) -> None:
    for number in range(4):
        graveyard.record(b"%d" % number)
    page = retry(admin_client, pages, iris, action="selected", letters=["0:1", "0:3"])
    assert "2 dead letters are being retried" in page
    retry(admin_client, pages, iris, action="selected", letters=["0:0"])
    with reading(topics.inputs("iris", "1")) as inputs:
        assert values(inputs, 3) == [b"1", b"3", b"0"]


def test_all_of_a_kind_are_retried_once(
    graveyard: Graveyard, admin_client: Client, pages: str, iris: ModelVersion
) -> None:
    for number in range(20):
        graveyard.record(b"%d" % number, BROKEN if number % 2 else None)
    group = next(
        letter.group for letter in graveyard.letters() if letter.why.message == str(BROKEN)
    )
    for _ in range(2):
        retry(admin_client, pages, iris, action="group", group=group)
    retry(admin_client, pages, iris, action="selected", letters=["0:0"])
    with reading(topics.inputs("iris", "1")) as inputs:
        assert values(inputs, 11) == [*(b"%d" % number for number in range(1, 20, 2)), b"0"], (
            "in their order, none twice"
        )


@pytest.mark.parametrize("why", ["it is long", "the process is asked to end"])
def test_a_job_goes_on_in_another_one(
    graveyard: Graveyard,
    admin_client: Client,
    pages: str,
    iris: ModelVersion,
    monkeypatch: pytest.MonkeyPatch,
    why: str,
) -> None:
    if why == "it is long":
        monkeypatch.setattr(tasks, "JOB_SECONDS", -1.0)
    else:
        monkeypatch.setattr(tasks, "_ending", threading.Event())
        worker_shutting_down.send(sender="worker", sig="SIGTERM", how="Warm", exitcode=0)
    for number in range(5):
        graveyard.record(b"%d" % number, partition=number % 2)
    group = graveyard.letters()[0].group
    retry(admin_client, pages, iris, action="group", group=group)
    retry(admin_client, pages, iris, action="selected", letters=["0:0", "0:2", "0:4"])
    with reading(topics.inputs("iris", "1")) as inputs:
        assert values(inputs, 6) == [b"0", b"2", b"4", b"0", b"2", b"4"]
    assert RetriedLetter.objects.filter(succeeded=True).count() == 5


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"action": "selected"}, "Select the dead letters to retry first."),
        ({"action": "selected", "letters": ["<b>"]}, "no place of a dead letter"),
        ({"action": "group"}, "not clear which kind"),
        ({"action": "group", "group": "<b>"}, "Enter a valid value"),
        ({"action": "burn", "letters": ["0:0"]}, "Select a valid choice"),
    ],
)
def test_a_wrong_choice_is_refused(
    graveyard: Graveyard,
    admin_client: Client,
    pages: str,
    iris: ModelVersion,
    form: dict[str, Any],
    said: str,
) -> None:
    graveyard.record(b"{}")
    page = retry(admin_client, pages, iris, **form)
    assert said in page
    assert "<b>" not in page
    assert not RetriedLetter.objects.exists()


def test_a_task_queue_that_is_away_is_said(
    graveyard: Graveyard,
    admin_client: Client,
    pages: str,
    iris: ModelVersion,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(*_: object) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(tasks.retry_selected, "delay", away)
    graveyard.record(b"{}")
    assert "the task queue does not answer" in retry(
        admin_client, pages, iris, action="selected", letters=["0:0", "0:1"]
    )


def test_a_deleted_version_is_no_reason_to_fail(graveyard: Graveyard, iris: ModelVersion) -> None:
    graveyard.record(b"{}")
    tasks.retry_selected(iris.pk, 999, 1, [[0, 0]])
    tasks.retry_group(999, iris.pk, 1, "0" * 16, [], [[0, 1]])
    assert not RetriedLetter.objects.exists()


def test_two_at_once_do_not_send_it_twice(iris: ModelVersion) -> None:
    def claim(*, again: bool) -> RetriedLetter | None:
        return RetriedLetter.claim(
            iris.pk, "errors", (0, 1, 2), by=None, against="iris 1", again=again
        )

    first = claim(again=False)
    assert first is not None
    assert claim(again=True) is None, "another worker retries it"
    first.settle(succeeded=False, detail="\0 odd \ud800" + "x" * 600)
    second = claim(again=False)
    assert second is not None
    second.settle(succeeded=True, detail="")
    assert claim(again=False) is None
    assert claim(again=True) is not None
