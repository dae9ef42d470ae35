"""Pipelines on the embedded broker, with frames from the test and models that follow it."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from inference import runtimes
from inference.frames.pipeline import FramePipeline
from inference.plans import CameraDeployment, FramePlan
from sightline.kafka import Admin, Producer, Record, topics
from sightline.kafka.topics import Topic
from sightline.messages import Frame, ModelState, ModelStatus, Prediction
from tests.inference.pictures import encode, noise
from tests.inference.stub import KIND, Mind, Stub
from tests.servers.waiting import wait_until
from tests.support import MILLISECOND, Reader, send_frame

LIVE = CameraDeployment("live", 0.0)
PICTURE = encode(noise())
SECONDS = 20.0

_seqs = itertools.count(1)


class Bench:
    """Cameras, pipelines and what comes out of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> None:
        monkeypatch.setitem(runtimes.RUNTIMES, "stub", KIND)
        monkeypatch.setattr(Stub, "minds", {})
        self.stack = stack
        self.producer = Producer()
        self.stack.callback(self.producer.flush, 5)
        self.readers: dict[str, Reader] = {}
        self.fed: list[FramePipeline] = []

    def plan(
        self, model: str, deployments: Mapping[str, CameraDeployment], **fields: Any
    ) -> FramePlan:
        """A plan for a stub with the mind of that name."""
        Stub.minds.setdefault(model, Mind())
        return FramePlan(
            model=model,
            version="1",
            runtime="stub",
            options=json.dumps({"name": model}),
            deployments=tuple(sorted(deployments.items())),
            **fields,
        )

    def pipeline(self, model: str, *cameras: str, **fields: Any) -> FramePipeline:
        """A running pipeline that sees the cameras."""
        return self.start(self.plan(model, dict.fromkeys(cameras, LIVE), **fields))

    def start(self, plan: FramePlan) -> FramePipeline:
        """A pipeline that runs its model and is given frames by the test itself: joining a group
        takes seconds.
        """
        pipeline = FramePipeline(plan, self.producer, "worker-1")
        pipeline.reader.cameras = plan.cameras
        self.fed.append(pipeline)
        for thread in pipeline.threads[1:]:
            thread.start()
            self.stack.callback(thread.join, 10)
        self.stack.callback(pipeline.stop)
        return pipeline

    def start_on_kafka(self, *plans: FramePlan) -> list[FramePipeline]:
        """Pipelines that read Kafka themselves, once their groups have assigned all cameras."""
        Admin().ensure(
            topic
            for plan in plans
            for camera in plan.cameras
            for topic in topics.camera_topics(camera, imprint=False)
        )
        pipelines = [FramePipeline(plan, self.producer, "worker-1") for plan in plans]
        for pipeline in pipelines:
            pipeline.start()
            self.stack.callback(pipeline.join, 10)
        for pipeline in pipelines:
            self.stack.callback(pipeline.stop)
        wait_until(
            lambda: all(pipeline.reader.cameras == pipeline.plan.cameras for pipeline in pipelines),
            SECONDS,
            "the groups to give all cameras",
        )
        return pipelines

    def show(self, camera: str, jpeg: bytes = PICTURE) -> Frame:
        """A frame of the camera."""
        frame = Frame(camera, next(_seqs), time.time_ns(), 640, 360, jpeg)
        if self.fed:
            headers = tuple(frame.headers().items())
            record = Record(
                topics.frames(camera).name,
                0,
                frame.seq,
                frame.captured_at // MILLISECOND,
                camera.encode(),
                jpeg,
                headers,
            )
            for pipeline in self.fed:
                pipeline.reader.take_frame(record)
        else:
            send_frame(self.producer, frame)
        return frame

    def reader(self, topic: Topic) -> Reader:
        """The reader of a topic."""
        if topic.name not in self.readers:
            self.readers[topic.name] = Reader(topic)
            self.stack.callback(self.readers[topic.name].consumer.close)
        return self.readers[topic.name]

    def predictions(self, camera: str, model: str) -> list[Prediction]:
        """The model's predictions on the camera so far."""
        said = [
            Prediction.from_json(record.value)
            for record in self.reader(topics.predictions(camera)).read()
        ]
        return [prediction for prediction in said if prediction.model == model]

    def errors(self, model: str) -> list[Record]:
        """The model's dead letters so far."""
        return self.reader(topics.errors(model, "1")).read()

    def states(self, model: str) -> list[ModelStatus]:
        """The states that the model has reported so far."""
        records = self.reader(topics.status()).read()
        return [
            ModelStatus.from_json(record.value)
            for record in records
            if record.key == f"model/{model}@1".encode() and record.value
        ]

    def predict(self, camera: str, model: str, jpeg: bytes = PICTURE) -> Prediction:
        """The model's prediction on a frame of the camera; frames are shown until there is
        one.
        """
        shown: list[Frame] = []

        def predicted() -> Prediction | None:
            shown.append(self.show(camera, jpeg))
            ours = {(frame.seq, frame.captured_at) for frame in shown}
            return next(
                (
                    said
                    for said in self.predictions(camera, model)
                    if (said.frame.seq, said.frame.captured_at) in ours
                ),
                None,
            )

        found = wait_until(predicted, SECONDS, f"a prediction of {model}", interval=0.1)
        assert found
        return found

    def until_state(self, pipeline: FramePipeline, state: ModelState) -> ModelStatus:
        """The pipeline's status once it is in that state."""
        wait_until(lambda: pipeline.status().state is state, SECONDS, f"the model to be {state}")
        return pipeline.status()


@contextmanager
def bench_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A bench for the length of the block."""
    with ExitStack() as stack:
        yield Bench(monkeypatch, stack)
