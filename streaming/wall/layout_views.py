"""The layouts of the wall over HTTP, in JSON: each user has their own."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse, RawPostDataException
from django.views.decorators.http import require_http_methods

from sightline.messages.json import parse
from streaming.json_view import Refused, json_view
from streaming.models import Layout
from streaming.wall import layouts
from streaming.wall.layouts import LayoutError

MAX_BYTES = 256 * 1024
NOT_THERE = "You have no such layout. It may have been deleted in another window."


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


@require_http_methods(["GET", "HEAD", "POST"])
@json_view()
def collection(request: HttpRequest) -> HttpResponse:
    """All layouts of the user, or a new one."""
    if request.method != "POST":
        return JsonResponse(
            {
                "layouts": [
                    layouts.as_json(layout) for layout in layouts.named_layouts(_user(request))
                ]
            }
        )
    document = _read(request)
    with transaction.atomic():
        # The row of the user stands for all of their layouts: two windows do not save the 51st at
        # once.
        user = User.objects.select_for_update().get(id=_user(request).id)
        if layouts.named_layouts(user).count() >= layouts.MAX_LAYOUTS:
            raise LayoutError(
                f"You have {layouts.MAX_LAYOUTS} layouts, which is the most. Delete one first."
            )
        layout = Layout(user=user)
        layouts.change(layout, document)
        _save(layout)
    return JsonResponse(layouts.as_json(layout), status=201)


@require_http_methods(["GET", "HEAD", "PATCH", "DELETE"])
@json_view()
def item(request: HttpRequest, pk: int) -> HttpResponse:
    """One layout of the user: read, change (only what is sent), delete."""
    layout = layouts.named_layouts(_user(request)).filter(pk=pk).first()
    if layout is None:
        raise Refused(404, NOT_THERE)
    if request.method == "DELETE":
        layout.delete()
        return HttpResponse(status=204)
    if request.method == "PATCH":
        layouts.change(layout, _read(request))
        _save(layout)
    return JsonResponse(layouts.as_json(layout))


@require_http_methods(["PATCH"])
@json_view()
def everyday(request: HttpRequest) -> HttpResponse:
    """The order of cameras on the wall of all cameras."""
    user = _user(request)
    layout = Layout.objects.filter(user=user, name="").first() or Layout(user=user)
    layouts.change_order(layout, _read(request))
    Layout.objects.update_or_create(user=user, name="", defaults={"cameras": layout.cameras})
    return JsonResponse({"cameras": layout.cameras})


def _read(request: HttpRequest) -> Any:
    if int(request.headers.get("Content-Length") or 0) > MAX_BYTES:
        raise LayoutError("This is too much for a layout.")
    try:
        return parse(request.body)
    except (ValueError, RecursionError, RawPostDataException) as err:  # a form is not JSON either
        raise LayoutError("What was sent is not JSON.") from err


def _save(layout: Layout) -> None:
    try:
        with transaction.atomic():
            if layout.is_default:
                Layout.objects.filter(user=layout.user, is_default=True).exclude(
                    pk=layout.pk
                ).update(is_default=False)
            layout.save()
    except IntegrityError as err:
        raise layouts.name_taken(layout.name) from err
