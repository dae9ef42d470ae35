from __future__ import annotations

import threading

from inference.runtimes.base import Picture
from inference.runtimes.errors import InferenceError, ServerUnavailable
from sightline.messages import ModelState
from tests.inference.pipelines import SECONDS, Bench
from tests.inference.stub import Detections, Mind, Stub, one_thing
from tests.servers.waiting import wait_until


def test_a_server_that_is_away_is_no_fault_of_the_frames(bench: Bench) -> None:
    away = threading.Event()

    def see(picture: Picture) -> Detections:
        if away.is_set():
            raise ServerUnavailable("The model server at 127.0.0.1:9 refuses the connection.")
        return one_thing(picture)

    Stub.minds["far"] = Mind(see=see)
    pipeline, other = bench.pipeline("far", "gate"), bench.pipeline("near", "gate")
    bench.predict("gate", "far")
    away.set()
    wait_until(
        lambda: bench.show("gate") and pipeline.status().state is ModelState.FAILING,
        SECONDS,
        "the model to be failing",
        interval=0.05,
    )
    assert pipeline.status().detail == "The model server at 127.0.0.1:9 refuses the connection."
    assert pipeline.errors >= 1
    assert pipeline.failed == 0
    assert bench.errors("far") == []
    bench.predict("gate", "near")
    assert other.status().state is ModelState.RUNNING, "the other model is not concerned"
    away.clear()
    bench.predict("gate", "far")
    wait_until(
        lambda: bench.show("gate") and pipeline.status().state is ModelState.RUNNING,
        SECONDS,
        "the model to run again",
        interval=0.05,
    )
    states = [ModelState.RUNNING, ModelState.FAILING, ModelState.RUNNING]
    wait_until(
        lambda: [status.state for status in bench.states("far")] == states,
        SECONDS,
        "all states to be reported",
    )


def test_a_model_that_does_not_load_says_why_and_is_tried_again(bench: Bench) -> None:
    failures = iter(
        [InferenceError("The file is not there.", permanent=False), RuntimeError("odd")]
    )

    def load() -> None:
        for err in failures:
            raise err

    Stub.minds["eye"] = Mind(on_load=load)
    pipeline = bench.pipeline("eye", "gate")
    bench.predict("gate", "eye")
    assert pipeline.status().state is ModelState.RUNNING
    details = ["The file is not there.", "The model does not load. RuntimeError: odd", ""]
    wait_until(
        lambda: [status.detail for status in bench.states("eye")] == details,
        SECONDS,
        "all states to be reported",
    )


def test_a_status_names_the_cameras_and_the_worker(bench: Bench) -> None:
    pipeline = bench.pipeline("eye", "gate", "yard")
    bench.until_state(pipeline, ModelState.RUNNING)
    pipeline.report()
    status = wait_until(lambda: bench.states("eye")[-1:], SECONDS, "a status")[0]
    assert (status.cameras, status.worker) == (("gate", "yard"), "worker-1")


def test_a_model_that_fails_on_frame_after_frame_is_failing_and_says_why(bench: Bench) -> None:
    def see(picture: Picture) -> Detections:
        raise InferenceError("The model has no input named 'image'.", permanent=True)

    Stub.minds["eye"] = Mind(see=see)
    pipeline = bench.pipeline("eye", "gate")
    wait_until(
        lambda: bench.show("gate") and pipeline.failed == 1,
        SECONDS,
        "the first failure",
        interval=0.1,
    )
    assert pipeline.status().state is ModelState.RUNNING, "one frame says nothing about the model"
    wait_until(
        lambda: bench.show("gate") and pipeline.status().state is ModelState.FAILING,
        SECONDS,
        "the model to be failing",
        interval=0.05,
    )
    assert pipeline.status().detail == "The model has no input named 'image'."
    Stub.minds["eye"].see = one_thing
    wait_until(
        lambda: bench.show("gate") and pipeline.status().state is ModelState.RUNNING,
        SECONDS,
        "the model to run again",
        interval=0.05,
    )
