"""Views behind the admin's form for a model version: trials, the model's own description,
options as JSON. Nothing is saved.
"""

from __future__ import annotations

import base64
import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST

from cameras.access import visible_cameras
from inference.forms import try_out as tryout
from inference.forms.try_out import Subject, Trial
from inference.forms.uploads import copied, limits_of, refuse_large
from inference.forms.version import FIELDS, Typed, VersionForm
from inference.models import ModelVersion
from inference.runtimes import PICTURES, RUNTIMES
from inference.runtimes.base import MAX_JPEG_BYTES
from inference.runtimes.errors import InferenceError
from inference.runtimes.tensors import ModelMetadata
from sightline.kafka import KafkaUnavailable
from sightline.messages import Detection

MAX_PREDICTIONS: Final = 200
MAX_TEXT: Final = 4000
MAX_RECORD: Final = 1024 * 1024
PREFIXES: Final = ("", "versions-0")
WITH_A_FORM: Final = ("inference.add_modelversion", "inference.change_modelversion")


@dataclass(frozen=True, slots=True)
class TrialImage:
    """The picture that a model is tried on; ``taken_at`` ns since the epoch for a camera's, 0
    for one that was uploaded.
    """

    image: bytes
    taken_at: int = 0


class ModelFormViews:
    """The views; the user needs the permission to add or change versions of models."""

    @method_decorator(require_POST)
    def options(self, request: HttpRequest) -> JsonResponse:
        """Convert options from fields to JSON, or from JSON to fields."""
        return self._respond(request, _convert)

    @method_decorator(require_POST)
    def describe(self, request: HttpRequest) -> JsonResponse:
        """The model's own description, and values for the fields that fit it."""
        return self._respond(request, _describe)

    @method_decorator(require_POST)
    def try_it(self, request: HttpRequest) -> JsonResponse:
        """Try the model as entered on a picture, a record, or a camera's newest frame."""
        return self._respond(request, lambda form: _try(request, form))

    def _respond(
        self, request: HttpRequest, answer: Callable[[VersionForm], dict[str, Any]]
    ) -> JsonResponse:
        if not any(map(request.user.has_perm, WITH_A_FORM)):
            raise PermissionDenied
        try:
            return JsonResponse(answer(_form(request)))
        except (InferenceError, KafkaUnavailable) as err:
            return JsonResponse({"error": str(err)})


def _form(request: HttpRequest) -> VersionForm:
    pk = request.GET.get("version", "")
    instance = get_object_or_404(ModelVersion, pk=pk) if pk.isdecimal() else None
    prefix = request.GET.get("prefix", "")
    return VersionForm(
        request.POST, request.FILES, prefix=prefix if prefix in PREFIXES else "", instance=instance
    )


# Options


def _convert(form: VersionForm) -> dict[str, Any]:
    typed = form.typed()
    if form["options_as"].value() == FIELDS:
        return {"options": json.dumps(typed.options, indent=2, ensure_ascii=False)}
    return {"fields": form.option_form.filled(typed.runtime, typed.fed_with, typed.options)}


# Description


def _describe(form: VersionForm) -> dict[str, Any]:
    # Imported here, because every process imports the admin and few need pydantic.
    from inference.forms import suggestions

    typed = form.typed()
    metadata, input_schema, output_schema = _run(
        typed, lambda subject: tryout.described(subject, typed.fed_with)
    )
    document: dict[str, Any] = {
        "tensors": _tensors(metadata),
        "labels": len(metadata.labels),
        "platform": metadata.platform,
        "version": metadata.version,
    }
    if typed.fed_with == PICTURES and RUNTIMES[typed.runtime].tensors:
        suggested = suggestions.for_pictures(metadata)
        shown = form.option_form.filled(typed.runtime, PICTURES, suggested.options)
        wanted = {form.option_form.add_prefix(name) for name in _names(form, suggested.options)}
        return {
            **document,
            "fields": {name: value for name, value in shown.items() if name in wanted},
            "notes": list(suggested.notes),
        }
    schemas = {
        form.add_prefix("input_schema"): input_schema,
        form.add_prefix("output_schema"): output_schema,
    }
    return {
        **document,
        "fields": {
            name: json.dumps(value, indent=2, ensure_ascii=False)
            for name, value in schemas.items()
            if value
        },
        "notes": [],
    }


