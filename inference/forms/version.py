"""What people fill in about models and their versions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.forms.boundfield import BoundWidget
from django.utils.functional import cached_property

from inference import runtimes
from inference.forms.deployment import DeployForm
from inference.forms.options import OptionsForm
from inference.forms.uploads import checked
from inference.models import InputKind, Model, ModelVersion, runtime_choices
from inference.runtimes import PICTURES, RECORDS, RUNTIMES
from inference.runtimes.errors import InferenceError
from inference.runtimes.python import registry as python_models
from inference.streams.codec.schema import refuse_wrong_schema
from sightline.messages.json import parse

FIELDS: Final = "fields"
JSON: Final = "json"
NOT_AN_OBJECT: Final = 'Options are a JSON object: {"name": value}.'


@dataclass(frozen=True, slots=True)
class Typed:
    """A model version as it stands in the form, saved or not. ``file`` is an upload or the name
    of a stored one.
    """

    runtime: str
    fed_with: str
    options: dict[str, Any]
    input_schema: dict[str, Any]
    file: Any = None


class BoundedDecoder(json.JSONDecoder):
    """Reads JSON as ``sightline.messages.json.parse`` does."""

    def decode(self, s: str, *_: Any) -> Any:
        return parse(s)


class IndentedJSONField(forms.JSONField):
    """JSON that people can read; nothing for an empty object. A number that does not fit 64 bits
    is not JSON here.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.decoder = BoundedDecoder

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, str):
            return value
        return json.dumps(value, indent=2, ensure_ascii=False) if value else ""


