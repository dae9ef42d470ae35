"""Cameras, their groups, their health and their outages."""

from __future__ import annotations

import ipaddress
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.urls import reverse

from cameras.sources.addresses import login_destination, parse_address
from cameras.sources.base import AddressError, Addresses, SourceSettings
from cameras.sources.credentials import SecretBox, SecretError
from cameras.sources.destination import check_destination, is_number
from sightline.base.services import own_services
from sightline.base.slugs import validate_slug
from sightline.base.text import is_single_line, validate_single_line
from sightline.messages import CameraState


def secret_box() -> SecretBox:
    """Encrypts camera passwords with the keys of the settings."""
    return SecretBox(settings.CREDENTIAL_KEYS)


KIND_NOT_ALLOWED = "The settings of this server do not allow cameras of this kind."
MIN_READ_SECONDS = 5.0


def check_address(host: str, port: int) -> Addresses:
    """The addresses of a camera's host, all of them checked. AddressError for a destination that
    no camera of this server may have.
    """
    networks = [ipaddress.ip_network(text) for text in settings.CAMERA_ALLOWED_NETWORKS]
    return check_destination(host, port, allowed_networks=networks, refused=own_services())


class CameraKind(models.TextChoices):
    """How frames come out of a camera."""

    RTSP = "rtsp", "RTSP (H.264 or H.265)"
    MJPEG = "mjpeg", "HTTP MJPEG stream"
    SNAPSHOT = "snapshot", "HTTP snapshot, polled"
    DEMO = "demo", "Built-in demo scene"
    FILE = "file", "Video file on the server"
    DEVICE = "device", "Video device of the server"


def allowed_kinds() -> list[CameraKind]:
    """The kinds that this server's settings allow; its own files and devices are off by default."""
    allowed = {
        CameraKind.FILE: settings.CAMERA_ALLOW_FILE,
        CameraKind.DEVICE: settings.CAMERA_ALLOW_DEVICE,
    }
    return [kind for kind in CameraKind if allowed.get(kind, True)]


class RtspTransport(models.TextChoices):
    """The transport protocol of RTSP media."""

    TCP = "tcp", "TCP"
    UDP = "udp", "UDP"


