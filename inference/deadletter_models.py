"""What was retried, so that nobody does it twice without knowing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

KEPT = timedelta(days=30)
# A claim whose worker was killed is open again after this.
CLAIM_LASTS = timedelta(minutes=10)
DETAIL_LIMIT = 500

# Partition, offset and time stamp: offsets alone begin anew when a topic is made anew.
Mark = tuple[int, int, int]


class RetriedLetter(models.Model):
    """A dead letter that was given back to a model, and how that went: ``succeeded`` is None while it is under way."""

    model_version = models.ForeignKey("inference.ModelVersion", on_delete=models.CASCADE, related_name="retried_letters")
    topic = models.CharField(max_length=255)
    partition = models.PositiveIntegerField()
    offset = models.BigIntegerField()
    timestamp = models.BigIntegerField(help_text="The dead letter's own, in ms since the epoch.")
    retried_at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    against = models.CharField(max_length=100)
    succeeded = models.BooleanField(null=True)
    detail = models.CharField(max_length=DETAIL_LIMIT, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model_version", "topic", "partition", "offset", "timestamp"], name="letter_retried_once"),
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.partition}:{self.offset}"

    @property
    def mark(self) -> Mark:
        """Which letter it is."""
        return self.partition, self.offset, self.timestamp

    @classmethod
    def claim(cls, version_pk: int, topic: str, mark: Mark, *, by: int | None, against: str, again: bool) -> RetriedLetter | None:
        """The letter's row, now under way; None when another is at it, or it was retried with success and is not to be retried ``again``."""
        now = timezone.now()
        news = {"retried_at": now, "by_id": by, "against": against, "succeeded": None, "detail": ""}
        partition, offset, timestamp = mark
        place = {"model_version_id": version_pk, "topic": topic, "partition": partition, "offset": offset, "timestamp": timestamp}
        row, created = cls.objects.get_or_create(**place, defaults=news)
        if created:
            return row
        free = Q(succeeded=False) | Q(succeeded=None, retried_at__lt=now - CLAIM_LASTS) | (Q(succeeded=True) if again else Q())
        return cls.objects.get(pk=row.pk) if cls.objects.filter(free, pk=row.pk).update(**news) else None

    def settle(self, *, succeeded: bool, detail: str) -> None:
        """Note how it went."""
        # PostgreSQL takes no NUL in text.
        shown = detail.replace("\0", "").encode(errors="replace").decode()[:DETAIL_LIMIT]
        RetriedLetter.objects.filter(pk=self.pk).update(succeeded=succeeded, detail=shown)

    @classmethod
    def forget_old(cls) -> None:
        """Delete what is about letters that Kafka has long deleted."""
        cls.objects.filter(retried_at__lt=timezone.now() - KEPT).delete()


def marks_of(version_pk: int, topic: str, offsets: Iterable[int]) -> dict[Mark, RetriedLetter]:
    """What is known of the letters at these offsets."""
    rows = RetriedLetter.objects.filter(model_version_id=version_pk, topic=topic, offset__in=list(offsets)).select_related("by")
    return {row.mark: row for row in rows}
