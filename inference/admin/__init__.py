"""Models, versions and deployments in the admin."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from cameras.access import visible_cameras
from inference.deadletters.admin import DeadLettersMixin
from inference.forms.deployment import DeploymentForm
from inference.forms.version import ModelForm, VersionForm
from inference.forms.views import ModelFormViews
from inference.models import Deployment, Model, ModelVersion
from inference.seen import own_cameras
from sightline.kafka import topics

VERSION_FIELDS = ("version", "runtime", "options", "file", "input_schema", "output_schema")


def form_for(request: HttpRequest) -> type[VersionForm]:
    """The form for a version, as this user may fill it in."""
    return type("VersionForm", (VersionForm,), {"user": request.user})


class VersionInline(admin.StackedInline[ModelVersion, Model]):
    """The first version of a new model."""

    model = ModelVersion
    template = "admin/inference/version/inline.html"
    fields = VERSION_FIELDS
    extra = 0
    min_num = max_num = 1
    can_delete = False

    def get_formset(self, request: HttpRequest, obj: Model | None = None, **kwargs: Any) -> Any:
        return super().get_formset(request, obj, form=form_for(request), **kwargs)


class ModelFormMixin(admin.ModelAdmin[Any]):
    """For pages with a version's form: what its script and the template need beside the form."""

    class Media:
        css: ClassVar = {"all": ["sightline/css/modelform.css"]}

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context = {"visible_cameras": visible_cameras(request.user), **(extra_context or {})}
        return super().changeform_view(request, object_id, form_url, context)


@admin.register(Model)
class ModelAdmin(DeadLettersMixin, ModelFormMixin):
    """Models with their versions. A new one is added with its first version on one page; further
    ones have pages of their own.
    """

    form = ModelForm
    list_display = ("name", "slug", "version_names", "cameras_seen", "dead_letters")
    search_fields = ("name", "slug")
    prepopulated_fields: ClassVar = {"slug": ("name",)}
    fieldsets = (
        (None, {"fields": ("name", "slug", "description")}),
        ("Records", {"fields": ("partitions",)}),
    )

    def get_urls(self) -> list[URLPattern]:
        views = ModelFormViews()
        wrap = self.admin_site.admin_view
        own = [
            path("options/", wrap(views.options), name="inference_model_options"),
            path("describe/", wrap(views.describe), name="inference_model_describe"),
            path("try/", wrap(views.try_it), name="inference_model_try"),
        ]
        return [*own, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        return (
            super()
            .get_queryset(request)
            .prefetch_related(
                "versions__deployments__cameras",
                "versions__deployments__groups__cameras",
                "versions__deployments__crops_of__version__model",
            )
        )

    def get_inlines(self, request: HttpRequest, obj: Model | None) -> list[Any]:
        return [] if obj else [VersionInline]

    def get_readonly_fields(
        self, request: HttpRequest, obj: Model | None = None
    ) -> tuple[str, ...]:
        return ("slug",) if obj else ()

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Model | None = None
    ) -> dict[str, Any]:
        return {} if obj else dict(self.prepopulated_fields)

    @admin.display(description="versions")
    def version_names(self, model: Model) -> str:
        """The versions, separated by commas."""
        return ", ".join(version.version for version in model.versions.all())

    @admin.display(description="cameras")
    def cameras_seen(self, model: Model) -> int | str:
        """How many cameras an enabled deployment of the model sees; "all"."""
        deployments = [
            item
            for version in model.versions.all()
            for item in version.deployments.all()
            if item.enabled
        ]
        if any(item.all_cameras for item in deployments):
            return "all"
        return len({pk for seen in own_cameras(deployments).values() for pk in seen})


