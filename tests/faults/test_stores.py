"""Redis and PostgreSQL go away and come back: the video goes on, nobody is logged out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from django.test import override_settings

from tests.faults.rig import Rig, last_for, since
from tests.faults.streams import Reports, longest_gap
from tests.faults.table import Row, Table
from tests.faults.watcher import Watcher
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer
from tests.servers.waiting import wait_until

CAMERA = "conveyor"
OUTAGE_SECONDS = 30.0
RESTART_SECONDS = 5.0
TOLD_SECONDS = 10.0
SOCKETS_SECONDS = 10.0
DATABASE_SECONDS = 5.0
JOBS_SECONDS = 30.0
STALL_SECONDS = 2.0
PATIENCE = 90


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis") / "redis.log") as server:
        yield server


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with PostgresServer(tmp_path_factory.mktemp("postgres") / "postgres.log") as server:
        yield server


@pytest.fixture(scope="module")
def whole(
    redis: RedisServer, postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rig]:
    """Sightline on all three: Kafka, PostgreSQL, Redis."""
    environment = {"REDIS_URL": redis.url, "DATABASE_URL": postgres.url}
    with (
        Rig(tmp_path_factory.mktemp("whole"), environment) as rig,
        override_settings(KAFKA_BOOTSTRAP_SERVERS=rig.stack.bootstrap, KAFKA_EMBEDDED=False),
    ):
        yield rig


@pytest.fixture
def watcher(whole: Rig) -> Iterator[Watcher]:
    with whole.watching(CAMERA) as watcher:
        watcher.wait_fresh(CAMERA, 0.0)
        yield watcher


def level(rig: Rig, part: str) -> str:
    """How the system page judges a part; "" when it does not answer."""
    try:
        state: dict[str, Any] = rig.operator.get("/system/state.json").json()
    except requests.RequestException:
        return ""
    return next((str(item["level"]) for item in state.get("parts", []) if item["name"] == part), "")


def told(rig: Rig, part: str, began: float) -> float:
    """When the system page says that a part is away."""
    wait_until(
        lambda: level(rig, part) == "bad",
        PATIENCE,
        f"the system page to tell of {part}",
        interval=0.2,
    )
    return since(began)


def works(rig: Rig, page: str = "/") -> bool:
    """Whether a page comes to who was logged in before."""
    try:
        reply = rig.operator.get(page)
    except requests.RequestException:
        return False
    return reply.status_code == 200 and "/accounts/login/" not in reply.url


def connects(rig: Rig) -> float:
    """The seconds until a new viewer has a picture."""
    began = time.monotonic()
    with rig.watching(CAMERA) as another:
        return since(began, another.wait_fresh(CAMERA, began, PATIENCE).at)


def video_gap(watcher: Watcher, began: float) -> float:
    """The longest time without a picture since then."""
    return longest_gap([frame.at for frame in watcher.seen(CAMERA)], began, time.monotonic())


def jobs_done(reports: Reports, since_moment: float) -> Callable[[], object]:
    """Whether the jobs have done another one."""

    def look() -> object:
        counts = [status.counters["jobs"] for _, status in reports.workers("jobs", since_moment)]
        return counts and counts[-1] > counts[0]

    return look


def judged(gap: float, pids: dict[str, int], rig: Rig, *more: str) -> str:
    """What else was not as it should be."""
    ended = [name for name, pid in rig.pids(*pids).items() if pid != pids[name]]
    wrong = [
        *([f"the video stood still for {gap:.1f} s"] if gap > STALL_SECONDS else []),
        *([f"ended: {', '.join(ended)}"] if ended else []),
        *more,
    ]
    return "; ".join(word for word in wrong if word)


PROCESSES = ("web", "capture", "infer", "records", "imprint", "jobs")


@pytest.mark.parametrize("hangs", [False, True], ids=["stopped", "hangs"])
def test_redis_is_away_for_30_seconds(
    whole: Rig, redis: RedisServer, watcher: Watcher, table: Table, hangs: bool
) -> None:
    pids = whole.pids(*PROCESSES)
    with whole.memory(*PROCESSES) as memory, Reports() as reports:
        began = time.monotonic()
        (redis.pause if hangs else redis.stop)()
        noticed = told(whole, "redis", began)
        socket, page = connects(whole), works(whole)
        asked = time.monotonic()
        whole.operator.add_camera("beside", "demo", "demo:conveyor?line=2")
        saved = since(asked)
        last_for(OUTAGE_SECONDS - since(began))
        (redis.resume if hangs else redis.start)()
        back = time.monotonic()
        wait_until(
            lambda: level(whole, "redis") == "ok",
            PATIENCE,
            "the system page to be content",
            interval=0.2,
        )
        connects(whole)
        again = since(back)
        wait_until(jobs_done(reports, back), PATIENCE, "jobs to be done again", interval=0.2)
        jobs = since(back)
    gap, logged_in = video_gap(watcher, began), works(whole)
    whole.operator.delete_camera("beside")
    table.add(
        Row(
            f"Redis {'hangs' if hangs else 'stopped'} for {OUTAGE_SECONDS:g} s",
            "Video goes on; sockets recover in 10 s; logins survive",
            detect_s=noticed,
            recover_s=round(again, 2),
            bound_detect_s=TOLD_SECONDS,
            bound_recover_s=SOCKETS_SECONDS,
            memory_mib=memory.most,
            secrets=whole.secrets(),
            note=(
                f"longest gap in the video {gap:.1f} s; meanwhile a new viewer had a picture after"
                f" {socket:.1f} s, and a camera was saved in {saved:.1f} s; jobs went on {jobs:.1f}"
                " s after the end"
            ),
            missed=judged(
                gap,
                pids,
                whole,
                "" if page and logged_in else "logged out",
                "" if jobs < JOBS_SECONDS else f"no job for {jobs:.0f} s after the end",
            ),
        )
    )


def test_redis_is_flushed(whole: Rig, redis: RedisServer, watcher: Watcher, table: Table) -> None:
    pids = whole.pids(*PROCESSES)
    with Reports() as reports:
        began = time.monotonic()
        redis.flush()
        again = connects(whole)
        wait_until(jobs_done(reports, began + 1), PATIENCE, "jobs to be done again", interval=0.2)
        jobs = since(began)
        whole.operator.add_camera("flushed", "demo", "demo:conveyor?line=3")
        asked = time.monotonic()
        wait_until(
            lambda: is_probed(whole, "flushed"),
            PATIENCE,
            "the new camera to be probed",
            interval=0.5,
        )
        probed = since(asked)
    gap, logged_in = video_gap(watcher, began), works(whole)
    whole.operator.delete_camera("flushed")
    table.add(
        Row(
            "Redis flushed",
            "Video goes on; sockets recover in 10 s; logins survive",
            recover_s=again,
            bound_recover_s=SOCKETS_SECONDS,
            secrets=whole.secrets(),
            note=(
                f"longest gap in the video {gap:.1f} s; jobs went on after {jobs:.1f} s, a new"
                f" camera was probed in {probed:.1f} s"
            ),
            missed=judged(
                gap,
                pids,
                whole,
                "" if logged_in else "logged out",
                "" if jobs < JOBS_SECONDS else f"no job for {jobs:.0f} s",
            ),
        )
    )


def is_probed(rig: Rig, slug: str) -> bool:
    """Whether the camera's page shows what the probe found."""
    return (
        "1280×720"
        in rig.operator.get(f"/admin/cameras/camera/{rig.operator.camera_pk(slug)}/change/").text
    )


