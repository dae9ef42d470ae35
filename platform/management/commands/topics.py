from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from cameras.models import Camera
from inference.models import Deployment, InputKind, ModelVersion
from sightline.kafka import Admin, topics
from sightline.kafka.reader import TopicReader
from sightline.kafka.topics import Topic
from sightline.messages.preview import described
from sightline.site.command_line import plain_errors, topic_of


class Command(BaseCommand):
    help = (
        "Topics: make, list and describe them, look at their newest records. "
        "A topic is its name, or MODEL@VERSION[.inputs|.outputs|.errors|.history]."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser(
            "create",
            help="make topics; none named: all that the registered cameras and models need",
        )
        create.add_argument("topics", nargs="*", metavar="TOPIC")
        create.add_argument(
            "--partitions", type=int, help="default: 1, or as many as the model has"
        )
        create.add_argument(
            "--replication", type=int, help="copies of each record; default: KAFKA_REPLICATION"
        )
        create.add_argument(
            "--config",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="a setting of the topic such as retention.ms=3600000",
        )
        listing = actions.add_parser("list", help="names and numbers of partitions")
        listing.add_argument(
            "--all", action="store_true", help="also topics that are not Sightline's"
        )
        describe = actions.add_parser(
            "describe", help="partitions, where their records begin and end, replicas, settings"
        )
        describe.add_argument("topics", nargs="+", metavar="TOPIC")
        peek = actions.add_parser(
            "peek", help="the newest records: JSON in several lines, pictures as their size"
        )
        peek.add_argument("topic", metavar="TOPIC")
        peek.add_argument("-n", "--count", type=int, default=10, help="how many (default: 10)")

    def handle(self, *args: Any, **options: Any) -> None:
        with plain_errors():
            getattr(self, options["action"])(options)

    def create(self, options: dict[str, Any]) -> None:
        """Create what is missing; print the names created."""
        if not options["topics"]:
            self.create_needed()
            return
        admin = Admin()
        config = dict(split(setting) for setting in options["config"])
        for topic in (topic_of(text, "inputs") for text in options["topics"]):
            wanted = Topic(
                topic.name, options["partitions"] or topic.partitions, topic.config | config
            )
            if not admin.create(wanted, options["replication"]):
                raise CommandError(f"There is already a topic {topic.name}.")
            self.stdout.write(topic.name)
            self.warn_of_ignored_settings(admin, wanted)

    def warn_of_ignored_settings(self, admin: Admin, topic: Topic) -> None:
        """It gives each topic the same number of partitions and ignores settings."""
        if settings.KAFKA_EMBEDDED:
            made = admin.partitions()[topic.name]
            self.stderr.write(
                f"The embedded broker gives every topic {made} partitions and no settings; Kafka"
                " gives what you ask for."
            )

    def create_needed(self) -> None:
        """All topics that there should be; those of models are given the partitions that they
        lack.
        """
        admin = Admin()
        wanted = needed()
        created = admin.ensure(wanted)
        for name in created:
            self.stdout.write(name)
        for topic in wanted:
            if topic.partitions > 1 and topic.name not in created and admin.grow(topic):
                self.stderr.write(f"{topic.name} has {topic.partitions} partitions now.")

    def list(self, options: dict[str, Any]) -> None:
        """Print name and number of partitions."""
        prefix = f"{settings.TOPIC_PREFIX}."
        for name, partitions in sorted(Admin().partitions().items()):
            if options["all"] or name.startswith(prefix):
                self.stdout.write(f"{name}\t{partitions}")

    def describe(self, options: dict[str, Any]) -> None:
        """Print a line for each partition, and one for each setting that is not the broker's
        default.
        """
        admin = Admin()
        for topic in (topic_of(text, "inputs") for text in options["topics"]):
            self.stdout.write(topic.name)
            with TopicReader(topic) as reader:
                for state in admin.describe(topic.name):
                    low, high = reader.range(state.number)
                    brokers = (
                        f"leader {state.leader}  replicas {numbers(state.replicas)}  in sync"
                        f" {numbers(state.in_sync)}"
                    )
                    self.stdout.write(
                        f"  partition {state.number}  offsets {low} to {high}  {brokers}"
                    )
            for name, value in sorted(admin.config(topic.name).items()):
                self.stdout.write(f"  {name}={value}")

    def peek(self, options: dict[str, Any]) -> None:
        """Print the newest records, oldest first."""
        with TopicReader(topic_of(options["topic"], "outputs")) as reader:
            records = reader.newest(options["count"])
        self.stdout.write("\n\n".join(described(record) for record in records))


def needed() -> list[Topic]:
    """Every topic that the platform, its cameras and its models use."""
    cameras = [
        topic
        for camera in Camera.objects.all()
        for topic in topics.camera_topics(camera.slug, imprint=camera.imprint)
    ]
    versions = [
        (version.model.slug, version.version)
        for version in ModelVersion.objects.select_related("model")
    ]
    models = [
        topic(*version) for version in versions for topic in (topics.errors, topics.model_history)
    ]
    streams = (
        ModelVersion.objects.filter(
            deployments__in=Deployment.objects.filter(kind=InputKind.RECORDS)
        )
        .distinct()
        .select_related("model")
    )
    records = [
        topic
        for item in streams
        for topic in topics.record_topics(item.model.slug, item.version, item.model.partitions)[:2]
    ]
    return [*topics.platform_topics(), *cameras, *models, *records]


def split(setting: str) -> tuple[str, str]:
    """Split NAME=VALUE; CommandError if it is not of that form."""
    name, equals, value = setting.partition("=")
    if not (name and equals):
        raise CommandError(
            f"{setting!r} is no setting: write NAME=VALUE, such as retention.ms=3600000."
        )
    return name, value


def numbers(brokers: tuple[int, ...]) -> str:
    """Brokers' numbers, separated by commas."""
    return ",".join(map(str, brokers))
