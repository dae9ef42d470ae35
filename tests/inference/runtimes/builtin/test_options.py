from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from inference.runtimes import RUNTIMES, InferenceError, create
from inference.runtimes.options import options_of
from tests.inference.pictures import blank, picture

BUILTIN = [name for name in RUNTIMES if name.startswith("builtin-")]


@pytest.mark.parametrize("runtime", BUILTIN)
def test_every_runtime_loads_predicts_and_closes(runtime: str) -> None:
    model = create(runtime, {})
    model.load()

    assert model.predict([picture(blank(), seq) for seq in range(3)]) == [(), (), ()]
    assert model.predict([]) == []
    model.close()
    model.close()


@pytest.mark.parametrize("runtime", BUILTIN)
def test_every_runtime_says_that_a_picture_is_broken(runtime: str) -> None:
    model = create(runtime, {})
    model.load()

    with pytest.raises(InferenceError) as caught:
        model.predict([picture(b"\xff\xd8 no picture")])
    assert caught.value.permanent


@pytest.mark.parametrize("runtime", BUILTIN)
def test_every_runtime_takes_the_smallest_picture(runtime: str) -> None:
    model = create(runtime, {})
    model.load()

    assert model.predict([picture(blank(1, 1), seq) for seq in range(20)])[-1] == ()


@pytest.mark.parametrize("runtime", BUILTIN)
def test_every_option_has_a_help_text_and_a_default_within_its_bounds(runtime: str) -> None:
    options = RUNTIMES[runtime].load().Options

    assert create(runtime, {item.name: item.default for item in options_of(options)})
    assert all(item.help for item in options_of(options))


def test_it_names_the_known_runtimes() -> None:
    with pytest.raises(InferenceError, match=r"There is no runtime 'yolo'\. Known: builtin-motion"):
        create("yolo", {})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"wdth": 320}, r"The option 'wdth' is not known\. Known: width"),
        ({"width": 10}, r"The option 'width' must be from 64 to 1280\."),
        ({"width": 320.5}, r"The option 'width' must be a whole number\."),
        ({"width": "320"}, r"The option 'width' must be a whole number\."),
        ({"width": True}, r"The option 'width' must be a whole number\."),
        ({"threshold": None}, r"The option 'threshold' must be a number\."),
        ({"threshold": math.nan}, r"The option 'threshold' must be from 4\.0 to 400\.0\."),
    ],
)
def test_it_says_what_is_wrong_with_an_option(value: dict[str, object], message: str) -> None:
    with pytest.raises(InferenceError, match=message) as caught:
        create("builtin-motion", value)
    assert caught.value.permanent


def test_a_whole_number_serves_where_a_fraction_may_stand() -> None:
    assert create("builtin-motion", {"threshold": 16})


def test_it_refuses_a_stride_that_the_people_detector_cannot_take() -> None:
    with pytest.raises(InferenceError, match="multiple of 8"):
        create("builtin-people", {"stride": 12})


def test_options_do_not_change() -> None:
    options = RUNTIMES["builtin-qr"].load().Options()

    with pytest.raises(ValidationError, match="frozen"):
        options.width = 1
