"""The page asks a model server that Sightline did not write."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

if TYPE_CHECKING:
    from tests.servers.models.digits import Digits
    from tests.servers.models.mlserver import MLServer

pytestmark = [pytest.mark.slow, pytest.mark.django_db, pytest.mark.xdist_group("model servers")]
CHOSEN = {
    "runtime": "kserve-grpc",
    "sees": "pictures",
    "options_as": "fields",
    "o-tfserving-rest-model": "digits",
}


def asked(client: Client, question: str, form: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = client.post(f"/admin/inference/model/{question}/", form).json()
    return answer


def test_what_the_server_says_is_enough_to_try_it(
    admin_client: Client, mlserver: MLServer, digits: Digits
) -> None:
    form = {**CHOSEN, "o-tfserving-rest-address": mlserver.grpc}

    described = asked(admin_client, "describe", form)
    assert described["fields"]["o-input-name"] == described["tensors"]["inputs"][0]["name"]

    image = SimpleUploadedFile("digit.jpg", digits.pictures[0])
    chosen = {
        **form,
        **described["fields"],
        "o-input-fit": "stretch",
        "o-output-adapter": "raw",
        "try-source": "picture",
        "try-picture": image,
    }
    tried = asked(admin_client, "try", chosen)
    assert tried["error"] == ""
    assert tried["inputs"][0]["shape"] == [1, 64]
    assert json.loads(tried["predictions"][0]["text"])["predict"]["values"] == [digits.labels[0]]