class Camera(models.Model):
    """A source of frames. The slug names its topics and pages, so it never changes."""

    slug = models.CharField(
        max_length=63,
        unique=True,
        validators=[validate_slug],
        help_text=(
            "Part of the camera's page address and of its Kafka topics. It cannot be changed later."
        ),
        error_messages={
            "unique": "There is already a camera with this short name. Choose another."
        },
    )
    name = models.CharField(
        max_length=100,
        validators=[validate_single_line],
        help_text="What operators read on the wall.",
    )
    kind = models.CharField(max_length=10, choices=CameraKind, default=CameraKind.RTSP)
    url = models.CharField(
        "address",
        max_length=2048,
        help_text=(
            "For example rtsp://192.168.1.20:554/stream1, http://192.168.1.21/video.mjpg or"
            " demo:conveyor. User name and password go into their own fields."
        ),
    )
    username = models.CharField(
        "user name", max_length=200, blank=True, validators=[validate_single_line]
    )
    password_sealed = models.TextField(blank=True, editable=False)
    transport = models.CharField(
        max_length=3,
        choices=RtspTransport,
        default=RtspTransport.TCP,
        help_text="RTSP only. UDP only if the camera cannot do TCP.",
    )
    enabled = models.BooleanField(
        default=True,
        help_text="A disabled camera is not connected to and stays on the wall as disabled.",
    )
    fps = models.FloatField(
        "frames per second",
        default=10,
        validators=[MinValueValidator(0.1), MaxValueValidator(60)],
        help_text="At most this many frames a second are taken.",
    )
    max_width = models.PositiveIntegerField(
        "greatest width",
        default=1280,
        validators=[MinValueValidator(64), MaxValueValidator(7680)],
        help_text=(
            "Wider pictures are scaled down to this many pixels. MJPEG pictures within it are"
            " passed on untouched."
        ),
    )
    quality = models.PositiveSmallIntegerField(
        "JPEG quality",
        default=80,
        validators=[MinValueValidator(10), MaxValueValidator(100)],
        help_text="10 to 100; 80 suits most.",
    )
    watch_picture = models.BooleanField(
        "watch for a frozen or black picture",
        default=True,
        help_text=(
            "The camera counts as frozen when it sends the same picture again and again, and as"
            " black when it sends nothing but darkness. Switch this off where the view is meant to"
            " be dark or perfectly still."
        ),
    )
    imprint = models.BooleanField(
        default=False,
        help_text=(
            "Also publish a stream with the predictions drawn into the pictures (costs a decode and"
            " an encode a frame)."
        ),
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar = ["name", "slug"]

    def __str__(self) -> str:
        return self.name or self.slug

    def save(self, *args: Any, **kwargs: Any) -> None:
        if (
            self.pk is not None
            and Camera.objects.filter(pk=self.pk).exclude(slug=self.slug).exists()
        ):
            raise ValidationError(
                {"slug": "The short name cannot be changed: topics and links are named by it."}
            )
        super().save(*args, **kwargs)

    def get_absolute_url(self) -> str:
        return reverse("camera", args=[self.slug])

    def clean(self) -> None:
        """Check that the kind can open the address and that its characters are harmless."""
        try:
            address = parse_address(
                self.kind,
                self.url,
                allow_local=bool(settings.CAMERA_ALLOWED_NETWORKS),
                allow_file=settings.CAMERA_ALLOW_FILE,
                allow_device=settings.CAMERA_ALLOW_DEVICE,
            )
            # A name may resolve differently later: it is checked at each connection. Check a number
            # now.
            if is_number(address.host):
                check_address(address.host, address.port)
        except AddressError as err:
            raise ValidationError({"url": str(err)}) from err

    @property
    def password(self) -> str:
        """The password in clear text. Raises SecretError if the key that sealed it is gone, or if
        it was entered for another address.
        """
        if not self.password_sealed:
            return ""
        return secret_box().open(self.password_sealed, self.login_destination)

    @password.setter
    def password(self, value: str) -> None:
        """Set it for the camera's present address."""
        self.password_sealed = secret_box().seal(value, self.login_destination) if value else ""

    @property
    def login_destination(self) -> str:
        """Where the user name and password are sent."""
        return login_destination(self.kind, self.url)

    def source_settings(self) -> SourceSettings:
        """What a source needs to open this camera. Raises SecretError if the log-in cannot be
        used.
        """
        if not is_single_line(self.username):
            raise SecretError("The user name holds a line break. Enter it again.")
        return SourceSettings(
            kind=self.kind,
            url=self.url,
            username=self.username,
            password=self.password,
            fps=self.fps,
            transport=self.transport,
            # A camera that is meant to send a frame every ten seconds is not silent after five.
            read_timeout=max(MIN_READ_SECONDS, 3 / self.fps),
        )


class CameraGroup(models.Model):
    """Cameras shown together: a filter of the wall. The slug is part of page addresses."""

    name = models.CharField(
        max_length=60,
        unique=True,
        validators=[validate_single_line],
        error_messages={"unique": "There is already a group with this name. Choose another."},
    )
    slug = models.CharField(
        "short name",
        max_length=63,
        unique=True,
        validators=[validate_slug],
        help_text="Part of the address of the group's wall, for example /?group=dock.",
        error_messages={"unique": "There is already a group with this short name. Choose another."},
    )
    order = models.PositiveSmallIntegerField(
        default=0,
        help_text="Groups stand on the wall in this order, and by name where it is the same.",
    )
    cameras = models.ManyToManyField(Camera, related_name="groups", blank=True)

    class Meta:
        ordering: ClassVar = ["order", "name"]
        verbose_name = "group of cameras"
        verbose_name_plural = "groups of cameras"

    def __str__(self) -> str:
        return self.name


class Health(models.Model):
    """The result of the last probe and the last recorded state, for pages without live updates."""

    camera = models.OneToOneField(Camera, on_delete=models.CASCADE, related_name="health")
    state = models.CharField(max_length=20, default=CameraState.CONNECTING)
    since = models.DateTimeField(null=True)
    detail = models.CharField(max_length=500, blank=True)
    probed_at = models.DateTimeField(null=True)
    probe_error = models.CharField(max_length=500, blank=True)
    codec = models.CharField(max_length=20, blank=True)
    width = models.PositiveIntegerField(default=0)
    height = models.PositiveIntegerField(default=0)
    fps = models.FloatField(default=0)
    thumbnail = models.BinaryField(default=bytes)

    class Meta:
        verbose_name_plural = "health"

    def __str__(self) -> str:
        return f"{self.camera}: {self.state}"


class Outage(models.Model):
    """A time in which an enabled camera was not live; ``ended_at`` is empty while it lasts."""

    camera = models.ForeignKey(Camera, on_delete=models.CASCADE, related_name="outages")
    state = models.CharField(max_length=20)
    detail = models.CharField(max_length=500, blank=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-started_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["camera"],
                condition=models.Q(ended_at=None),
                name="one_open_outage_per_camera",
            )
        ]

    def __str__(self) -> str:
        return f"{self.camera}: {self.state} since {self.started_at:%Y-%m-%d %H:%M:%S}"
