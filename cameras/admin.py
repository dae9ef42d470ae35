"""Cameras in the admin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from cameras.models import Camera, CameraGroup, Health, Outage, allowed_kinds
from cameras.signals import queue_probe
from cameras.sources.addresses import login_destination
from sightline.base.text import validate_single_line

SHOWN_OUTAGES = timedelta(days=7)


class CameraForm(forms.ModelForm[Camera]):
    """A camera's fields; the password can be set and removed, but never read."""

    may_change_groups: ClassVar = True

    new_password = forms.CharField(
        label="Password",
        required=False,
        strip=False,
        max_length=200,
        validators=[validate_single_line],
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Stored encrypted and never shown again. Leave empty to keep the stored one.",
    )
    forget_password = forms.BooleanField(label="Remove the stored password", required=False)
    groups = forms.ModelMultipleChoiceField(
        queryset=CameraGroup.objects.all(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Groups are filters of the wall. They are made under “Groups of cameras”.",
    )

    class Meta:
        model = Camera
        exclude: ClassVar = ["password_sealed"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.may_change_groups:
            del self.fields["groups"]
        if "kind" in self.fields:
            self.fields["kind"].choices = [(kind.value, kind.label) for kind in allowed_kinds()]  # type: ignore[attr-defined]
        if self.instance.pk is not None:
            self.initial.setdefault("groups", self.instance.groups.all())
        # As stored: validation writes the new address into the instance.
        self._had_password = bool(self.instance.password_sealed)
        self._had_destination = self.instance.login_destination

    def clean(self) -> dict[str, Any]:
        """Ask for the password anew when it would be sent to another destination."""
        cleaned = super().clean() or {}
        kept = not cleaned.get("new_password") and not cleaned.get("forget_password")
        if self._had_password and kept and {"kind", "url"} <= cleaned.keys():
            destination = login_destination(cleaned["kind"], cleaned["url"])
            if destination != self._had_destination:
                self.add_error(
                    "new_password",
                    f"The stored password was entered for {self._had_destination}. Enter it again"
                    f" for {destination}, or remove it.",
                )
        return cleaned

    def save(self, commit: bool = True) -> Any:
        if self.cleaned_data.get("new_password"):
            self.instance.password = self.cleaned_data["new_password"]
        elif self.cleaned_data.get("forget_password"):
            self.instance.password = ""
        return super().save(commit)

    def _save_m2m(self) -> None:
        super()._save_m2m()  # type: ignore[misc]
        if "groups" in self.cleaned_data:
            self.instance.groups.set(self.cleaned_data["groups"])


class OutageInline(admin.TabularInline[Outage, Camera]):
    """The camera's outages of the last week, read-only."""

    model = Outage
    fields = readonly_fields = ("started_at", "ended_at", "state", "detail")
    extra = 0
    max_num = 0
    can_delete = False
    verbose_name_plural = "Outages of the last week"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Outage]:
        return super().get_queryset(request).filter(started_at__gte=timezone.now() - SHOWN_OUTAGES)


@admin.register(Camera)
class CameraAdmin(admin.ModelAdmin[Camera]):
    form = CameraForm
    list_display = ("name", "slug", "kind", "state", "picture", "enabled", "imprint", "fps")
    list_filter = ("enabled", "kind", "groups")
    list_select_related = ("health",)
    search_fields = ("name", "slug", "url")
    prepopulated_fields: ClassVar = {"slug": ("name",)}
    readonly_fields = ("state", "probe_result", "picture", "group_names", "has_password")
    actions = ("probe_again", "enable", "disable")

    def get_form(
        self, request: HttpRequest, obj: Camera | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = type("CameraForm", (CameraForm,), {"may_change_groups": _may_change_groups(request)})
        return super().get_form(request, obj, change, form=form, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Camera | None = None) -> Any:
        """All fields to those who may change them. Others read the groups as names and whether
        there is a password: the fields for those exist in the form alone.
        """
        may_change = (
            self.has_add_permission(request)
            if obj is None
            else (self.has_change_permission(request, obj))
        )
        groups = "groups" if may_change and _may_change_groups(request) else "group_names"
        password = ("new_password", "forget_password") if may_change else ("has_password",)
        return (
            (None, {"fields": ("name", "slug", "enabled", groups)}),
            ("Connection", {"fields": ("kind", "url", "username", *password, "transport")}),
            ("Pictures", {"fields": ("fps", "max_width", "quality", "watch_picture", "imprint")}),
            ("What it does", {"fields": ("state", "probe_result", "picture")}),
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Camera]:
        return super().get_queryset(request).defer("health__thumbnail")

    def get_readonly_fields(
        self, request: HttpRequest, obj: Camera | None = None
    ) -> tuple[str, ...]:
        return (*self.readonly_fields, "slug") if obj else self.readonly_fields

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Camera | None = None
    ) -> dict[str, Any]:
        return {} if obj else dict(self.prepopulated_fields)

    def get_inlines(self, request: HttpRequest, obj: Camera | None) -> list[Any]:
        return [OutageInline] if obj else []

    @admin.display(description="state")
    def state(self, camera: Camera) -> str:
        """The state as last recorded, with its reason."""
        health = _health(camera)
        if not camera.enabled:
            return "disabled"
        if health is None or health.since is None:
            return "not seen yet"
        return f"{health.state}: {health.detail}" if health.detail else health.state

    @admin.display(description="groups")
    def group_names(self, camera: Camera) -> str:
        """The groups' names, separated by commas."""
        names = [group.name for group in camera.groups.all()] if camera.pk else []
        return ", ".join(names) or "none"

    @admin.display(description="password")
    def has_password(self, camera: Camera) -> str:
        return "stored, never shown" if camera.password_sealed else "none"

    @admin.display(description="probe")
    def probe_result(self, camera: Camera) -> str:
        health = _health(camera)
        if health is None or health.probed_at is None:
            return "Being probed. Load this page again in a few seconds."
        when = f"{health.probed_at:%Y-%m-%d %H:%M:%S} UTC"
        if health.probe_error:
            return f"{health.probe_error} ({when})"
        return (
            f"{health.codec}, {health.width}×{health.height}, {health.fps:g} frames a second"
            f" ({when})"
        )

    @admin.display(description="picture")
    def picture(self, camera: Camera) -> str | SafeString:
        """The thumbnail of the last probe."""
        health = _health(camera)
        if health is None or health.probed_at is None or health.probe_error:
            return "–"
        return format_html(
            '<img class="thumbnail" src="{}" alt="Picture of {}" width="160" height="{}"'
            ' loading="lazy">',
            reverse("camera-thumbnail", args=[camera.slug]),
            camera.name,
            round(160 * health.height / health.width) if health.width else 90,
        )

    @admin.action(description="Probe again", permissions=["change"])
    def probe_again(self, request: HttpRequest, queryset: QuerySet[Camera]) -> None:
        queued = sum(queue_probe(camera) for camera in queryset)
        self.message_user(
            request,
            f"{queued} cameras are being probed. Load their pages again in a few seconds.",
            messages.INFO,
        )

    @admin.action(description="Enable", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Camera]) -> None:
        self._switch(queryset, enabled=True)

    @admin.action(description="Disable", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Camera]) -> None:
        self._switch(queryset, enabled=False)

    def _switch(self, queryset: QuerySet[Camera], *, enabled: bool) -> None:
        # One by one: update() sends no signals, so the workers would not be told.
        for camera in queryset:
            camera.enabled = enabled
            camera.save()


@admin.register(CameraGroup)
class CameraGroupAdmin(admin.ModelAdmin[CameraGroup]):
    list_display = ("name", "slug", "order", "members")
    list_editable = ("order",)
    search_fields = ("name", "slug")
    prepopulated_fields: ClassVar = {"slug": ("name",)}
    filter_horizontal = ("cameras",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[CameraGroup]:
        return super().get_queryset(request).annotate(camera_count=Count("cameras"))

    @admin.display(description="cameras", ordering="camera_count")
    def members(self, group: CameraGroup) -> int:
        return int(group.camera_count)  # type: ignore[attr-defined]


def _may_change_groups(request: HttpRequest) -> bool:
    """A camera's form lists the camera in groups: that changes the groups."""
    return request.user.has_perm("cameras.change_cameragroup")


def _health(camera: Camera) -> Health | None:
    return getattr(camera, "health", None)
