"""Streams out of a real server process."""

from __future__ import annotations

import socket
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
import requests

from streaming.mjpeg.backpressure import MAX_UNSENT_BYTES
from tests.servers.waiting import wait_until
from tests.streaming.conftest import Camera, Rolling, noise
from tests.streaming.site import PASSWORD, Site
from tests.streaming.viewers import Stream, lazy_request

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("web server")]

MIB = 1024 * 1024


@pytest.fixture
def rolling(on_site: Site, gate: Camera) -> Iterator[Rolling]:
    with Rolling(gate, fps=20) as rolling:
        wait_until(lambda: rolling.sent, what="the first picture")
        rolling.camera.producer.flush(5)
        yield rolling


@pytest.fixture
def heavy(on_site: Site, gate: Camera) -> Iterator[Rolling]:
    with Rolling(gate, fps=40, jpeg=noise(80_000), width=1280) as rolling:
        yield rolling


def test_the_parts_are_the_cameras_own_pictures(rolling: Rolling, on_site: Site) -> None:
    with Stream(on_site, "/cameras/gate/stream.mjpg") as stream:
        parts = [stream.part() for _ in range(10)]
    # The camera notes a frame once it is sent, and a viewer may have it before.
    wait_until(lambda: rolling.sent[-1].seq >= parts[-1].seq)
    sent = {frame.seq: frame for frame in rolling.sent}
    for part in parts:
        frame = sent[part.seq]
        assert part.body == frame.jpeg
        assert part.headers["Content-Type"] == "image/jpeg"
        assert abs(float(part.headers["X-Timestamp"]) - frame.captured_at / 1e9) < 1e-5
    assert [part.seq for part in parts] == sorted({part.seq for part in parts})


def test_it_must_not_be_stored_or_buffered(rolling: Rolling, on_site: Site) -> None:
    with Stream(on_site, "/cameras/gate/stream.mjpg") as stream:
        assert "no-store" in stream.response.headers["Cache-Control"]
        assert stream.response.headers["X-Accel-Buffering"] == "no"


def test_the_frame_rate_is_capped_without_drift(rolling: Rolling, on_site: Site) -> None:
    with Stream(on_site, "/cameras/gate/stream.mjpg?fps=8") as stream:
        times = [float(stream.part().headers["X-Timestamp"]) for _ in range(21)]
    rate = 20 / (times[-1] - times[0])
    assert 6.5 < rate < 8.6


def test_the_width_is_scaled(rolling: Rolling, on_site: Site) -> None:
    import simplejpeg

    with Stream(on_site, "/cameras/gate/stream.mjpg?width=160") as stream:
        height, width, _, _ = simplejpeg.decode_jpeg_header(stream.part().body)
    assert (width, height) == (160, 90)


def test_the_overlay_is_the_annotated_topic(on_site: Site, gate: Camera) -> None:
    with (
        Rolling(gate, annotated=True) as rolling,
        Stream(on_site, "/cameras/gate/stream.mjpg?overlay=1") as stream,
    ):
        part = stream.part()
        assert part.body == next(frame for frame in rolling.sent if frame.seq == part.seq).jpeg


def test_a_snapshot_is_the_newest_picture(rolling: Rolling, on_site: Site) -> None:
    with Stream(on_site, "/cameras/gate/stream.mjpg") as stream:
        seq = stream.part().seq
        answer = requests.get(
            f"{on_site.url}/cameras/gate/snapshot.jpg", headers=on_site.bearer(), timeout=10
        )
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert int(answer.headers["X-Frame-Seq"]) >= seq
    assert (
        answer.content
        == next(
            frame for frame in rolling.sent if str(frame.seq) == answer.headers["X-Frame-Seq"]
        ).jpeg
    )


