"""How much of a model's own speed is left when it looks at live video? Prints both, and their
ratio.

    python -m benchmarks.infer [--seconds 6] [--cameras 8] [--fps 75]

The rival in the same run is the model's bare loop: the same model, called again and again with a
picture that is already decoded. Over Kafka the frames are 720p JPEGs of several cameras, more of
them than the model can take. `sleep` models wait, as one on an accelerator or a server does;
`busy` ones compute in Python and hold its lock. Models look at pictures 640 wide. At last a
network in ONNX that profits from batches, whose pictures are of different cameras.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.runtimes.options import Options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference.frames.pipeline import FramePipeline
    from inference.runtimes.base import Picture
    from sightline.messages import Detection

WIDTH, HEIGHT = 1280, 720
LOOK = 640
WARM_UP_SECONDS = 2.0


class TimedOptions(Options):
    base: float = 0.0
    each: float = 0.0
    busy: bool = False


class Timed:
    """A model that takes ``base`` milliseconds a call and ``each`` more for each picture."""

    Options = TimedOptions

    def __init__(self, options: TimedOptions) -> None:
        self.options = options

    def load(self) -> None:
        pass

    def close(self) -> None:
        pass

    def predict(self, batch: Sequence[Picture]) -> list[tuple[Detection, ...]]:
        from sightline.messages import Detection

        for picture in batch:
            picture.bgr(LOOK)
        until = time.perf_counter() + (self.options.base + self.options.each * len(batch)) / 1000
        if self.options.busy:
            while time.perf_counter() < until:
                pass
        else:
            time.sleep(max(0.0, until - time.perf_counter()))
        return [(Detection("thing", 0.9, (0.1, 0.1, 0.4, 0.4)),) for _ in batch]


def network(path: Path) -> None:
    """A convolutional network with large dense layers, as VGG has: reading their 150 MB of
    weights costs more than using them once.
    """
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(7)
    shapes = {
        "filters": (16, 3, 4, 4),
        "dense": (4096, 4096),
        "denser": (4096, 4096),
        "last": (4096, 1000),
    }
    weights = {
        name: (random.standard_normal(shape) / 64).astype(np.float32)
        for name, shape in shapes.items()
    }
    nodes = [
        helper.make_node("Conv", ["image", "filters"], ["seen"], strides=[4, 4]),
        helper.make_node("Relu", ["seen"], ["bright"]),
        helper.make_node("Flatten", ["bright"], ["flat"]),
        helper.make_node("MatMul", ["flat", "dense"], ["deep"]),
        helper.make_node("Relu", ["deep"], ["deeper"]),
        helper.make_node("MatMul", ["deeper", "denser"], ["deepest"]),
        helper.make_node("MatMul", ["deepest", "last"], ["scores"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 64, 64])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 1000])
    initializers = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "benchmark", [image], [scores], initializers)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path
    )


def camera_names(count: int) -> list[str]:
    """The cameras of the benchmark."""
    return [f"camera-{number}" for number in range(count)]


def photograph() -> bytes:
    """A 720p JPEG of the size that cameras send."""
    import cv2
    import numpy as np
    import simplejpeg

    small = np.random.default_rng(7).integers(0, 255, (HEIGHT // 40, WIDTH // 40, 3), np.uint8)
    image = np.ascontiguousarray(cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC))
    return bytes(simplejpeg.encode_jpeg(image, 80, "BGR", "420"))


def feed(cameras: int, fps: float) -> None:
    """A process with the broker and the cameras: says where the broker is, then sends until its
    standard input ends.
    """
    from sightline.kafka import Producer, embedded_broker, topics
    from sightline.messages import Frame

    handle, os.environ["KAFKA_BOOTSTRAP_SERVERS"] = embedded_broker()
    setup(os.environ["KAFKA_BOOTSTRAP_SERVERS"])
    print(os.environ["KAFKA_BOOTSTRAP_SERVERS"], flush=True)
    ended = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    producer, jpeg, seq = Producer(), photograph(), 0
    due = time.monotonic()
    while not ended.wait(max(0.0, due - time.monotonic())):
        due += 1 / fps
        seq += 1
        for camera in camera_names(cameras):
            frame = Frame(camera, seq, time.time_ns(), WIDTH, HEIGHT, jpeg)
            producer.send(topics.frames(camera), jpeg, key=camera, headers=frame.headers())
    del handle


def setup(address: str) -> None:
    """Django's settings for this process."""
    import django
    from django.conf import settings

    django.setup()
    settings.KAFKA_BOOTSTRAP_SERVERS, settings.KAFKA_EMBEDDED = address, True
    from inference.frames.worker import InferWorker

    InferWorker().open()


