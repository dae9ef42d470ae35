from __future__ import annotations

import cv2
import numpy as np
import pytest

from inference.runtimes import create
from inference.runtimes.base import Runtime
from inference.runtimes.boxes import iou
from inference.runtimes.errors import InferenceError
from tests.inference.pictures import Image, blank, picture
from tests.servers.video import FACE_BOX, face_picture


@pytest.fixture(scope="module")
def faces() -> Runtime:
    model = create("builtin-faces", {})
    model.load()
    return model


@pytest.fixture(scope="module")
def portrait() -> Image:
    return np.asarray(cv2.cvtColor(face_picture(), cv2.COLOR_RGB2BGR), np.uint8)


def test_it_finds_the_face_in_a_photograph_and_nothing_else(
    faces: Runtime, portrait: Image
) -> None:
    ((found,),) = faces.predict([picture(portrait)])

    assert found.label == "face"
    assert found.box is not None
    assert iou(found.box, FACE_BOX) > 0.5
    assert 0.5 < found.score <= 1


@pytest.mark.parametrize("width", [480, 960, 1920])
def test_it_finds_it_in_pictures_of_other_sizes(
    faces: Runtime, portrait: Image, width: int
) -> None:
    resized = np.asarray(
        cv2.resize(portrait, (width, width * 9 // 16), interpolation=cv2.INTER_AREA), np.uint8
    )

    ((found,),) = faces.predict([picture(resized)])

    assert found.box is not None
    assert iou(found.box, FACE_BOX) > 0.5


def test_a_batch_gives_each_picture_its_own(faces: Runtime, portrait: Image) -> None:
    first, second = faces.predict([picture(blank()), picture(portrait)])

    assert first == ()
    assert len(second) == 1


def test_the_smallest_face_can_be_set(portrait: Image) -> None:
    model = create("builtin-faces", {"min_face": 0.3})
    model.load()

    assert model.predict([picture(portrait)]) == [()]


def test_it_must_be_loaded_first() -> None:
    with pytest.raises(InferenceError, match="not loaded"):
        create("builtin-faces", {}).predict([picture(blank())])