def test_a_camera_that_delivers_nothing_has_no_snapshot(on_site: Site, gate: Camera) -> None:
    gate.show(captured_at=time.time_ns() - 60_000_000_000)
    answer = requests.get(
        f"{on_site.url}/cameras/dock/snapshot.jpg", headers=on_site.bearer(), timeout=10
    )
    assert (answer.status_code, answer.text) == (503, "The camera delivers no pictures now.\n")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("gate/stream.mjpg?fps=0", 400),
        ("gate/stream.mjpg?fps=nan", 400),
        ("gate/stream.mjpg?width=-5", 400),
        ("gate/stream.mjpg?width=1e9", 400),
        ("gate/snapshot.jpg?overlay=yes", 400),
        ("yard/stream.mjpg?overlay=1", 404),
        ("yard/snapshot.jpg?overlay=1", 404),
        ("vault/stream.mjpg", 404),
        ("vault/snapshot.jpg?fps=x", 404),
    ],
)
def test_what_cannot_be_given_is_refused_in_a_sentence(
    on_site: Site, path: str, status: int
) -> None:
    answer = requests.get(f"{on_site.url}/cameras/{path}", headers=on_site.bearer(), timeout=10)
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.text.strip().endswith(".")


def test_a_stopped_reader_costs_bounded_memory_and_delays_nobody(
    heavy: Rolling, on_site: Site
) -> None:
    with Stream(on_site, "/cameras/gate/stream.mjpg") as other:
        usual = statistics.median(_age(other) for _ in range(20))
        before = on_site.memory
        stopped = [lazy_request(on_site, "/cameras/gate/stream.mjpg") for _ in range(5)]
        ages = [
            _age(other) for _ in range(160)
        ]  # 4 s at 40 fps, 64 MB for the five who do not read
        assert on_site.memory - before < 8 * MIB
        assert statistics.median(ages) < usual + 0.5
        for connection in stopped:
            connection.close()


def _age(stream: Stream) -> float:
    return stream.part().age


def test_little_waits_in_the_kernel_for_a_reader_that_stopped(
    heavy: Rolling, on_site: Site
) -> None:
    """What waits there grows old: on a slow line, by megabytes."""
    with (
        Stream(on_site, "/cameras/gate/stream.mjpg") as other,
        lazy_request(on_site, "/cameras/gate/stream.mjpg") as stopped,
    ):
        for _ in range(100):
            other.part()  # some 8 MB, more than the kernel would take for the one who does not read
        assert 0 < _waiting(stopped) < 3 * MAX_UNSENT_BYTES


def _waiting(connection: socket.socket) -> int:
    """Bytes in the kernel's buffer of the other, local, end of a connection (proc_pid_net(5))."""
    here, there = (
        f"0100007F:{name[1]:04X}" for name in (connection.getsockname(), connection.getpeername())
    )
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return next(int(row[4].split(":")[0], 16) for row in rows if (row[1], row[2]) == (there, here))


def test_a_reader_that_reads_again_gets_new_pictures(heavy: Rolling, on_site: Site) -> None:
    with (
        Stream(on_site, "/cameras/gate/stream.mjpg") as stream,
        Stream(on_site, "/cameras/gate/stream.mjpg") as other,
    ):
        for _ in range(200):
            other.part()  # some 16 MB, more than the kernel holds for the other
        first, mark = heavy.sent[0].seq, heavy.sent[-1].seq
        seqs: list[int] = []
        while not seqs or seqs[-1] < mark:
            seqs.append(stream.part().seq)
        assert seqs == sorted(set(seqs))
        assert len(seqs) < mark - first, "what came meanwhile was skipped"
        assert stream.part().age < 2


def test_500_readers_who_leave_leave_nothing_behind(heavy: Rolling, on_site: Site) -> None:
    with Stream(on_site, "/cameras/gate/stream.mjpg") as other:
        _come_and_go(
            on_site, other, 50
        )  # the first make what is kept: threads of the pools, files of the database
        sockets, threads, memory = on_site.sockets, on_site.threads, on_site.memory
        for _ in range(10):
            _come_and_go(on_site, other, 50)
        wait_until(
            lambda: on_site.sockets <= sockets and on_site.threads <= threads + 4,
            10,
            "everything to be given back",
        )
        assert on_site.memory - memory < 16 * MIB


