"""What people fill in about deployments: on a page of their own, and beside a new model version."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms

from cameras.access import visible_cameras
from cameras.models import Camera, CameraGroup
from inference.forms.deployment_checks import WantedDeployment, objections
from inference.models import Delivery, Deployment, InputKind, ModelVersion


class DeployForm(forms.ModelForm[Deployment]):
    """What a new version is to see as soon as it is saved, if ``wanted``."""

    use_required_attribute = False

    wanted = forms.BooleanField(label="Run it as soon as it is saved", required=False, initial=True)
    record_delivery = forms.ChoiceField(
        label="Delivery",
        required=False,
        initial=Delivery.EVERY,
        choices=[choice for choice in Delivery.choices if choice[0] != Delivery.LATEST],
    )

    class Meta:
        model = Deployment
        fields = (
            "cameras",
            "groups",
            "all_cameras",
            "role",
            "threshold",
            "crops_of",
            "crop_label",
            "batch",
            "batch_ms",
        )
        widgets: ClassVar = {
            "cameras": forms.SelectMultiple(attrs={"data-picker": "", "size": 10}),
            "groups": forms.CheckboxSelectMultiple,
        }

    def __init__(self, data: Any, *, prefix: str, user: Any) -> None:
        super().__init__(data, prefix=prefix)
        cameras, crops_of = self.fields["cameras"], self.fields["crops_of"]
        assert isinstance(cameras, forms.ModelMultipleChoiceField)
        assert isinstance(crops_of, forms.ModelChoiceField)
        cameras.queryset = visible_cameras(user)
        cameras.help_text = ""
        crops_of.queryset = Deployment.objects.filter(kind=InputKind.PICTURES).select_related(
            "version__model"
        )
        crops_of.empty_label = "The whole frame"

    @property
    def is_wanted(self) -> bool:
        """Whether it is to run at once."""
        return bool(self["wanted"].value())

    def is_valid_for(self, version: ModelVersion, kind: InputKind) -> bool:
        """Whether such a version, not yet saved, can run like this."""
        self.instance.kind = kind
        self.instance.delivery = Delivery.LATEST
        if not self.is_valid():
            return False
        if kind is InputKind.RECORDS:
            self.instance.delivery = Delivery(
                self.cleaned_data["record_delivery"] or Delivery.EVERY
            )
        cameras = self.cleaned_data["cameras"]
        for field, sentence in objections(
            WantedDeployment(
                version,
                kind,
                self.instance.delivery,
                cameras,
                self.cleaned_data["crops_of"],
                groups=self.cleaned_data["groups"],
                all_cameras=self.cleaned_data["all_cameras"],
            )
        ):
            self.add_error(
                {"delivery": "record_delivery", "kind": None}.get(field, field), sentence
            )
        return not self.errors

    def deploy(self, version: ModelVersion) -> None:
        """Save it, for a version that was saved."""
        self.instance.version = version
        if self.instance.kind == InputKind.RECORDS:
            self.instance.crops_of, self.instance.all_cameras = None, False
            self.cleaned_data["cameras"] = Camera.objects.none()
            self.cleaned_data["groups"] = CameraGroup.objects.none()
        self.save()


class DeploymentForm(forms.ModelForm[Deployment]):
    """A deployment; one version sees a camera in one role only."""

    class Meta:
        model = Deployment
        fields = (
            "version",
            "kind",
            "all_cameras",
            "groups",
            "cameras",
            "crops_of",
            "crop_label",
            "role",
            "delivery",
            "threshold",
            "batch",
            "batch_ms",
            "enabled",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("kind", "batch", "batch_ms"):
            if name in self.fields:
                self.fields[name].required = False

    def clean_kind(self) -> str:
        """Pictures where the field is empty."""
        return self.cleaned_data["kind"] or InputKind.PICTURES

    def clean_batch(self) -> int:
        """The default where the field is empty."""
        return self._or_default("batch")

    def clean_batch_ms(self) -> int:
        """The default where the field is empty."""
        return self._or_default("batch_ms")

    def _or_default(self, name: str) -> int:
        value = self.cleaned_data[name]
        return int(self.fields[name].initial if value is None else value)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if {"version", "cameras", "delivery"} <= cleaned.keys():
            given = (
                cleaned["kind"],
                cleaned["delivery"],
                cleaned["cameras"],
                cleaned.get("crops_of"),
                bool(cleaned.get("enabled")),
            )
            for field, sentence in objections(
                WantedDeployment(
                    cleaned["version"],
                    *given,
                    pk=self.instance.pk,
                    groups=cleaned.get("groups", ()),
                    all_cameras=bool(cleaned.get("all_cameras")),
                )
            ):
                self.add_error(field, sentence)
        return cleaned
