"""What the pages about dead letters list: groups of letters, and how their retries went."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.http import Http404, HttpRequest

from cameras.access import visible_cameras
from cameras.models import Camera
from inference.deadletters.letters import ErrorGroup, LetterSummary, Offset, errors_topic
from inference.models import ModelVersion, RetriedLetter, retried_letters
from sightline.kafka.reader import Cursor


@dataclass(frozen=True, slots=True)
class LetterRow:
    """A letter in a list, and its last retry."""

    letter: LetterSummary
    retried: RetriedLetter | None


@dataclass(frozen=True, slots=True)
class GroupSection:
    """A group of letters in a list; only the newest ``rows`` of a large one."""

    group: ErrorGroup
    rows: tuple[LetterRow, ...]

    @property
    def hidden(self) -> int:
        """How many are not shown."""
        return self.group.count - len(self.rows)


def sections_of(
    version: ModelVersion, groups: Iterable[ErrorGroup], most: int
) -> list[GroupSection]:
    """The groups, with ``most`` letters each."""
    shown = [(group, group.letters[:most]) for group in groups]
    retries = retried_letters(
        version.pk,
        errors_topic(version).name,
        [letter.offset.offset for _, letters in shown for letter in letters],
    )
    return [
        GroupSection(group, tuple(LetterRow(letter, retries.get(letter.id)) for letter in letters))
        for group, letters in shown
    ]


def without_hidden(request: HttpRequest, letters: Iterable[LetterSummary]) -> list[LetterSummary]:
    """Leave out frames of cameras that the user may not see."""
    hidden = set(
        Camera.objects.exclude(pk__in=visible_cameras(request.user)).values_list("slug", flat=True)
    )
    return [letter for letter in letters if letter.camera not in hidden]


def cursor_of(text: str) -> Cursor | None:
    """Parse ``partition:offset,partition:offset``; Http404 for anything else."""
    if not text:
        return None
    try:
        offsets = [Offset.parse(item) for item in text.split(",")]
    except ValueError as err:
        raise Http404("There is no such page.") from err
    return {offset.partition: offset.offset for offset in offsets}