@contextmanager
def fed(cameras: int, fps: float) -> Iterator[None]:
    """Cameras and a broker in a process of their own."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.infer",
        "--feed",
        "--cameras",
        str(cameras),
        "--fps",
        str(fps),
    ]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        setup(process.stdout.readline().strip())
        yield
        process.stdin.close()


@contextmanager
def running(
    cameras: int, batch: int, runtime: str, options: dict[str, Any], file: str = ""
) -> Iterator[FramePipeline]:
    """A pipeline that has predicted for a while already."""
    from inference.frames.pipeline import FramePipeline
    from inference.plans import CameraDeployment, FramePlan
    from sightline.kafka import Admin, Producer, topics

    names = camera_names(cameras)
    Admin().ensure(
        topic for camera in names for topic in topics.camera_topics(camera, imprint=False)
    )
    deployments = tuple((camera, CameraDeployment("live", 0.0)) for camera in names)
    pipeline = FramePipeline(
        FramePlan(
            model=f"model-{time.monotonic_ns()}",
            version="1",
            runtime=runtime,
            options=json.dumps(options),
            deployments=deployments,
            file=file,
            batch=batch,
        ),
        Producer(),
    )
    pipeline.start()
    while pipeline.predicted == 0:
        assert pipeline.failed == pipeline.errors == 0, pipeline.status().detail
        time.sleep(0.05)
    time.sleep(WARM_UP_SECONDS)
    try:
        yield pipeline
    finally:
        pipeline.stop()
        pipeline.join(10)


def on_video(
    cameras: int, batch: int, seconds: float, runtime: str, options: dict[str, Any], file: str = ""
) -> float:
    """Frames a second that a model answers on live video."""
    with running(cameras, batch, runtime, options, file) as pipeline:
        started, before = time.perf_counter(), pipeline.predicted
        time.sleep(seconds)
        rate = (pipeline.predicted - before) / (time.perf_counter() - started)
        skipped = pipeline.skipped
    if not skipped:
        print("  (every frame was taken: more cameras are needed to keep this model busy)")
    return rate


def bare(batch: int, seconds: float, runtime: str, options: dict[str, Any]) -> float:
    """Pictures a second in the model's bare loop."""
    from inference import runtimes
    from inference.runtimes.base import Picture
    from sightline.messages import Frame

    model = runtimes.create(runtime, options)
    model.load()
    jpeg = photograph()
    pictures = [
        Picture(Frame("camera", number, number, WIDTH, HEIGHT, jpeg)) for number in range(batch)
    ]
    model.predict(pictures)
    calls, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        model.predict(pictures)
        calls += 1
    model.close()
    return calls * batch / elapsed


def compare(title: str, goal: float, cameras: int, seconds: float, options: dict[str, Any]) -> None:
    """Print a model's speed on video and in its bare loop."""
    alone = bare(1, seconds / 2, "timed", options)
    video = on_video(cameras, 1, seconds, "timed", options)
    print(
        f"{title:<28} bare loop {alone:7.1f} /s   on video {video:7.1f} /s   ratio"
        f" {video / alone:.3f}   goal {goal:.2f}",
        flush=True,
    )


def compare_batches(cameras: int, seconds: float, file: Path) -> None:
    """Print the speed of an ONNX network on video, picture by picture and in batches across the
    cameras.
    """
    network(file)
    options = {
        "threads": 1,
        "input": {"fit": "stretch"},
        "output": {"adapter": "classification", "scores": "softmax"},
    }
    single, batched = (
        on_video(cameras, batch, seconds, "onnx", options, str(file)) for batch in (1, cameras)
    )
    rates = f"batch 1   {single:7.1f} /s   batch {cameras:<2} {batched:7.1f} /s"
    print(f"{'ONNX CNN':<28} {rates}   ratio {batched / single:.3f}   goal 2.00")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--fps", type=float, default=75)
    parser.add_argument("--feed", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as folder:
        os.environ.setdefault("DATA_DIR", folder)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sightline.settings")
        if options.feed:
            feed(options.cameras, options.fps)
            return
        with fed(options.cameras, options.fps):
            from inference import runtimes

            runtimes.RUNTIMES["timed"] = runtimes.RuntimeKind("Timed", "benchmarks.infer", "Timed")  # type: ignore[index]
            logging.getLogger("inference").setLevel(logging.WARNING)
            print(
                f"{options.cameras} cameras, {options.fps:g} frames a second each,"
                f" {len(photograph()) / 1000:.0f} kB a frame"
            )
            for busy in (False, True):
                name = "busy" if busy else "sleep"
                for milliseconds, goal in ((20.0, 0.95), (2.0, 0.85)):
                    compare(
                        f"{name}, {milliseconds:g} ms",
                        goal,
                        options.cameras,
                        options.seconds,
                        {"base": milliseconds, "busy": busy},
                    )
            compare_batches(options.cameras, options.seconds, Path(folder) / "network.onnx")


if __name__ == "__main__":
    main()