class ModelForm(forms.ModelForm[Model]):
    """A model's own fields."""

    class Meta:
        model = Model
        fields = ("name", "slug", "description", "partitions")
        widgets: ClassVar = {"description": forms.Textarea(attrs={"rows": 2})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "partitions" in self.fields:
            self.fields["partitions"].required = False

    def clean_partitions(self) -> int:
        """1 where the field is empty."""
        return self.cleaned_data["partitions"] or 1


class VersionForm(forms.ModelForm[ModelVersion]):
    """A model version: its runtime, options in fields or as JSON, its file, schemas; a new one with
    what it is to see.

    ``user`` is who fills it in: only who may add deployments is offered to run the version at
    once. Posted without ``options_as``, the options are those of the JSON.
    """

    user: Any = None

    options_as = forms.ChoiceField(
        choices=[(FIELDS, "In fields"), (JSON, "As JSON")],
        required=False,
        initial=FIELDS,
        widget=forms.RadioSelect,
    )
    sees = forms.ChoiceField(
        label="What it sees",
        choices=[(PICTURES, "Pictures of cameras"), (RECORDS, "Records from a topic")],
        required=False,
        initial=PICTURES,
        widget=forms.RadioSelect,
    )

    class Meta:
        model = ModelVersion
        fields = ("version", "runtime", "options", "file", "input_schema", "output_schema")
        field_classes: ClassVar = dict.fromkeys(
            ("options", "input_schema", "output_schema"), IndentedJSONField
        )
        widgets: ClassVar = {
            "runtime": forms.RadioSelect,
            "file": forms.FileInput(attrs={"accept": ".onnx"}),
            "options": forms.Textarea(attrs={"rows": 10, "spellcheck": "false"}),
            "input_schema": forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
            "output_schema": forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        runtime = self.fields["runtime"]
        assert isinstance(runtime, forms.ChoiceField)
        runtime.choices = runtime_choices()
        runtime.initial = self.initial.setdefault("runtime", self.instance.runtime or "onnx")
        self.fields["options"].required = False
        if not self.is_new:
            # Topics are named by it.
            self.fields["version"].disabled = True
            self.fields[
                "version"
            ].help_text = "It cannot be changed: topics are named by it. Add a new version instead."
        self._show_as_stored()
        runtime_name, options = self.initial["runtime"], self.initial.get("options")
        data = self.data if self.is_bound else None
        self.option_form = OptionsForm(
            data,
            prefix=self._part("o"),
            runtime=runtime_name,
            fed_with=self.initial["sees"],
            options=options,
        )
        if self.option_form.unknown:
            self.initial["options_as"] = JSON
        may_deploy = self.user is not None and self.user.has_perm("inference.add_deployment")
        self.deploy_form: DeployForm | None = (
            DeployForm(data, prefix=self._part("deploy"), user=self.user)
            if self.is_new and may_deploy
            else None
        )

    @property
    def is_new(self) -> bool:
        """Whether it was never saved."""
        return self.instance._state.adding

    def _part(self, name: str) -> str:
        return f"{self.prefix}-{name}" if self.prefix else name

    def _show_as_stored(self) -> None:
        feeding = fed_with(self.initial["runtime"], self.initial.get("options") or {})
        on_records = (
            not self.is_new and self.instance.deployments.filter(kind=InputKind.RECORDS).exists()
        )
        if (on_records or self.instance.input_schema) and RECORDS in RUNTIMES[
            self.initial["runtime"]
        ].takes:
            feeding = RECORDS
        self.initial.setdefault("sees", feeding)

    # For the page

    @cached_property
    def kinds(self) -> str:
        """What the page's script must know of the runtimes, as JSON."""
        names = ("tensors", "files", "remote")
        return json.dumps(
            {
                name: {"takes": sorted(kind.takes), **{item: getattr(kind, item) for item in names}}
                for name, kind in RUNTIMES.items()
            }
        )

    @cached_property
    def classes(self) -> str:
        """The same of Python classes."""
        return json.dumps(
            {
                found.qualified_name: {"takes": sorted(found.takes)}
                for found in python_models.available()
                if not found.error
            }
        )

    @property
    def runtime_cards(self) -> Iterator[tuple[BoundWidget, str]]:
        """Each runtime's radio button, and whether it is a model of our own, a server or a file."""
        for widget in self["runtime"].subwidgets:
            kind = RUNTIMES[str(widget.data["value"])]
            about = (
                "Asks a model server"
                if kind.remote
                else "Runs here, from a file"
                if kind.files
                else "Runs here"
            )
            yield widget, about

    # What is typed

    def typed(self) -> Typed:
        """What stands in the form now; InferenceError says what cannot be understood. For
        trials: nothing is saved.
        """
        runtime = str(self["runtime"].value() or "")
        if runtime not in RUNTIMES:
            raise InferenceError("Choose a runtime first.", permanent=True)
        upload = self.files.get(self.add_prefix("file")) or self.instance.file
        feeding = str(self["sees"].value() or PICTURES)
        return Typed(
            runtime,
            feeding,
            self._typed_options(runtime, feeding),
            self._typed_schema(),
            upload if RUNTIMES[runtime].files else None,
        )

    def _typed_options(self, runtime: str, feeding: str) -> dict[str, Any]:
        if self["options_as"].value() == FIELDS:
            return self.option_form.options(runtime, feeding)
        return _object(self["options"].value(), NOT_AN_OBJECT)

    def _typed_schema(self) -> dict[str, Any]:
        return _object(
            self["input_schema"].value(),
            "The input schema is not JSON. Check brackets, quotes and commas.",
        )

    # Saving

    def clean_input_schema(self) -> Any:
        """{} where the field is empty."""
        return _checked_schema(self.cleaned_data["input_schema"])

    def clean_output_schema(self) -> Any:
        """{} where the field is empty."""
        return _checked_schema(self.cleaned_data["output_schema"])

    def clean(self) -> dict[str, Any]:
        super().clean()
        cleaned = self.cleaned_data
        runtime = cleaned.get("runtime", "")
        if runtime in RUNTIMES:
            self._clean_options(cleaned, runtime)
            if "options" in cleaned:
                self._clean_file(cleaned, runtime)
                self._clean_deployment(cleaned, runtime)
        return cleaned

    def _clean_options(self, cleaned: dict[str, Any], runtime: str) -> None:
        feeding = cleaned.get("sees") or ""
        if cleaned.get("options_as") == FIELDS:
            self.errors.pop("options", None)
            cleaned["options"] = self.option_form.options(runtime, feeding or PICTURES)
        elif "options" in cleaned and cleaned["options"] is None:
            cleaned["options"] = {}
        if isinstance(cleaned.get("options"), dict):
            try:
                check(runtime, cleaned["options"], feeding)
            except InferenceError as err:
                self.option_form.add_error_of(runtime, feeding or PICTURES, err)
                self.add_error("options", str(err))

    def _clean_file(self, cleaned: dict[str, Any], runtime: str) -> None:
        if not RUNTIMES[runtime].files:
            cleaned["file"] = None  # what is stored stays: the version may go back to it
            return
        upload = cleaned.get("file")
        if isinstance(upload, UploadedFile):
            try:
                self.instance.sha256 = checked(upload, runtime, cleaned["options"]).sha256
            except InferenceError as err:
                self.add_error("file", str(err))
        elif not upload and "file" not in self.errors:
            self.add_error("file", "Upload the model's file.")

    def _clean_deployment(self, cleaned: dict[str, Any], runtime: str) -> None:
        if self.deploy_form is None or not self.deploy_form.is_wanted:
            return
        kind = InputKind(cleaned.get("sees") or PICTURES)
        version = ModelVersion(
            version=cleaned.get("version", ""),
            runtime=runtime,
            options=cleaned["options"],
            model=Model(slug="this model"),
        )
        if not self.deploy_form.is_valid_for(version, kind):
            self.add_error(None, "It cannot run like this yet: see the section “Run it”.")

    def _update_errors(self, errors: ValidationError) -> None:
        """Leave out the errors that the form has reported already."""
        found = errors.update_error_dict({})
        unreported = {
            name: messages
            for name, messages in found.items()
            if not (name == "options" and "options" in self.errors)
        }
        if unreported:
            super()._update_errors(ValidationError(unreported))  # type: ignore[misc]

    def _save_m2m(self) -> None:
        super()._save_m2m()  # type: ignore[misc]
        if self.deploy_form is not None and self.deploy_form.is_wanted:
            self.deploy_form.deploy(self.instance)


def fed_with(runtime: str, options: dict[str, Any]) -> str:
    """What a version's options are for: records only where they cannot be for pictures."""
    for feeding in (PICTURES, RECORDS):
        try:
            check(runtime, options, feeding)
        except InferenceError:
            continue
        return feeding
    return (
        RECORDS
        if any(name in options for name in ("features", "label_from", "label_field"))
        else PICTURES
    )


def check(runtime: str, options: dict[str, Any], feeding: str) -> None:
    """A permanent InferenceError unless a runtime can be made of the options for what it is fed
    with; "": for anything.
    """
    if not feeding:
        runtimes.check(runtime, options)
        return
    kind = RUNTIMES.get(runtime)
    if kind is not None and feeding not in kind.takes:
        raise InferenceError(
            f"{kind.title} takes {' and '.join(sorted(kind.takes))}, not {feeding}.", permanent=True
        )
    made = (
        runtimes.create(runtime, options)
        if feeding == PICTURES
        else runtimes.create_records(runtime, options)
    )
    takes = getattr(made, "takes", {feeding})
    if feeding not in takes:
        raise InferenceError(
            f"This class takes {' and '.join(sorted(takes))}, not {feeding}.", permanent=True
        )


def _checked_schema(schema: Any) -> Any:
    if schema is None:
        return {}
    try:
        refuse_wrong_schema(schema)
    except InferenceError as err:
        raise ValidationError(str(err)) from err
    return schema


def _object(text: object, objection: str) -> dict[str, Any]:
    """A JSON object out of a form's field, {} when it is empty."""
    if isinstance(text, dict):
        return text
    try:
        value = parse(str(text or "") or "{}")
    except ValueError as err:
        raise InferenceError(objection, permanent=True) from err
    if not isinstance(value, dict):
        raise InferenceError(objection, permanent=True)
    return value
