from __future__ import annotations

import re
from html import unescape

import pytest
from django.test import Client

from inference.models import ModelVersion
from inference.runtimes.errors import InferenceError
from sightline.kafka import topics
from tests.inference.deadletters.conftest import Graveyard

pytestmark = pytest.mark.django_db

BREAKOUT = '<img src=x onerror="alert(1)">\'"</pre></textarea><script>alert(1)</script>'


def test_without_letters_the_page_says_so(
    graveyard: Graveyard, admin_client: Client, pages: str
) -> None:
    response = admin_client.get(pages)
    assert response.status_code == 200
    assert "No dead letters" in response.text


def test_letters_are_listed_by_kind_of_error_with_their_reason(
    graveyard: Graveyard, admin_client: Client, pages: str
) -> None:
    graveyard.record(b'{"sepal_width": 3.1}')
    for number in (12, 13):
        graveyard.record(
            b"{broken", InferenceError(f"not JSON: line {number}", permanent=True), attempt=2
        )
    page = admin_client.get(pages).text
    sections = page.split('class="module dl-section"')[1:]
    assert len(sections) == 2
    assert "not JSON: line #" in sections[0], "the newest kind comes first"
    assert '<span class="dl-count">2</span>' in sections[0]
    assert "not JSON: line 13" in sections[0]
    assert "Not JSON" in sections[0]
    assert "attempt 2" in sections[0]
    assert f"{topics.inputs('iris', '1').name} 0:1" in sections[0]
    assert "&quot;sepal_width&quot;: 3.1" in sections[1]


def test_a_picture_is_shown_and_what_is_none_is_not(
    graveyard: Graveyard, admin_client: Client, pages: str
) -> None:
    graveyard.frame()
    graveyard.frame(jpeg=b"\xff\xd8\xff<script>alert(1)</script>")
    graveyard.frame(jpeg=b"no \xfe picture")
    page = admin_client.get(pages).text
    assert re.findall(r'src="([^"]+)"[^>]*>', page.split("dl-letters")[1]) == [
        f"{pages}0/0/picture?t={graveyard.letters()[-1].timestamp}"
    ]
    assert "Not a picture" in page
    assert "6e 6f 20 fe 20 70" in page


def test_all_that_comes_from_outside_is_escaped(
    graveyard: Graveyard, admin_client: Client, pages: str
) -> None:
    graveyard.record(
        BREAKOUT.encode(),
        InferenceError(BREAKOUT, permanent=True),
        key=BREAKOUT.encode(),
        headers=((BREAKOUT, BREAKOUT.encode()),),
    )
    graveyard.version.model.name = BREAKOUT
    graveyard.version.model.save()
    for address in (pages, f"{pages}0/0/"):
        page = admin_client.get(address).text
        assert BREAKOUT in unescape(page)
        assert "<img src=x" not in page
        assert "<script>alert" not in page
        assert 'onerror="' not in page


def test_a_page_holds_no_inline_script_or_style(
    graveyard: Graveyard, admin_client: Client, pages: str
) -> None:
    graveyard.record(b"{}")
    graveyard.frame()
    for address in (pages, f"{pages}0/0/", f"{pages}0/1/"):
        response = admin_client.get(address)
        assert "default-src 'self'" in response.headers["Content-Security-Policy"]
        assert "style=" not in response.text.partition('<div id="content"')[2]
        assert not re.findall(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", response.text)


def test_of_a_large_kind_the_newest_are_shown_and_all_on_request(
    graveyard: Graveyard, admin_client: Client, pages: str
) -> None:
    for number in range(15):
        graveyard.record(b"%d" % number)
    page = admin_client.get(pages).text
    assert page.count('<li class="dl-letter">') == 12
    (link,) = re.findall(r'href="(\?group=[^"]+)">Show the 3 others', page)
    assert admin_client.get(pages + link).text.count('<li class="dl-letter">') == 15


def test_older_letters_are_on_further_pages(
    graveyard: Graveyard, admin_client: Client, pages: str
) -> None:
    for number in range(520):
        graveyard.producer.send(
            topics.errors("iris", "1"),
            b"%d" % number,
            headers={"dlt-exception-message": b"No."},
            timestamp=1_000_000 + number,
        )
    graveyard.producer.flush(5)
    first = admin_client.get(pages).text
    assert "There are older ones." in first
    (link,) = re.findall(r'href="(\?before=[^"]+)"', first)
    second = admin_client.get(pages + unescape(link)).text
    assert "20 dead letters in 1 kind" in second
    assert 'value="0:19"' in second


@pytest.mark.parametrize("before", ["x", "0:1,", "0:-1", "1:2:3"])
def test_a_page_that_cannot_be_is_not_found(
    graveyard: Graveyard, admin_client: Client, pages: str, before: str
) -> None:
    assert admin_client.get(pages, {"before": before}).status_code == 404


def test_a_model_leads_to_its_newest_version(
    graveyard: Graveyard, admin_client: Client, iris: ModelVersion
) -> None:
    page = admin_client.get("/admin/inference/model/").text
    (link,) = re.findall(r'href="([^"]+)">Dead letters', page)
    assert admin_client.get(link, follow=True).redirect_chain == [
        (f"/admin/inference/model/{iris.model.pk}/deadletters/1/", 302)
    ]


def test_a_model_without_a_version_says_so(
    graveyard: Graveyard, admin_client: Client, iris: ModelVersion
) -> None:
    iris.model.versions.all().delete()
    response = admin_client.get(f"/admin/inference/model/{iris.model.pk}/deadletters/", follow=True)
    assert "no version yet" in response.text
