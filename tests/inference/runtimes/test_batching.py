from __future__ import annotations

from collections.abc import Sequence

import pytest

from inference.runtimes.base import Picture
from inference.runtimes.batching import detections_of, results_of
from inference.runtimes.errors import InferenceError, ServerUnavailable
from sightline.messages import Detection
from tests.inference.pictures import picture

AWAY = ServerUnavailable("The model server is away.")
BROKEN = InferenceError("Broken.", permanent=True)


class Model:
    """Says the number of a picture; raises for those in ``bad``. ``calls`` are the numbers of
    the pictures of each call.
    """

    def __init__(self, bad: dict[int, BaseException] | None = None) -> None:
        self.bad = bad or {}
        self.calls: list[list[int]] = []

    def load(self) -> None: ...

    def close(self) -> None: ...

    def predict(self, batch: Sequence[Picture]) -> list[tuple[Detection, ...]]:
        self.calls.append([item.seq for item in batch])
        for item in batch:
            if item.seq in self.bad:
                raise self.bad[item.seq]
        return [(Detection(str(item.seq), 1.0),) for item in batch]


def pictures(count: int) -> list[Picture]:
    return [picture(b"jpeg", seq=number) for number in range(count)]


def words(results: Sequence[object]) -> list[str]:
    return [result[0].label if isinstance(result, tuple) else str(result) for result in results]


def test_every_picture_gets_its_own_result() -> None:
    model = Model()
    assert words(detections_of(model, pictures(5), limit=2)) == ["0", "1", "2", "3", "4"]
    assert model.calls == [[0, 1], [2, 3], [4]]


def test_no_pictures_are_no_call() -> None:
    model = Model()
    assert detections_of(model, [], 4) == []
    assert model.calls == []


@pytest.mark.parametrize("bad", [0, 1, 3])
def test_a_bad_picture_costs_only_itself(bad: int) -> None:
    model = Model({bad: BROKEN})
    assert words(detections_of(model, pictures(4), limit=4)) == [
        "Broken." if number == bad else str(number) for number in range(4)
    ]
    assert model.calls == [[0, 1, 2, 3], [0], [1], [2], [3]]


def test_a_server_that_is_away_is_called_once() -> None:
    model = Model({1: AWAY})
    assert words(detections_of(model, pictures(5), limit=2)) == [str(AWAY)] * 5
    assert model.calls == [[0, 1]]


def test_results_before_a_server_went_away_are_kept() -> None:
    assert words(detections_of(Model({2: AWAY}), pictures(5), 2)) == ["0", "1", *[str(AWAY)] * 3]
    assert words(detections_of(Model({0: BROKEN, 2: AWAY}), pictures(4), limit=2)) == [
        "Broken.",
        "1",
        str(AWAY),
        str(AWAY),
    ]


def test_another_number_of_results_is_an_error_of_the_model() -> None:
    model = Model()
    model.predict = lambda batch: []  # type: ignore[method-assign]
    assert (
        words(detections_of(model, pictures(2), limit=2))
        == ["The model gave 0 results for 1 pictures."] * 2
    )


def test_what_a_model_did_to_its_input_does_not_reach_the_next_attempt() -> None:
    def predict(batch: Sequence[dict[str, int]]) -> list[int]:
        values = [item.pop("x") for item in batch]
        if 13 in values:
            raise ValueError("unlucky")
        return values

    items = [{"x": 7}, {"x": 13}, {"x": 8}]
    kept = [dict(item) for item in items]

    results = results_of(predict, items, "records", again=lambda index: dict(kept[index]))

    assert [results[0], str(results[1]), results[2]] == [7, "unlucky", 8]
