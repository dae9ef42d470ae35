"""What is in a model version's topics: lag, newest outputs with their inputs, dead letters."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable
from typing import Any, Final

from django.urls import reverse

from inference.deadletters.letters import LetterSummary, grouped
from inference.deadletters.reader import newest as newest_letters
from sightline.kafka import KafkaUnavailable, NoSuchTopic, Record, topics
from sightline.kafka.reader import TopicReader
from sightline.kafka.topics import Topic
from sightline.messages.json import parse
from sightline.messages.preview import described_value
from streaming.cached_result import CachedResults, TimedOut, result_within
from streaming.cluster import cluster_admin
from streaming.models_page.rows import Deployed, DeployedVersion

ASK_SECONDS: Final = 2.0
READ_SECONDS: Final = 3.0
SHOWN_PARTITIONS: Final = 32
SHOWN_RECORDS: Final = 20
READ_INPUTS: Final = 60
SHOWN_CHARACTERS: Final = 1200
MAX_JSON: Final = 64 * 1024
SHOWN_LETTERS: Final = 30
SHOWN_GROUPS: Final = 6

results = CachedResults(threads=4)
dead_letter_results = CachedResults(threads=2, keep=10.0)


def lag(model: Deployed, version: DeployedVersion) -> dict[str, Any] | None:
    """The lag of the inputs, by partition; None for frames, and when Kafka does not answer."""
    if not version.takes_records:
        return None
    inputs = topics.inputs(model.slug, version.version)
    group = topics.records_group(model.slug, version.version)
    try:
        behind = results.get(("lag", group), lambda: _lag(group, inputs), ASK_SECONDS)
    except (KafkaUnavailable, TimedOut):
        return None
    rows = [
        {"partition": partition, "records": records}
        for partition, records in sorted(behind.items(), key=lambda item: (-item[1], item[0]))
    ]
    return {
        "total": sum(behind.values()),
        "partitions": rows[:SHOWN_PARTITIONS],
        "count": len(rows),
        "topic": inputs.name,
    }


def _lag(group: str, inputs: Topic) -> dict[int, int]:
    with cluster_admin() as admin:
        count = admin.partitions(ASK_SECONDS).get(inputs.name, 0)
        return (
            {
                partition: records
                for (_, partition), records in admin.lag(
                    group, {inputs.name: count}, ASK_SECONDS
                ).items()
            }
            if count
            else {}
        )


def newest_outputs(model: Deployed, version: DeployedVersion) -> dict[str, Any]:
    """The newest outputs of a version, newest first, each with its input where it is known.
    Raises KafkaUnavailable or TimedOut.
    """
    outputs_topic = topics.outputs(model.slug, version.version)
    inputs_topic = topics.inputs(model.slug, version.version)
    outputs = results.submit(outputs_topic.name, lambda: _newest(outputs_topic, SHOWN_RECORDS))
    inputs = results.submit(inputs_topic.name, lambda: _newest(inputs_topic, READ_INPUTS))
    newest, candidates = result_within(outputs, READ_SECONDS), result_within(inputs, READ_SECONDS)
    rows = [
        _row(record, source)
        for record, source in zip(newest, sources(newest, candidates), strict=True)
    ]
    return {"version": version.version, "rows": rows[::-1]}


def _newest(topic: Topic, count: int) -> list[Record]:
    try:
        with TopicReader(topic, READ_SECONDS) as reader:
            return reader.newest(count)
    except NoSuchTopic:
        return []


def sources(outputs: Iterable[Record], inputs: Iterable[Record]) -> list[Record | None]:
    """The input of each output. Both are in order; an output has its input's partition, key and
    headers.

    Inputs that are alike in these are matched by their order if none of them is missing; otherwise
    the source is None.
    """
    alike_inputs, alike_outputs = _alike(inputs), _alike(outputs)
    found: dict[tuple[int, int], Record] = {}
    for key, records in alike_outputs.items():
        candidates = alike_inputs.get(key, [])
        if len(candidates) == len(records):
            found.update(
                ((record.partition, record.offset), source)
                for record, source in zip(records, candidates, strict=True)
            )
    return [found.get((record.partition, record.offset)) for record in outputs]


def _alike(records: Iterable[Record]) -> dict[tuple[int, bytes | None, Hashable], list[Record]]:
    found: dict[tuple[int, bytes | None, Hashable], list[Record]] = defaultdict(list)
    for record in records:
        found[record.partition, record.key, record.headers].append(record)
    return found


def _row(record: Record, source: Record | None) -> dict[str, Any]:
    key = None if record.key is None else record.key.decode(errors="backslashreplace")[:200]
    place = {
        "partition": record.partition,
        "offset": record.offset,
        "at": record.timestamp,
        "key": key,
    }
    return {
        **place,
        "output": _shown(record.value),
        "input": None if source is None else _shown(source.value),
    }


def _shown(value: bytes | None) -> str:
    text = _in_one_line(described_value(value))
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]} …"


def letters(model: Deployed, version: DeployedVersion, visible: Collection[str]) -> dict[str, Any]:
    """How many dead letters are kept, and the newest by reason; without frames of
    cameras that are not ``visible``. Raises KafkaUnavailable or TimedOut.
    """
    topic = topics.errors(model.slug, version.version)
    kept, found = dead_letter_results.get(topic.name, lambda: _letters(topic), READ_SECONDS)
    address = reverse("admin:inference_model_deadletters", args=[model.pk, version.version])
    groups = grouped(letter for letter in found if not letter.camera or letter.camera in visible)
    rows = [
        {
            "name": group.name,
            "message": group.shape,
            "count": group.count,
            "at": group.letters[0].timestamp,
            "href": f"{address}?group={group.key}",
        }
        for group in groups[:SHOWN_GROUPS]
    ]
    return {
        "version": version.version,
        "kept": kept,
        "looked_at": len(found),
        "groups": rows,
        "href": address,
    }


def _letters(topic: Topic) -> tuple[int, tuple[LetterSummary, ...]]:
    with cluster_admin() as admin:
        count = admin.partitions(ASK_SECONDS).get(topic.name, 0)
        ends = admin.offsets([(topic.name, number) for number in range(count)], ASK_SECONDS)
    kept = sum(high - low for low, high in ends.values())
    return kept, newest_letters(topic, limit=SHOWN_LETTERS).letters if kept else ()


def _in_one_line(text: str) -> str:
    """JSON in its shortest form; anything else unchanged."""
    try:
        return json.dumps(parse(text), ensure_ascii=False) if len(text) < MAX_JSON else text
    except (ValueError, RecursionError):
        return text
