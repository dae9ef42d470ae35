from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from cameras.models import Camera
from inference.models import ModelVersion
from sightline import topics
from sightline.kafka import Admin, KafkaUnavailable
from sightline.topics import Topic


class Command(BaseCommand):
    help = "Topics: `create` makes all that the registered cameras and models need, `list` shows those on the broker."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["create", "list"])
        parser.add_argument("--all", action="store_true", help="list: also topics that are not Sightline's")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["action"] == "create":
                self.create()
            else:
                self.list(everything=options["all"])
        except KafkaUnavailable as err:
            raise CommandError(str(err)) from err

    def create(self) -> None:
        """Create what is missing; print the names created."""
        for name in Admin().ensure(needed()):
            self.stdout.write(name)

    def list(self, *, everything: bool) -> None:
        """Print name and number of partitions."""
        prefix = f"{settings.TOPIC_PREFIX}."
        for name, partitions in sorted(Admin().partitions().items()):
            if everything or name.startswith(prefix):
                self.stdout.write(f"{name}\t{partitions}")


def needed() -> list[Topic]:
    """Every topic that the platform, its cameras and its models use."""
    cameras = [topic for camera in Camera.objects.all() for topic in topics.camera_topics(camera.slug, imprint=camera.imprint)]
    models = [topics.errors(version.model.slug, version.version) for version in ModelVersion.objects.select_related("model")]
    return [*topics.platform_topics(), *cameras, *models]
