"""What the page says of the worker processes."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from sightline.messages import WorkerStatus
from sightline.messages.json import MessageError
from streaming.hub.worker_states import WorkerReports, WorkerState
from streaming.system.parts import Level, Part
from streaming.system.workers import KnownWorkers, Needs, workers

SECOND_NS = 1_000_000_000
NOW = 1_800_000_000 * SECOND_NS
EVERYTHING = Needs(cameras=2, models=1, streams=1, imprints=1)


def status(
    role: str,
    pid: int = 1,
    *,
    at: int = NOW,
    started: int = NOW - 600 * SECOND_NS,
    host: str = "vm",
    **counters: int,
) -> WorkerStatus:
    return WorkerStatus(f"{role}-{host}-{pid}", role, pid, host, started, at, 100_000_000, counters)


def said(
    role: str,
    pid: int = 1,
    *,
    silent: float = 0.5,
    behind: float = 0.0,
    rates: dict[str, float] | None = None,
    **fields: object,
) -> WorkerState:
    return WorkerState(status(role, pid, **fields), silent, rates or {}, behind)  # type: ignore[arg-type]


HERE = status("web", 9)
CREW = (
    *(said(role) for role in ("capture", "infer", "records", "imprint")),
    said("jobs", last_scheduled=NOW // SECOND_NS - 5),
)


def judged(
    *crew: WorkerState, wanted: Needs | None = EVERYTHING, **fields: object
) -> tuple[Part, dict[str, tuple[Level, str]]]:
    part, rows = workers(KnownWorkers([*crew], HERE, **fields), wanted)  # type: ignore[arg-type]
    return part, {row.name: (row.level, row.words) for row in rows}


def texts(part: Part) -> list[tuple[Level, str]]:
    return [
        (finding.level, f"{finding.text} {finding.command}".strip()) for finding in part.findings
    ]


def test_a_whole_crew_is_at_work() -> None:
    part, rows = judged(*CREW)

    assert (part.level, part.words) == (Level.OK, "6 processes at work on 1 host.")
    assert set(rows.values()) == {(Level.OK, "at work"), (Level.OK, "this page comes from it")}


@pytest.mark.parametrize(
    ("role", "words"),
    [
        (
            "capture",
            (
                "No capture worker runs, so no pictures come from 2 cameras. Start one with:"
                " manage.py runworkers capture"
            ),
        ),
        (
            "infer",
            (
                "No infer worker runs, so 1 model version of pictures cannot answer. Start one"
                " with: manage.py runworkers infer"
            ),
        ),
        (
            "records",
            (
                "No records worker runs, so the records of 1 model version wait. Start one with:"
                " manage.py runworkers records"
            ),
        ),
        (
            "imprint",
            (
                "No imprint worker runs, so 1 camera cannot have boxes drawn into the stream. Start"
                " one with: manage.py runworkers imprint"
            ),
        ),
        (
            "jobs",
            (
                "No process for jobs runs, so cameras are not probed, and neither states nor"
                " outages are recorded. Start it with: manage.py runjobs"
            ),
        ),
    ],
)
def test_who_is_missing_is_missed_only_where_needed(role: str, words: str) -> None:
    rest = [item for item in CREW if item.status.role != role]

    assert texts(judged(*rest)[0]) == [(Level.BAD, words)]
    assert judged(*rest, wanted=None)[0].level is Level.OK, (
        "the database does not say what is needed"
    )
    nothing = Needs(0, 0, 0, 0)
    assert judged(*rest, wanted=nothing)[0].level is (Level.BAD if role == "jobs" else Level.OK)


def test_silence_grows_worse() -> None:
    rest = [item for item in CREW if item.status.role != "infer"]

    for silent, level in ((4.0, Level.OK), (6.0, Level.WARN), (16.0, Level.BAD)):
        part, rows = judged(*rest, said("infer", silent=silent))
        assert rows["infer-vm-1"][0] is level
        assert part.level is level
    assert rows["infer-vm-1"][1] == "has said nothing for 16 s: it hangs, or it was killed"


def test_one_that_was_replaced_needs_nobody() -> None:
    successor = said("infer", 2, started=NOW + SECOND_NS)
    rest = [item for item in CREW if item.status.role != "infer"]

    part, rows = judged(*rest, said("infer", silent=20.0), successor)

    assert rows["infer-vm-1"] == (
        Level.WARN,
        "ended without a word 20 s ago; infer-vm-2 took its place",
    )
    assert part.level is Level.WARN
    assert (
        judged(
            *rest,
            said("infer", silent=20.0),
            said("infer", 2, host="other", started=NOW + SECOND_NS),
        )[0].level
        is Level.BAD
    )


def test_nothing_is_claimed_before_it_can_be_known() -> None:
    early, rows = judged(listening=1.0)
    assert (early.level, early.words) == (Level.WAIT, "Listening for the workers.")

    cut_off, rows = judged(said("infer", silent=30.0), kafka=False)
    assert cut_off.level is Level.WAIT
    assert "Kafka, which does not answer" in cut_off.words
    assert rows["infer-vm-1"] == (Level.WAIT, "last known")
    assert rows[HERE.worker][0] is Level.OK


def test_what_kafka_does_not_take_is_said() -> None:
    part, _ = judged(*CREW[1:], said("capture", rates={"dropped": 3.0, "delivery_errors": 1.5}))

    assert texts(part) == [
        (
            Level.WARN,
            "capture-vm-1 Kafka does not take all that it sends: 4.5 records a second are lost.",
        )
    ]


def test_a_scheduler_that_stands_still_is_noticed() -> None:
    silent, fresh = (
        said("jobs", last_scheduled=NOW // SECOND_NS - 90),
        said("jobs", started=NOW - 5 * SECOND_NS),
    )

    assert "sent no job for 90 s" in texts(judged(*CREW[:-1], silent)[0])[0][1]
    assert judged(*CREW[:-1], fresh)[0].level is Level.OK
    assert (
        judged(*CREW[:-1], silent, said("jobs", 2, last_scheduled=NOW // SECOND_NS))[0].level
        is Level.OK
    ), "one of several takes them"


def test_a_clock_that_is_off_is_named_by_its_host() -> None:
    part, _ = judged(
        *CREW,
        said("infer", 7, host="far", behind=2.3),
        said("capture", 8, host="far", behind=2.4),
        said("infer", 8, host="near", behind=0.2),
    )

    assert [text for _, text in texts(part)] == [
        "The clock of far is about 2.3 s behind this one's, so ages on the pages are wrong by that."
        " Set the time by NTP."
    ]


def test_a_row_tells_what_the_worker_does() -> None:
    busy = said("infer", models=2, rates={"predicted": 19.84, "skipped": 3.0, "failed": 0.0})
    _, rows = workers(
        KnownWorkers([busy], HERE, runs={"infer-vm-1": [f"m{number} 1" for number in range(15)]}),
        None,
    )
    row = next(row for row in rows if row.role == "infer")

    assert row.doing == "2 models · 19.8 answers/s · 3.0 skipped/s"
    assert (len(row.runs), row.more) == (12, 3)


def test_reports_are_kept_a_minute_and_give_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 100.0
    monkeypatch.setattr("streaming.hub.worker_states.time.monotonic", lambda: clock)
    reports = WorkerReports()
    first = status("infer", at=time.time_ns(), predicted=100)
    reports.add(first)
    assert reports.all()[0].rates == {}
    reports.add(replace(first, at=first.at + 2 * SECOND_NS, counters={"predicted": 140}))

    [told] = reports.all()
    assert told.rates == {"predicted": 20.0}
    assert told.status.counters == {"predicted": 140}
    clock += 59
    assert reports.all()[0].silent == 59
    clock += 2
    assert reports.all() == []
    reports.add(first)
    reports.remove(first.worker)
    assert reports.all() == []


@pytest.mark.parametrize("value", [b"", b"{}", b"[]", b'{"worker":1}', b"\xff"])
def test_what_is_no_report_is_refused(value: bytes) -> None:
    good = status("infer", predicted=1)
    assert WorkerStatus.from_json(good.to_json()) == good
    with pytest.raises(MessageError):
        WorkerStatus.from_json(value)
    with pytest.raises(MessageError):
        WorkerStatus.from_json(good.to_json().replace(b'"predicted":1', b'"predicted":"1"'))
