"""Saved layouts of the wall: what a browser sends is checked here, and cameras are put into
their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.models import User
from django.db.models import QuerySet

from cameras.access import visible_cameras
from cameras.models import Camera, CameraGroup
from streaming.json_view import Refused
from streaming.models import Layout

MAX_LAYOUTS: Final = 50
MAX_CAMERAS: Final = 1000
MAX_COLUMNS: Final = 16
MAX_TILES: Final = 64
MIN_CYCLE, MAX_CYCLE = 3, 3600
ALL: Final = "all"  # /?layout=all is the wall of all cameras, also for who has a default layout
SWITCHES: Final = ("boxes", "labels", "scores")
MODES: Final = ("live", "synced")


class LayoutError(Refused):
    """What was sent cannot be saved; the message is a sentence for the user."""

    def __init__(self, sentence: str) -> None:
        super().__init__(400, sentence)


@dataclass(frozen=True, slots=True)
class Arrangement:
    """All cameras of a user in the order of a layout, the short names of those that it shows,
    and of those that it names but that are not there.
    """

    cameras: list[Camera]
    shown: frozenset[str]
    missing: list[str]


def arrange(cameras: Iterable[Camera], layout: Layout | None) -> Arrangement:
    """Cameras that the layout names come first, in its order; the others follow in the order
    given.
    """
    by_slug = {camera.slug: camera for camera in cameras}
    named = list(layout.cameras) if layout else []
    ordered = [by_slug[slug] for slug in named if slug in by_slug]
    rest = [camera for slug, camera in by_slug.items() if slug not in set(named)]
    shown = [*ordered, *rest] if layout is None or layout.others else ordered
    return Arrangement(
        [*ordered, *rest],
        frozenset(camera.slug for camera in shown),
        [slug for slug in named if slug not in by_slug],
    )


def find(layouts: Iterable[Layout], choice: str | None) -> Layout | None:
    """The layout of that name or number; the default one for None, else the one without a
    name. None if there is no such layout.
    """
    layouts = list(layouts)
    everyday = next((layout for layout in layouts if not layout.name), Layout())
    if choice is None:
        return next((layout for layout in layouts if layout.is_default), everyday)
    if choice in ("", ALL):
        return everyday
    by_name = next(
        (layout for layout in layouts if layout.name.casefold() == choice.casefold()), None
    )
    return by_name or next(
        (layout for layout in layouts if layout.name and str(layout.pk) == choice), None
    )


def named_layouts(user: User) -> QuerySet[Layout]:
    """The layouts that a user has saved under names."""
    return Layout.objects.filter(user=user).exclude(name="").select_related("group")


def as_json(layout: Layout) -> dict[str, Any]:
    """A layout as scripts and the page read it."""
    return {
        "id": layout.pk,
        "name": layout.name,
        "cameras": layout.cameras,
        "others": layout.others,
        "group": layout.group.slug if layout.group else None,
        "columns": layout.columns,
        "tiles": layout.tiles,
        "cycle": layout.cycle,
        "drawn": layout.drawn,
        "default": layout.is_default,
    }


def change(layout: Layout, document: object) -> None:
    """Take over what ``document``, read from JSON, says. LayoutError when it cannot be; the
    layout is then not to be saved.
    """
    if not isinstance(document, dict):
        raise LayoutError("Send a layout as a JSON object.")
    for name, value in document.items():
        if name not in _FIELDS:
            raise LayoutError(f"A layout has no “{str(name)[:60]}”. It has {', '.join(_FIELDS)}.")
        attribute, read = _FIELDS[name]
        setattr(layout, attribute, read(layout, value))
    if not layout.name:
        raise LayoutError("Give the layout a name.")


def change_order(layout: Layout, document: object) -> None:
    """Take over the order of cameras alone; LayoutError as in ``change``."""
    if not isinstance(document, dict) or document.keys() != {"cameras"}:
        raise LayoutError(
            "The wall of all cameras keeps the order of its cameras only. Send {“cameras”: […]}."
        )
    layout.cameras = _cameras(layout, document["cameras"])


def _name(layout: Layout, value: object) -> str:
    name = " ".join(value.split()) if isinstance(value, str) else ""
    if not name:
        raise LayoutError("Give the layout a name.")
    if len(name) > 60 or not name.isprintable():
        raise LayoutError("A name has 60 characters at most, and only ones that can be read.")
    if name.casefold() == ALL:
        raise LayoutError(f"“{name}” is the wall of all cameras. Choose another name.")
    others = named_layouts(layout.user).exclude(pk=layout.pk).values_list("name", flat=True)
    if name.casefold() in {other.casefold() for other in others}:
        raise name_taken(name)
    return name


def name_taken(name: str) -> LayoutError:
    """The user has such a layout already."""
    return LayoutError(f"You already have a layout “{name}”. Choose another name.")


def _cameras(layout: Layout, value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(slug, str) for slug in value):
        raise LayoutError("“cameras” is a list of the short names of cameras.")
    if len(value) > MAX_CAMERAS:
        raise LayoutError(f"A layout has {MAX_CAMERAS} cameras at most.")
    if len(set(value)) < len(value):
        raise LayoutError("A layout has each camera once.")
    # What is in the layout may stay there although the camera is gone: it may come back.
    known = set(visible_cameras(layout.user).values_list("slug", flat=True)) | set(layout.cameras)
    if strange := [slug for slug in value if slug not in known]:
        raise LayoutError(f"There is no camera “{strange[0][:63]}” that you may see.")
    return value


def _group(layout: Layout, value: object) -> CameraGroup | None:
    if value is None:
        return None
    if isinstance(value, str) and value.isprintable():
        group = CameraGroup.objects.filter(
            slug=value, cameras__in=visible_cameras(layout.user)
        ).first()
        if group is not None or (layout.group and layout.group.slug == value):
            return group or layout.group
    raise LayoutError(f"There is no group “{str(value)[:63]}” with a camera that you may see.")


def _flag(name: str) -> Callable[[Layout, object], bool]:
    def read(_: Layout, value: object) -> bool:
        if not isinstance(value, bool):
            raise LayoutError(f"“{name}” is true or false.")
        return value

    return read


def _number(name: str, most: int, *, least: int = 1) -> Callable[[Layout, object], int]:
    def read(_: Layout, value: object) -> int:
        if (
            isinstance(value, bool)
            or not isinstance(value, int)
            or not (value == 0 or least <= value <= most)
        ):
            raise LayoutError(f"“{name}” is 0 or a whole number from {least} to {most}.")
        return value

    return read


def _drawn(_: Layout, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise LayoutError("“drawn” is an object.")
    return {name: _drawn_item(str(name), item) for name, item in value.items()}


def _drawn_item(name: str, value: object) -> object:
    if name in SWITCHES and isinstance(value, bool):
        return value
    if name == "mode" and value in MODES:
        return value
    if (
        name == "threshold"
        and isinstance(value, int)
        and not isinstance(value, bool)
        and 0 <= value <= 100
    ):
        return value
    if name in ("hiddenModels", "hiddenLabels") and _is_short_list(value):
        return value
    raise LayoutError(
        f"“{name[:60]}” cannot be drawn so. There are {', '.join(SWITCHES)} (true or false), mode"
        " (live or synced), threshold (0 to 100), hiddenModels and hiddenLabels (lists of names)."
    )


def _is_short_list(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= 200
        and all(isinstance(item, str) and len(item) <= 200 and item.isprintable() for item in value)
    )


_FIELDS: Final[dict[str, tuple[str, Callable[[Layout, Any], Any]]]] = {
    "name": ("name", _name),
    "cameras": ("cameras", _cameras),
    "others": ("others", _flag("others")),
    "group": ("group", _group),
    "columns": ("columns", _number("columns", MAX_COLUMNS)),
    "tiles": ("tiles", _number("tiles", MAX_TILES)),
    "cycle": ("cycle", _number("cycle", MAX_CYCLE, least=MIN_CYCLE)),
    "drawn": ("drawn", _drawn),
    "default": ("is_default", _flag("default")),
}
