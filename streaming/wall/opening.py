"""What the address of the wall asks for: a layout, a group, the kiosk. What cannot be had is
said in a sentence, and the wall opens all the same.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field

from django.contrib.auth.models import User
from django.http import HttpRequest

import sightline
from cameras.access import visible_cameras
from cameras.models import Camera, CameraGroup
from streaming.models import Layout
from streaming.wall import layouts
from streaming.wall.layouts import Arrangement


@dataclass(frozen=True, slots=True)
class Opening:
    """The wall as it opens. ``layout`` has no name when all cameras are shown; ``notes`` are
    sentences for the user.
    """

    layout: Layout
    layouts: list[Layout]
    arrangement: Arrangement
    groups: dict[str, str]  # names by short name, in order
    members: dict[str, list[str]]  # short names of groups by camera
    group: str = ""
    kiosk: bool = False
    cycle: int | None = None
    notes: list[str] = field(default_factory=list)

    def groups_of(self, camera: Camera) -> list[str]:
        """The short names of the camera's groups."""
        return self.members.get(camera.slug, [])

    @property
    def title(self) -> str:
        """What the wall is called."""
        return self.layout.name or "All cameras"

    @property
    def data(self) -> str:
        """What the page's scripts need, as JSON."""
        return json.dumps(
            {
                "layout": layouts.as_json(self.layout) if self.layout.name else None,
                "group": self.group,
                "kiosk": self.kiosk,
                "cycle": self.cycle,
                "missing": self.arrangement.missing if self.layout.name else [],
                "version": sightline.__version__,
            }
        )


def open_wall(request: HttpRequest) -> Opening:
    """What the request's address asks for, of what its user may see."""
    notes: list[str] = []
    assert isinstance(request.user, User)
    own = list(Layout.objects.filter(user=request.user).select_related("group"))
    choice = request.GET.get("layout")
    layout = layouts.find(own, choice)
    if layout is None:
        notes.append(
            f"You have no layout “{(choice or '')[:60]}”, so all your cameras are shown. Layouts"
            " belong to the user who saved them."
        )
        layout = layouts.find(own, layouts.ALL) or Layout()
    cameras = list(visible_cameras(request.user))
    groups, members = _groups(request)
    group = request.GET.get("group", layout.group.slug if layout.group else "")
    if group and group not in groups:
        notes.append(
            f"There is no group “{group[:60]}” with a camera that you may see, so no group is"
            " chosen."
        )
        group = ""
    return Opening(
        layout=layout,
        layouts=[item for item in own if item.name],
        arrangement=layouts.arrange(cameras, layout),
        groups=groups,
        members=members,
        group=group,
        kiosk=request.GET.get("kiosk") == "1",
        cycle=_cycle(request.GET.get("cycle"), notes),
        notes=notes,
    )


def _groups(request: HttpRequest) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Names by short name of the groups with a camera that the user may see; and each such
    camera's groups.
    """
    memberships = CameraGroup.objects.filter(cameras__in=visible_cameras(request.user)).values_list(
        "slug", "name", "cameras__slug"
    )
    names: dict[str, str] = {}
    members: dict[str, list[str]] = defaultdict(list)
    for slug, name, camera in memberships:
        names[slug] = name
        members[camera].append(slug)
    return names, members


def _cycle(text: str | None, notes: list[str]) -> int | None:
    if text is None:
        return None
    if (
        text.isascii()
        and text.isdigit()
        and (text == "0" or layouts.MIN_CYCLE <= int(text[:9]) <= layouts.MAX_CYCLE)
    ):
        return int(text)
    notes.append(
        f"Pages turn every {layouts.MIN_CYCLE} to {layouts.MAX_CYCLE} seconds, or not at all"
        " with cycle=0."
    )
    return None
