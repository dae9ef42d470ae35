"""What do viewers notice while an administrator uploads a model's file?

    python -m benchmarks.uploads [--viewers 20] [--fps 5] [--mib 200] [--rounds 2]

Viewers watch a camera; quiet spans and uploads take turns (A B A B). Shown are the 95th
percentiles of the frames' ages in ms. The goal: an upload moves them by less than 10 %.
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
import time
from pathlib import Path

import requests

from benchmarks.clients import Clients, Wanted
from benchmarks.rig import CAMERA, credentials, web
from tests.streaming.site import Site

MIB = 1024 * 1024
QUIET_SECONDS = 8.0
GOAL = 0.10


def administrator(site: Site) -> requests.Session:
    """A user who may upload, logged in."""
    site.shell(
        "from django.contrib.auth.models import User\n"
        "User.objects.filter(username='peter').update(is_staff=True, is_superuser=True)"
    )
    return site.login("peter")


def form(session: requests.Session, mib: int) -> tuple[bytes, dict[str, str]]:
    """The body of the form with the file, made before anything is measured, and its headers."""
    fields = {"csrfmiddlewaretoken": session.cookies["csrftoken"]}
    request = requests.Request(
        "POST", "http://x", data=fields, files={"versions-0-file": io.BytesIO(bytes(mib * MIB))}
    ).prepare()
    assert isinstance(request.body, bytes)
    return request.body, {"Content-Type": str(request.headers["Content-Type"])}


def p95(clients: Clients) -> float:
    """Of the ages since the last time, in ms."""
    return statistics.quantiles(clients.take().ages, n=20)[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", type=int, default=20)
    parser.add_argument("--fps", type=float, default=5)
    parser.add_argument("--mib", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, web(Path(folder), options.fps, 50_000) as site:
        session = administrator(site)
        body, headers = form(session, options.mib)
        wanted = Wanted(site.port, CAMERA, False, credentials(site))
        with Clients(wanted, options.viewers) as clients:
            while clients.take().frames < 2 * options.viewers:
                time.sleep(0.2)
            rounds = [measure(clients, site, session, body, headers) for _ in range(options.rounds)]
    quiet, busy = (statistics.mean(column) for column in zip(*rounds, strict=True))
    print(f"p95 {quiet:.1f} ms quiet, {busy:.1f} ms: {busy / quiet - 1:+.0%} (goal {GOAL:.0%})")


def measure(
    clients: Clients, site: Site, session: requests.Session, body: bytes, headers: dict[str, str]
) -> tuple[float, float]:
    """The 95th percentile without and with uploads, over spans of equal length."""
    clients.take()
    time.sleep(QUIET_SECONDS)
    quiet = p95(clients)
    until, uploads = time.monotonic() + QUIET_SECONDS, 0
    while time.monotonic() < until:
        answer = session.post(
            f"{site.url}/admin/inference/model/add/",
            data=body,
            headers={**headers, "Referer": site.url},
            timeout=60,
        )
        assert answer.status_code == 200, answer.status_code
        uploads += 1
    busy = p95(clients)
    print(f"quiet {quiet:.1f} ms, {uploads} uploads {busy:.1f} ms")
    return quiet, busy


if __name__ == "__main__":
    main()
