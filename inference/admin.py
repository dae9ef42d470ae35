"""Models, versions and deployments in the admin."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from cameras.models import Camera
from inference.models import Deployment, Model, ModelVersion


class VersionInline(admin.TabularInline[ModelVersion, Model]):
    """The model's versions."""

    model = ModelVersion
    fields = ("version", "runtime", "options")
    extra = 0
    min_num = 1


@admin.register(Model)
class ModelAdmin(admin.ModelAdmin[Model]):
    """Models with their versions."""

    list_display = ("name", "slug", "version_names", "cameras_seen")
    search_fields = ("name", "slug")
    prepopulated_fields: ClassVar = {"slug": ("name",)}
    inlines: ClassVar = [VersionInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        return super().get_queryset(request).prefetch_related("versions__deployments__cameras")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return ("slug",) if obj else ()

    def get_prepopulated_fields(self, request: HttpRequest, obj: Model | None = None) -> dict[str, Any]:
        return {} if obj else dict(self.prepopulated_fields)

    @admin.display(description="versions")
    def version_names(self, model: Model) -> str:
        """The versions, separated by commas."""
        return ", ".join(version.version for version in model.versions.all())

    @admin.display(description="cameras")
    def cameras_seen(self, model: Model) -> int:
        """How many cameras an enabled deployment of the model sees."""
        deployments = [item for version in model.versions.all() for item in version.deployments.all() if item.enabled]
        return len({camera.pk for item in deployments for camera in item.cameras.all()})


class DeploymentForm(forms.ModelForm[Deployment]):
    """A deployment; one version sees a camera in one role only."""

    class Meta:
        model = Deployment
        fields = ("version", "cameras", "role", "delivery", "threshold", "enabled")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if {"version", "cameras"} <= cleaned.keys() and cleaned.get("enabled"):
            self._refuse_overlap(cleaned["version"], cleaned["cameras"])
        return cleaned

    def _refuse_overlap(self, version: ModelVersion, cameras: QuerySet[Camera]) -> None:
        others = Deployment.objects.filter(version=version, enabled=True).exclude(pk=self.instance.pk)
        taken = set(others.values_list("cameras", flat=True))
        if overlap := sorted(camera.name for camera in cameras if camera.pk in taken):
            self.add_error("cameras", f"{version} already sees {', '.join(overlap)} by another deployment. Change that one instead.")


@admin.register(Deployment)
class DeploymentAdmin(admin.ModelAdmin[Deployment]):
    """Which model version sees which cameras."""

    form = DeploymentForm
    list_display = ("version", "role", "camera_names", "threshold", "enabled")
    list_filter = ("role", "enabled", "version__model")
    list_select_related = ("version__model",)
    filter_horizontal = ("cameras",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Deployment]:
        return super().get_queryset(request).prefetch_related("cameras")

    @admin.display(description="cameras")
    def camera_names(self, deployment: Deployment) -> str:
        """The cameras, separated by commas."""
        return ", ".join(camera.name for camera in deployment.cameras.all()) or "none"
