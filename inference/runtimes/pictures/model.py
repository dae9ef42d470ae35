"""Any model of tensors as a model of pictures: pictures in, detections out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from inference.runtimes import adapters
from inference.runtimes.adapters.base import Adapter
from inference.runtimes.base import Picture
from inference.runtimes.errors import InferenceError
from inference.runtimes.options import Options, checked_by, section, wrong
from inference.runtimes.pictures.input import (
    JPEG,
    NONE,
    InputOptions,
    resolve,
)
from inference.runtimes.pictures.preprocessing import Preprocessor
from inference.runtimes.tensors import Backend, ModelMetadata, TensorSpec
from sightline.messages import Detection


def _adapter(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise wrong('must be an object, as in {"adapter": "classification", "top": 5}.')
    adapters.create(value)
    return value


class PictureOptions(Options):
    """What stands between pictures and tensors. ``output`` has the name of an adapter and the
    options of that adapter.
    """

    input: InputOptions = section(InputOptions, "How a picture becomes the model's input.")
    output: Mapping[str, object] = checked_by(
        _adapter,
        "How the model's outputs become predictions: an adapter and its options.",
        default_factory=dict,
    )


class PictureModel:
    """A runtime for pictures over any backend; for one thread at a time.

    A model whose batch is fixed to N gets at most N pictures a call. ``notes`` are
    warnings for the model's owner, each once.
    """

    Options = PictureOptions

    def __init__(self, backend: Backend, options: PictureOptions) -> None:
        self._backend = backend
        self._input = options.input
        self._adapter: Adapter = adapters.create(options.output)
        self._preprocessor: Preprocessor | None = None
        self._most = 0

    @property
    def backend(self) -> Backend:
        """What computes the tensors."""
        return self._backend

    @property
    def notes(self) -> tuple[str, ...]:
        """What the owner should look at, although predictions come."""
        return tuple(self._adapter.labels.notes)

    def load(self) -> None:
        """Load the backend, and settle how pictures are given to it; InferenceError when the
        model takes none.
        """
        self._backend.load()
        metadata = self._metadata()
        spec = self._spec(metadata)
        settled = resolve(self._input, spec)
        self._preprocessor = Preprocessor(settled, rank=len(spec.shape) or 1)
        self._most = (
            1
            if settled.fit == NONE and settled.format != JPEG
            else max(spec.shape[0], 0)
            if spec.shape
            else 0
        )
        if not self._adapter.labels.names:
            self._adapter.labels.names = metadata.labels

    def predict(self, batch: Sequence[Picture]) -> list[tuple[Detection, ...]]:
        """The detections of each picture."""
        if self._preprocessor is None:
            raise InferenceError("The model is not loaded.", permanent=False)
        step = self._most or len(batch) or 1
        parts = (batch[start : start + step] for start in range(0, len(batch), step))
        return [found for part in parts for found in self._predict(self._preprocessor, part)]

    def close(self) -> None:
        """Close the backend."""
        self._preprocessor = None
        self._backend.close()

    def _predict(
        self, preprocessor: Preprocessor, batch: Sequence[Picture]
    ) -> list[tuple[Detection, ...]]:
        tensor, placements = preprocessor(batch)
        return self._adapter.detections(
            self._backend.infer({preprocessor.options.name: tensor}), placements
        )

    def _metadata(self) -> ModelMetadata:
        try:
            return self._backend.metadata()
        except InferenceError:
            if not self._input.complete:
                raise
            return ModelMetadata("", "", (), ())

    def _spec(self, metadata: ModelMetadata) -> TensorSpec:
        """The spec of the picture's input; without a shape if the model does not declare it."""
        known = {spec.name: spec for spec in metadata.inputs}
        name = self._input.name or (next(iter(known)) if len(known) == 1 else "")
        if name in known:
            return known[name]
        names = ", ".join(known)
        if known:
            what = f"no input {name!r}. Its inputs" if name else "several inputs"
            raise InferenceError(
                f"The model has {what}: {names}. Set the input option 'name' to the one for the"
                " picture.",
                permanent=True,
            )
        if self._input.complete:
            return TensorSpec(name, "", ())
        needed = (
            "'name', 'width', 'height', 'layout', 'colour' and 'dtype'; or 'name', and 'format' to"
            " jpeg"
        )
        raise InferenceError(
            f"The model does not say what it takes. Set the input options {needed}.", permanent=True
        )