def _come_and_go(site: Site, other: Stream, count: int) -> None:
    present = site.sockets  # the connections to Kafka may still be growing by a few
    connections = [lazy_request(site, "/cameras/gate/stream.mjpg") for _ in range(count)]
    other.part()
    for connection in connections:
        connection.recv(1024)
        connection.close()
    wait_until(lambda: site.sockets <= present + 3, 10, "the sockets to be closed")


def test_a_stream_ends_when_the_camera_is_switched_off(on_site: Site, gate: Camera) -> None:
    with Rolling(gate), Stream(on_site, "/cameras/gate/stream.mjpg") as stream:
        stream.part()
        on_site.shell(
            "from cameras.models import Camera;"
            " Camera.objects.filter(slug='gate').update(enabled=False)"
        )
        try:
            with pytest.raises(EOFError):
                _read_for(stream, 10)
            answer = requests.get(
                f"{on_site.url}/cameras/gate/snapshot.jpg", headers=on_site.bearer(), timeout=10
            )
            assert answer.status_code == 503
            assert "switched off" in answer.text
        finally:
            on_site.shell(
                "from cameras.models import Camera;"
                " Camera.objects.filter(slug='gate').update(enabled=True)"
            )


def test_a_stream_ends_when_the_viewer_logs_out(on_site: Site, gate: Camera) -> None:
    session = on_site.login("peter")
    with Rolling(gate):
        answer = session.get(f"{on_site.url}/cameras/gate/stream.mjpg", stream=True, timeout=10)
        assert answer.raw.read(1000)
        session.post(
            f"{on_site.url}/accounts/logout/",
            headers={"X-CSRFToken": session.cookies["csrftoken"]},
            timeout=10,
        )
        deadline = time.monotonic() + 10
        while answer.raw.read(1000):
            assert time.monotonic() < deadline


def _link(site: Site, user: str, **fields: str) -> str:
    session = site.login(user)
    token = session.cookies["csrftoken"]
    answer = session.post(
        f"{site.url}/cameras/gate/links/", data=fields, headers={"X-CSRFToken": token}, timeout=10
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["url"])


def test_a_link_plays_in_ffmpeg_and_opencv(rolling: Rolling, on_site: Site) -> None:
    url = _link(on_site, "olga", width="160", fps="10")
    command = [
        "ffprobe",
        "-v",
        "error",
        "-show_entries",
        "stream=codec_name,width,height",
        "-of",
        "csv=p=0",
        url,
    ]
    assert subprocess.run(
        command, capture_output=True, text=True, timeout=30, check=True
    ).stdout.split() == ["mjpeg,160,90"]
    video = cv2.VideoCapture(url, cv2.CAP_FFMPEG)
    try:
        shapes = [picture.shape for found, picture in (video.read() for _ in range(5)) if found]
    finally:
        video.release()
    assert shapes == [(90, 160, 3)] * 5


def test_what_a_link_opened_ends_when_its_user_changes_the_password(
    rolling: Rolling, on_site: Site
) -> None:
    url = _link(on_site, "peter")
    answer = requests.get(url, stream=True, timeout=10)
    assert answer.raw.read(1000)
    change = (
        "from django.contrib.auth.models import User; u = User.objects.get(username='peter');"
        " u.set_password({!r}); u.save()"
    )
    on_site.shell(change.format("another horse 8 battery"))
    try:
        deadline = time.monotonic() + 20
        while answer.raw.read(1000):
            assert time.monotonic() < deadline
        assert requests.get(url, timeout=10).status_code == 403
    finally:
        on_site.shell(change.format(PASSWORD))


def _read_for(stream: Stream, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        stream.part()


def test_sigterm_ends_the_server_with_streams_open(on_site: Site, gate: Camera) -> None:
    with Rolling(gate), Stream(on_site, "/cameras/gate/stream.mjpg") as stream:
        stream.part()
        stopped = lazy_request(on_site, "/cameras/gate/stream.mjpg")
        started = time.monotonic()
        on_site.child.stop(grace=15)
        assert time.monotonic() - started < 10
        assert on_site.child.returncode == 0
        stopped.close()
    assert "Traceback" not in on_site.child.tail()
    on_site.start()