@pytest.mark.parametrize("seconds", [0.0, OUTAGE_SECONDS], ids=["restarted", "away"])
def test_postgresql_is_restarted(
    whole: Rig, postgres: PostgresServer, watcher: Watcher, table: Table, seconds: float
) -> None:
    pids = whole.pids(*PROCESSES)
    with whole.memory(*PROCESSES) as memory, Reports() as reports:
        began = time.monotonic()
        postgres.stop()
        noticed = None
        if seconds:
            noticed = told(whole, "database", began)
            last_for(seconds - since(began))
        postgres.start()
        back = time.monotonic()
        wait_until(
            lambda: works(whole) and works(whole, "/admin/cameras/camera/"),
            PATIENCE,
            "the pages",
            interval=0.1,
        )
        pages = since(back)
        # A change reaches the workers through the database.
        whole.operator.add_camera("after", "demo", "demo:conveyor?line=4")
        added = time.monotonic()
        with whole.watching("after") as another:
            shown = since(added, another.wait_fresh("after", added, PATIENCE).at)
        wait_until(jobs_done(reports, back), PATIENCE, "jobs to be done again", interval=0.2)
        jobs = since(back)
    gap = video_gap(watcher, began)
    whole.operator.delete_camera("after")
    table.add(
        Row(
            f"PostgreSQL away for {seconds:g} s" if seconds else "PostgreSQL restarted",
            "Workers and web recover in 5 s; video goes on meanwhile",
            detect_s=noticed,
            recover_s=max(pages, shown),
            bound_detect_s=TOLD_SECONDS if seconds else None,
            bound_recover_s=DATABASE_SECONDS,
            memory_mib=memory.most,
            secrets=whole.secrets(),
            note=(
                f"longest gap in the video {gap:.1f} s; pages after {pages:.1f} s; a camera added"
                f" then was seen after {shown:.1f} s; jobs after {jobs:.1f} s"
            ),
            missed=judged(gap, pids, whole),
        )
    )
