"""One trained classifier gives the same labels through every runtime, asked of servers that
Sightline did not write.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from inference import runtimes
from inference.runtimes.base import Picture, Runtime
from inference.runtimes.errors import InferenceError, ServerUnavailable
from inference.runtimes.records import RecordRuntime
from inference.runtimes.tensors import Backend, TensorSpec, bytes_tensor
from sightline.messages import Frame
from tests.servers.models.digits import IRIS_FEATURES, PICTURE_SIZE, Digits
from tests.servers.models.server import ModelServer
from tests.servers.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("model servers")]

Options = dict[str, Any]
NAMES = [str(digit) for digit in range(10)]
FLOWERS = [[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5], [5.9, 3.0, 4.2, 1.5]]
SPECIES = ["setosa", "virginica", "versicolor"]

CLASSIFICATION: Options = {"adapter": "classification", "labels": NAMES}
SEED: Options = {"adapter": "seed", "labels": NAMES}
SMALL: Options = {"format": "tensor", "width": 8, "height": 8, "fit": "stretch", "colour": "GRAY"}
ROWS: Options = {"input": SMALL | {"layout": "FLAT"}, "output": CLASSIFICATION}
WITH_AXES: Options = {"input": SMALL, "output": CLASSIFICATION}
JPEGS: Options = {"output": SEED}


@dataclass(frozen=True)
class Way:
    """A runtime, the server that it asks (a fixture, or the attribute of the model's file), and
    options.
    """

    runtime: str
    server: str
    options: Mapping[str, Any] = field(default_factory=dict)
    gives: str = "label"

    def __str__(self) -> str:
        return "-".join(
            filter(
                None,
                [
                    self.runtime,
                    self.server,
                    self.options.get("model"),
                    self.options.get("signature"),
                ],
            )
        )


def digits_at(runtime: str, server: str, *, gives: str = "label", **options: Any) -> Way:
    return Way(runtime, server, {"model": "digits", **options}, gives)


def pictures_at(runtime: str, server: str, **options: Any) -> Way:
    return Way(runtime, server, {"model": "pictures", **JPEGS, **options})


# Sixty-four rows at most: Triton's model says max_batch_size 64.
ROW_WAYS = [
    digits_at("tfserving-rest", "kserve", named=False, gives="output"),
    digits_at("tfserving-rest", "tfserving"),
    digits_at("tfserving-grpc", "tfserving"),
    digits_at("tfserving-grpc", "tfserving", version="1", signature="serving_default"),
    *(
        digits_at(runtime, "mlserver", gives="predict")
        for runtime in ("kserve-rest", "kserve-grpc")
    ),
    *(
        digits_at(runtime, server)
        for runtime in ("kserve-rest", "kserve-grpc")
        for server in ("kserve", "triton")
    ),
    Way("onnx", "onnx"),
]
PICTURE_WAYS = [
    pictures_at("tfserving-rest", "kserve", input={"name": "image_bytes", "format": "jpeg"}),
    *(pictures_at(runtime, "tfserving") for runtime in ("tfserving-rest", "tfserving-grpc")),
    *(
        pictures_at(runtime, "tfserving", model="digits", signature="pictures")
        for runtime in ("tfserving-rest", "tfserving-grpc")
    ),
    *(pictures_at(runtime, "triton") for runtime in ("kserve-rest", "kserve-grpc")),
    pictures_at("kserve-grpc", "kserve"),
    *(
        digits_at(runtime, server, **ROWS)
        for runtime in ("kserve-rest", "kserve-grpc")
        for server in ("mlserver", "kserve", "triton")
    ),
    *(
        Way(runtime, "triton", {"model": "single", **WITH_AXES})
        for runtime in ("kserve-rest", "kserve-grpc")
    ),
    digits_at("tfserving-rest", "tfserving", **ROWS),
    digits_at("tfserving-grpc", "tfserving", **ROWS),
    Way("onnx", "onnx", ROWS),
    Way("onnx", "onnx_pictures", WITH_AXES),
]
REMOTE_WAYS = [
    digits_at("tfserving-rest", "tfserving"),
    digits_at("tfserving-grpc", "tfserving"),
    digits_at("kserve-rest", "triton"),
    digits_at("kserve-grpc", "triton"),
]


@pytest.fixture
def server(way: Way, request: pytest.FixtureRequest) -> ModelServer | None:
    return None if way.runtime == "onnx" else request.getfixturevalue(way.server)


@pytest.fixture
def settings_of(way: Way, server: ModelServer | None, digits: Digits) -> Options:
    """What runtimes.create takes after the runtime's name."""
    if server is None:
        return {"options": way.options, "file": getattr(digits, way.server)}
    return {"options": options_of(way, server)}


def options_of(way: Way, server: ModelServer) -> Options:
    """Those of a way that asks a server. The deadline is longer than a user would wait: the
    machine may be busy with other tests.
    """
    return {
        "address": server.grpc if way.runtime.endswith("grpc") else server.rest,
        "deadline": 20,
        **way.options,
    }


@contextmanager
def opened(thing: Backend) -> Iterator[Backend]:
    thing.load()
    try:
        yield thing
    finally:
        thing.close()


def labels_of(tensor: NDArray[Any]) -> list[int]:
    return [int(value) for value in tensor.ravel()]


def answer_of(backend: Backend, digits: Digits) -> dict[str, Any]:
    """The outputs for two rows; none while the server is not asked."""
    try:
        return backend.infer({"pixels": digits.pixels[:2]})
    except ServerUnavailable:
        return {}


@pytest.mark.parametrize("way", ROW_WAYS, ids=str)
def test_rows_get_the_labels_that_scikit_learn_gives(
    way: Way, settings_of: Options, digits: Digits
) -> None:
    with opened(runtimes.create_backend(way.runtime, **settings_of)) as backend:
        outputs = backend.infer({"pixels": digits.pixels[:60]})
    assert labels_of(outputs[way.gives]) == digits.labels[:60].tolist()
    if "probabilities" in outputs:
        np.testing.assert_allclose(outputs["probabilities"], digits.probabilities[:60], atol=1e-5)


@pytest.mark.parametrize("way", PICTURE_WAYS, ids=str)
def test_pictures_get_the_labels_that_scikit_learn_gives(
    way: Way, settings_of: Options, digits: Digits
) -> None:
    runtime: Runtime = runtimes.create(way.runtime, **settings_of)
    runtime.load()
    try:
        batch = [
            Picture(Frame("dock", seq, seq, *PICTURE_SIZE, jpeg))
            for seq, jpeg in enumerate(digits.pictures[:60])
        ]
        found = runtime.predict(batch)
    finally:
        runtime.close()
    assert [[detection.label for detection in detections] for detections in found] == [
        [NAMES[digit]] for digit in digits.labels[:60]
    ]


@pytest.mark.parametrize(
    "way",
    [way for way in ROW_WAYS if way.server != "kserve" or way.runtime != "tfserving-rest"],
    ids=str,
)
def test_the_server_says_what_the_model_takes(way: Way, settings_of: Options) -> None:
    with opened(runtimes.create_backend(way.runtime, **settings_of)) as backend:
        metadata = backend.metadata()
    assert metadata.inputs == (TensorSpec("pixels", "FP32", (-1, 64)),)
    assert way.gives in {spec.name for spec in metadata.outputs}


@pytest.mark.parametrize("way", [digits_at("tfserving-rest", "kserve", named=False)], ids=str)
def test_a_server_that_tells_nothing_takes_records_and_asks_for_the_inputs_of_pictures(
    way: Way, settings_of: Options, digits: Digits
) -> None:
    options = settings_of["options"]
    records = runtimes.create_records(way.runtime, options)
    with closing(records):
        records.load()
        assert records.predict_records([{"pixels": digits.pixels[0].tolist()}]) == [
            {"output": int(digits.labels[0])}
        ]
    pictures = runtimes.create(way.runtime, options | {"output": CLASSIFICATION})
    with (
        closing(pictures),
        pytest.raises(
            InferenceError,
            match=r"The model does not say what it takes\. Set the input options 'name', 'width'",
        ),
    ):
        pictures.load()


@pytest.mark.parametrize(
    "way",
    [
        *(
            Way(runtime, "mlserver", {"model": "iris"}, "predict")
            for runtime in ("kserve-rest", "kserve-grpc")
        ),
        Way("onnx", "iris_onnx", {"features": list(IRIS_FEATURES)}),
    ],
    ids=str,
)
def test_records_of_flowers_get_their_species(way: Way, settings_of: Options) -> None:
    runtime: RecordRuntime = runtimes.create_records(way.runtime, **settings_of)
    runtime.load()
    try:
        results = runtime.predict_records(
            [dict(zip(IRIS_FEATURES, flower, strict=True)) for flower in FLOWERS]
        )
    finally:
        runtime.close()
    assert [
        np.ravel(result[way.gives]).tolist()
        for result in results
        if not isinstance(result, InferenceError)
    ] == [[name] for name in SPECIES]


@pytest.mark.parametrize("way", REMOTE_WAYS, ids=str)
def test_a_wrong_input_is_the_inputs_fault(way: Way, settings_of: Options, digits: Digits) -> None:
    with opened(runtimes.create_backend(way.runtime, **settings_of)) as backend:
        for wrong in ({"pixels": digits.pixels[:2, :3]}, {"pixel": digits.pixels[:2]}):
            with pytest.raises(InferenceError, match="pixels") as refused:
                backend.infer(wrong)
            assert refused.value.permanent
        assert (
            labels_of(backend.infer({"pixels": digits.pixels[:2]})[way.gives])
            == digits.labels[:2].tolist()
        )


@pytest.mark.parametrize(
    "way", [digits_at(runtime, "mlserver") for runtime in ("kserve-rest", "kserve-grpc")], ids=str
)
def test_a_server_that_breaks_on_a_wrong_input_is_helped_out_with_its_metadata(
    way: Way, settings_of: Options, digits: Digits
) -> None:
    with (
        opened(runtimes.create_backend(way.runtime, **settings_of)) as backend,
        pytest.raises(InferenceError, match="pixels has the shape") as refused,
    ):
        backend.infer({"pixels": digits.pixels[:2, :3]})
    assert refused.value.permanent


@pytest.mark.parametrize(
    "way",
    [pictures_at("kserve-rest", "triton"), pictures_at("tfserving-grpc", "tfserving")],
    ids=str,
)
def test_bytes_that_are_no_picture_are_the_inputs_fault_or_the_models(
    way: Way, settings_of: Options
) -> None:
    settings = settings_of | {
        "options": {
            name: value for name, value in settings_of["options"].items() if name != "output"
        }
    }
    with (
        opened(runtimes.create_backend(way.runtime, **settings)) as backend,
        pytest.raises(InferenceError),
    ):
        backend.infer({"image_bytes": bytes_tensor([b"no picture"])})


@pytest.mark.parametrize("way", REMOTE_WAYS, ids=str)
def test_an_unknown_model_is_named(way: Way, settings_of: Options) -> None:
    backend = runtimes.create_backend(way.runtime, settings_of["options"] | {"model": "nothing"})
    with pytest.raises(InferenceError, match="nothing"):
        backend.load()
    backend.close()


@pytest.mark.parametrize("way", REMOTE_WAYS, ids=str)
def test_a_hanging_server_is_left_at_the_deadline(
    way: Way, server: ModelServer, settings_of: Options, digits: Digits
) -> None:
    options = settings_of["options"]
    with opened(runtimes.create_backend(way.runtime, options)) as backend:
        backend.infer({"pixels": digits.pixels[:2]})
    with opened(runtimes.create_backend(way.runtime, options | {"deadline": 0.5})) as hurried:
        server.pause()
        try:
            with pytest.raises(ServerUnavailable):
                hurried.infer({"pixels": digits.pixels[:2]})
        finally:
            server.resume()
        server.wait_ready()


@pytest.mark.parametrize("name", ["tfserving", "triton"])
def test_a_server_that_was_killed_is_used_again_when_it_is_back(
    name: str, digits: Digits, request: pytest.FixtureRequest
) -> None:
    server: ModelServer = request.getfixturevalue(name)
    ways = [way for way in REMOTE_WAYS if way.server == name]
    with ExitStack() as stack:
        backends = [
            stack.enter_context(
                opened(runtimes.create_backend(way.runtime, options_of(way, server)))
            )
            for way in ways
        ]
        assert all(answer_of(backend, digits) for backend in backends)
        server.kill()
        try:
            for backend in backends:
                with pytest.raises(ServerUnavailable):
                    backend.infer({"pixels": digits.pixels[:2]})
        finally:
            server.start()
        for backend in backends:
            outputs = wait_until(
                partial(answer_of, backend, digits), 30, "the server to be used again", 0.1
            )
            assert labels_of(outputs["label"]) == digits.labels[:2].tolist()
