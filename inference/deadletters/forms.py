"""Forms that retry dead letters."""

from __future__ import annotations

from typing import Any

from django import forms

from inference.deadletters.content import EDITABLE_BYTES
from inference.deadletters.letters import Offset
from inference.models import ModelVersion
from inference.runtimes.errors import InferenceError
from inference.streams.codec.schema import RecordSchema
from sightline.messages.json import MessageError, load


class VersionField(forms.ModelChoiceField[ModelVersion]):
    """A version of one model."""

    def label_from_instance(self, obj: ModelVersion) -> str:
        return obj.version


class TargetForm(forms.Form):
    """Which version of the model to retry against; ``version`` has the letters."""

    target = VersionField(ModelVersion.objects.none(), label="Against version", empty_label=None)

    def __init__(self, version: ModelVersion, data: Any = None) -> None:
        super().__init__(data, initial={"target": version.pk})
        field = self.fields["target"]
        assert isinstance(field, VersionField)
        field.queryset = ModelVersion.objects.filter(model=version.model).select_related("model")


class CorrectForm(TargetForm):
    record = forms.CharField(
        label="Record",
        strip=False,
        max_length=2 * EDITABLE_BYTES,
        widget=forms.Textarea(attrs={"rows": 12, "spellcheck": "false", "class": "dl-record"}),
    )

    def clean_record(self) -> bytes:
        """The bytes to send: as typed, with Unix line ends."""
        try:
            value: bytes = self.cleaned_data["record"].replace("\r\n", "\n").encode()
            load(value)
        except UnicodeEncodeError as err:
            raise forms.ValidationError(
                "The record holds a character that cannot be sent."
            ) from err
        except MessageError as err:
            raise forms.ValidationError(f"The record is {err}.") from err
        return value

    def clean(self) -> dict[str, Any]:
        """Refuse a record that does not fit the version's schema: it would fail again."""
        cleaned = super().clean() or {}
        if {"record", "target"} <= cleaned.keys():
            try:
                RecordSchema(cleaned["target"].input_schema).check(load(cleaned["record"]))
            except InferenceError as err:
                self.add_error("record", str(err))
        return cleaned


class OffsetsField(forms.Field):
    """The offsets of the selected letters."""

    widget = forms.SelectMultiple

    def to_python(self, value: Any) -> list[Offset]:
        try:
            return [Offset.parse(text) for text in value or ()]
        except ValueError as err:
            raise forms.ValidationError(str(err)) from err


class RetryForm(TargetForm):
    """Which letters to retry: ``selected`` ones, or all of a ``group``."""

    action = forms.ChoiceField(choices=[("selected", "selected"), ("group", "group")])
    group = forms.RegexField(r"^[0-9a-f]{16}\Z", required=False)
    letters = OffsetsField(required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("action") == "selected" and not cleaned.get("letters"):
            raise forms.ValidationError("Select the dead letters to retry first.")
        if cleaned.get("action") == "group" and not cleaned.get("group"):
            raise forms.ValidationError("It is not clear which kind of error to retry.")
        return cleaned