@admin.register(ModelVersion)
class VersionAdmin(ModelFormMixin):
    """A version on a page of its own; reached from its model."""

    fields = ("model", *VERSION_FIELDS)
    list_display = ("__str__", "runtime", "created_at")
    list_select_related = ("model",)

    def get_form(
        self,
        request: HttpRequest,
        obj: ModelVersion | None = None,
        change: bool = False,
        **kwargs: Any,
    ) -> Any:
        # Without the right to change there are no fields, and the page shows plain text.
        may_fill_in = (
            self.has_change_permission(request, obj) if change else self.has_add_permission(request)
        )
        form = form_for(request) if may_fill_in else forms.ModelForm
        return super().get_form(request, obj, change, form=form, **kwargs)

    def get_readonly_fields(
        self, request: HttpRequest, obj: ModelVersion | None = None
    ) -> tuple[str, ...]:
        return ("model",) if obj else ()

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Not in the admin's index: models are."""
        return False

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """A further version of a model is most often like its newest."""
        initial: dict[str, Any] = dict(super().get_changeform_initial_data(request))
        pk = str(initial.get("model", ""))
        newest = (
            ModelVersion.objects.filter(model_id=pk).order_by("created_at", "pk").last()
            if pk.isdecimal()
            else None
        )
        if newest is None:
            return initial
        alike = {
            name: getattr(newest, name)
            for name in ("runtime", "options", "input_schema", "output_schema")
        }
        return {**alike, "version": next_version(newest.version), **initial}

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        version = self.get_object(request, object_id) if object_id else None
        own = {} if version is None else {"topics": _topics(version), "model": version.model}
        return super().changeform_view(
            request, object_id, form_url, {**own, **(extra_context or {})}
        )

    def response_post_save_add(
        self, request: HttpRequest, obj: ModelVersion
    ) -> HttpResponseRedirect:
        return self._to_model(obj)

    def response_post_save_change(
        self, request: HttpRequest, obj: ModelVersion
    ) -> HttpResponseRedirect:
        return self._to_model(obj)

    def _to_model(self, version: ModelVersion) -> HttpResponseRedirect:
        return HttpResponseRedirect(
            reverse("admin:inference_model_change", args=[version.model_id])
        )


def next_version(version: str) -> str:
    """One more, where it ends with a number; else "" for people to fill in."""
    head = version.rstrip("0123456789")
    number = version[len(head) :]
    return f"{head}{int(number) + 1}" if number else ""


def _topics(version: ModelVersion) -> list[str]:
    """The names of the topics that carry what the version sees, says and cannot process."""
    model = version.model
    return [
        topic.name for topic in topics.record_topics(model.slug, version.version, model.partitions)
    ]


@admin.register(Deployment)
class DeploymentAdmin(admin.ModelAdmin[Deployment]):
    """Which model version sees what."""

    form = DeploymentForm
    list_display = ("version", "kind", "role", "camera_names", "threshold", "enabled")
    list_filter = ("kind", "role", "enabled", "version__model")
    list_select_related = ("version__model", "crops_of__version__model")
    filter_horizontal = ("groups", "cameras")
    fieldsets = (
        (None, {"fields": ("version", "kind", "enabled")}),
        (
            "What it sees",
            {"fields": ("all_cameras", "groups", "cameras", "crops_of", "crop_label", "delivery")},
        ),
        ("What it says", {"fields": ("role", "threshold")}),
        ("Batches", {"fields": ("batch", "batch_ms")}),
    )

    class Media:
        js = (forms.Script("sightline/js/admin/deployment-form.js", type="module"),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Deployment]:
        return super().get_queryset(request).prefetch_related("cameras", "groups")

    @admin.display(description="sees")
    def camera_names(self, deployment: Deployment) -> str:
        """The groups and cameras, separated by commas; the records' topic."""
        names = ", ".join(deployment.chosen_names)
        if deployment.kind != Deployment._meta.get_field("kind").default:
            return "its inputs topic"
        if deployment.crops_of is not None:
            return f"boxes of {deployment.crops_of.version}" + (f" on {names}" if names else "")
        return names or "none"
