"""Models, their versions, and which version sees which cameras."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from cameras.models import Camera, CameraGroup
from inference.runtimes import RUNTIMES, InferenceError, check
from sightline.base.slugs import validate_slug
from sightline.base.text import storable

KEPT = timedelta(days=30)
# A claim whose worker was killed expires after this.
CLAIM_LASTS = timedelta(minutes=10)
DETAIL_LIMIT = 500

# Partition, offset and timestamp: offsets alone start over when a topic is recreated.
LetterId = tuple[int, int, int]

VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")


def validate_version(value: str) -> None:
    """ValidationError unless ``value`` can be part of a topic's name: no dot, which separates
    the name's parts.
    """
    if not VERSION.fullmatch(value):
        raise ValidationError(
            "Use letters, digits, hyphens and underscores, 32 at most: 1, 2-1, 2026-05."
        )


def runtime_choices() -> list[tuple[str, str]]:
    """The runtimes by name and title."""
    return [(name, kind.title) for name, kind in RUNTIMES.items()]


class Role(models.TextChoices):
    """Whether operators see what a model says."""

    LIVE = "live", "Live: shown to operators"
    SHADOW = "shadow", "Shadow: recorded, not shown"


class Delivery(models.TextChoices):
    """Which frames a model gets."""

    LATEST = "latest", "Latest: always the newest frame, the rest are skipped"
    EVERY = "every", "Every: each record once, in order; after a crash some again"
    EXACTLY_ONCE = (
        "exactly-once",
        "Exactly once: each record once, by Kafka transactions; in-process models only",
    )


class InputKind(models.TextChoices):
    """What a deployment feeds its model with."""

    PICTURES = "pictures", "Pictures: frames of cameras"
    RECORDS = "records", "Records: JSON or Avro from the model's inputs topic"


class Model(models.Model):
    """A model by name. The slug names its topics, so it never changes."""

    slug = models.CharField(
        max_length=63,
        unique=True,
        validators=[validate_slug],
        help_text="Part of the model's Kafka topics. It cannot be changed later.",
        error_messages={"unique": "There is already a model with this short name. Choose another."},
    )
    name = models.CharField(max_length=100)
    description = models.TextField(blank=True)
    partitions = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text="Of its inputs and outputs topics: at most this many workers share its records.",
    )

    class Meta:
        ordering: ClassVar = ["slug"]

    def __str__(self) -> str:
        return self.name or self.slug

    def save(self, *args: Any, **kwargs: Any) -> None:
        if (
            self.pk is not None
            and Model.objects.filter(pk=self.pk).exclude(slug=self.slug).exists()
        ):
            raise ValidationError(
                {"slug": "The short name cannot be changed: topics are named by it."}
            )
        super().save(*args, **kwargs)


class ModelVersion(models.Model):
    """One version of a model: what runs it, and with which options."""

    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="versions")
    version = models.CharField(max_length=32, default="1", validators=[validate_version])
    runtime = models.CharField(max_length=20, choices=runtime_choices)
    options = models.JSONField(
        default=dict,
        blank=True,
        help_text='Options of the runtime as JSON, for example {"width": 640}. Empty: defaults.',
    )
    file = models.FileField(
        upload_to="models/", blank=True, help_text="ONNX only: the model itself."
    )
    sha256 = models.CharField("SHA-256", max_length=64, blank=True, editable=False)
    input_schema = models.JSONField(
        default=dict,
        blank=True,
        help_text="Records only: a JSON schema that each input must fit. Empty: any object.",
    )
    output_schema = models.JSONField(
        default=dict,
        blank=True,
        help_text="Records only: a JSON schema of the outputs, for those who read them.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["model__slug", "version"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model", "version"], name="version_once_per_model")
        ]

    def __str__(self) -> str:
        return f"{self.model.slug} {self.version}"

    def clean(self) -> None:
        """The options must be ones that the runtime knows."""
        if not isinstance(self.options, dict):
            raise ValidationError({"options": 'Options are a JSON object: {"name": value}.'})
        try:
            check(self.runtime, self.options)
        except InferenceError as err:
            raise ValidationError({"options": str(err)}) from err


class Deployment(models.Model):
    """A model version that sees the frames of some cameras."""

    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="deployments")
    kind = models.CharField(max_length=10, choices=InputKind, default=InputKind.PICTURES)
    cameras = models.ManyToManyField(
        Camera, related_name="deployments", blank=True, help_text="Pictures only."
    )
    groups = models.ManyToManyField(
        CameraGroup,
        related_name="deployments",
        blank=True,
        help_text="All cameras of these groups, also those that join them later.",
    )
    all_cameras = models.BooleanField(
        "all cameras",
        default=False,
        help_text="All cameras, also those that are added later.",
    )
    crops_of = models.ForeignKey(
        "self",
        # Without its first stage it would see whole frames.
        on_delete=models.RESTRICT,
        null=True,
        blank=True,
        related_name="crops",
        help_text=(
            "Two-stage: see not the whole frame but the boxes that this deployment finds in it."
        ),
    )
    crop_label = models.CharField(
        max_length=100, blank=True, help_text="Two-stage: only boxes with this label. Empty: all."
    )
    batch = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(256)],
        help_text=(
            "Up to this many pictures (of several cameras) or records in one call, if the model"
            " takes batches."
        ),
    )
    batch_ms = models.PositiveSmallIntegerField(
        "batch wait",
        default=5,
        validators=[MaxValueValidator(1000)],
        help_text="Milliseconds that the first picture of a batch waits for more, at most.",
    )
    role = models.CharField(max_length=10, choices=Role, default=Role.LIVE)
    delivery = models.CharField(max_length=16, choices=Delivery, default=Delivery.LATEST)
    threshold = models.FloatField(
        default=0.0,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
        help_text="Predictions with a lower score than this are left out.",
    )
    enabled = models.BooleanField(default=True)

    class Meta:
        ordering: ClassVar = ["version__model__slug", "version__version", "pk"]

    def __str__(self) -> str:
        return f"{self.version} ({self.role})"

    @property
    def chosen_names(self) -> list[str]:
        """What it sees in words, as it was chosen: all cameras, or groups and cameras by name."""
        if self.all_cameras:
            return ["all cameras"]
        groups = [f"group {group.name}" for group in self.groups.all()]
        return groups + [camera.name for camera in self.cameras.all()]

    def clean(self) -> None:
        """A second stage sees the boxes of pictures, and never its own, not even in a roundabout
        way.
        """
        if self.crops_of is None:
            return
        if InputKind.RECORDS in (self.kind, self.crops_of.kind):
            raise ValidationError(
                {
                    "crops_of": (
                        "Only pictures have boxes to see: both deployments must be of the kind"
                        " pictures."
                    )
                }
            )
        if any(self._is_same_model(stage) for stage in self._stages_before()):
            raise ValidationError(
                {"crops_of": "A model cannot see what it finds itself. Choose another deployment."}
            )

    def _is_same_model(self, stage: Deployment) -> bool:
        return stage.pk == self.pk or stage.version_id == self.version_id

    def _stages_before(self) -> Iterator[Deployment]:
        seen: set[int] = set()
        stage = self.crops_of
        while stage is not None and stage.pk not in seen:
            seen.add(stage.pk)
            yield stage
            stage = stage.crops_of


class RetriedLetter(models.Model):
    """A dead letter that was retried, and how that went: ``succeeded`` is None while the retry is
    under way.
    """

    model_version = models.ForeignKey(
        "inference.ModelVersion", on_delete=models.CASCADE, related_name="retried_letters"
    )
    topic = models.CharField(max_length=255)
    partition = models.PositiveIntegerField()
    offset = models.BigIntegerField()
    timestamp = models.BigIntegerField(help_text="The dead letter's own, in ms since the epoch.")
    retried_at = models.DateTimeField()
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    against = models.CharField(max_length=100)
    succeeded = models.BooleanField(null=True)
    detail = models.CharField(max_length=DETAIL_LIMIT, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["model_version", "topic", "partition", "offset", "timestamp"],
                name="letter_retried_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.partition}:{self.offset}"

    @property
    def letter_id(self) -> LetterId:
        return self.partition, self.offset, self.timestamp

    @classmethod
    def claim(
        cls,
        version_pk: int,
        topic: str,
        letter_id: LetterId,
        *,
        by: int | None,
        against: str,
        again: bool,
    ) -> RetriedLetter | None:
        """Mark the letter as being retried; None if another worker retries it, or if it was
        retried with success and this is not ``again``.
        """
        now = timezone.now()
        news = {"retried_at": now, "by_id": by, "against": against, "succeeded": None, "detail": ""}
        partition, offset, timestamp = letter_id
        place = {
            "model_version_id": version_pk,
            "topic": topic,
            "partition": partition,
            "offset": offset,
            "timestamp": timestamp,
        }
        row, created = cls.objects.get_or_create(**place, defaults=news)
        if created:
            return row
        free = (
            Q(succeeded=False)
            | Q(succeeded=None, retried_at__lt=now - CLAIM_LASTS)
            | (Q(succeeded=True) if again else Q())
        )
        return (
            cls.objects.get(pk=row.pk)
            if cls.objects.filter(free, pk=row.pk).update(**news)
            else None
        )

    def settle(self, *, succeeded: bool, detail: str) -> None:
        """Record how the retry went."""
        RetriedLetter.objects.filter(pk=self.pk).update(
            succeeded=succeeded, detail=storable(detail, DETAIL_LIMIT)
        )

    @classmethod
    def forget_old(cls) -> None:
        """Delete the retries of letters that Kafka has long deleted."""
        cls.objects.filter(retried_at__lt=timezone.now() - KEPT).delete()


def retried_letters(
    version_pk: int, topic: str, offsets: Iterable[int]
) -> dict[LetterId, RetriedLetter]:
    """The retries of the letters at these offsets."""
    rows = RetriedLetter.objects.filter(
        model_version_id=version_pk, topic=topic, offset__in=list(offsets)
    ).select_related("by")
    return {row.letter_id: row for row in rows}