def _names(form: VersionForm, options: dict[str, dict[str, Any]]) -> Iterator[str]:
    """The fields that options have a value for."""
    adapter = options.get("output", {}).get("adapter", "")
    if adapter:
        yield "output-adapter"
    for entry in form.option_form.entries:
        section = options.get(entry.path[0], {}) if len(entry.path) == 2 else {}
        if entry.path[-1] in section and entry.adapter in ("", adapter):
            yield entry.name


def _tensors(metadata: ModelMetadata) -> dict[str, list[dict[str, Any]]]:
    return {
        "inputs": [asdict(spec) for spec in metadata.inputs],
        "outputs": [asdict(spec) for spec in metadata.outputs],
    }


# Trials


def _try(request: HttpRequest, form: VersionForm) -> dict[str, Any]:
    typed = form.typed()
    source = request.POST.get("try-source", "")
    if source == "record":
        text = request.POST.get("try-record", "")
        if len(text) > MAX_RECORD:
            raise InferenceError("The record is longer than 1 MiB.", permanent=True)
        return _trial_json(_run(typed, lambda subject: tryout.try_record(subject, text)))
    picture = _from_camera(request) if source == "camera" else _uploaded(request)
    document = _trial_json(_run(typed, lambda subject: tryout.try_picture(subject, picture.image)))
    if picture.taken_at:
        document["picture"] = "data:image/jpeg;base64," + base64.b64encode(picture.image).decode()
        age = (time.time_ns() - picture.taken_at) / 1e9
        if age > tryout.OLD_SECONDS:
            document["notes"].append(f"The camera's newest picture is {age:.0f} s old.")
    return document


def _from_camera(request: HttpRequest) -> TrialImage:
    camera = visible_cameras(request.user).filter(slug=request.POST.get("try-camera", "")).first()
    if camera is None:
        raise InferenceError("Choose a camera.", permanent=True)
    frame = tryout.newest_frame(camera.slug)
    return TrialImage(frame.jpeg, frame.captured_at)


def _uploaded(request: HttpRequest) -> TrialImage:
    upload = request.FILES.get("try-picture")
    if not isinstance(upload, UploadedFile):
        raise InferenceError("Choose a picture, a JPEG or a PNG.", permanent=True)
    if (upload.size or 0) > MAX_JPEG_BYTES:
        raise InferenceError("The picture is too large: 8 MiB at most.", permanent=True)
    return TrialImage(upload.read())


def _run(typed: Typed, function: Callable[[Subject], tryout.T]) -> tryout.T:
    """Run ``function`` on the model, within the deadline."""

    def work() -> tryout.T:
        with _file(typed) as path:
            return function(Subject(typed.runtime, typed.options, path, typed.input_schema))

    return tryout.within(tryout.SECONDS, work)


def _file(typed: Typed) -> contextlib.AbstractContextManager[Path | None]:
    """The model's file; the copy of an upload outlives the request, which may end before the
    trial.
    """
    if not RUNTIMES[typed.runtime].files:
        return contextlib.nullcontext()
    if not typed.file:
        raise InferenceError("Choose the model's file first.", permanent=True)
    if not isinstance(typed.file, UploadedFile):
        return contextlib.nullcontext(Path(typed.file.path))
    refuse_large(typed.file, limits_of(typed.runtime, typed.options))
    return copied(typed.file)


def _trial_json(trial: Trial) -> dict[str, Any]:
    """A trial as JSON of bounded size."""
    document = asdict(trial)
    document["notes"] = list(trial.notes)
    document["predictions"] = [_prediction(item) for item in trial.predictions[:MAX_PREDICTIONS]]
    if len(trial.predictions) > MAX_PREDICTIONS:
        document["notes"].append(
            f"The first {MAX_PREDICTIONS} of {len(trial.predictions)} predictions are shown."
        )
    return document


def _prediction(item: Detection) -> dict[str, Any]:
    text = (
        item.text
        if item.text is None or len(item.text) <= MAX_TEXT
        else item.text[:MAX_TEXT] + " …"
    )
    return {"label": item.label, "score": item.score, "box": item.box, "text": text}
