"""What the system is there for: how many of the cameras are live, how many of the models work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from cameras.models import Camera
from inference.plans import frame_plans, record_plans
from sightline.messages import CameraState, ModelState
from streaming.hub.hub import Hub
from streaming.system.parts import Finding, Level, Part

SHOWN_NAMES: Final = 8
UNKNOWN: Final = "unknown"
# Those that are not here are live.
CAMERA_LEVELS: Final[Mapping[str, Level]] = {
    CameraState.CONNECTING: Level.WAIT,
    CameraState.STALLED: Level.WARN,
    CameraState.FROZEN: Level.WARN,
    CameraState.BLACK: Level.WARN,
    CameraState.AUTH_FAILED: Level.BAD,
    CameraState.UNREACHABLE: Level.BAD,
    UNKNOWN: Level.BAD,
}
CAMERA_WORDS: Final[Mapping[str, str]] = {
    CameraState.CONNECTING: "Connecting",
    CameraState.STALLED: "Send nothing",
    CameraState.FROZEN: "Frozen picture",
    CameraState.BLACK: "Black picture",
    CameraState.AUTH_FAILED: "Refuse the login",
    CameraState.UNREACHABLE: "Cannot be reached",
    UNKNOWN: "Reported by no worker",
}
MODEL_LEVELS: Final[Mapping[str, Level]] = {
    ModelState.LOADING: Level.WAIT,
    ModelState.FAILING: Level.BAD,
    UNKNOWN: Level.BAD,
}
MODEL_WORDS: Final[Mapping[str, str]] = {
    ModelState.LOADING: "Loading",
    ModelState.FAILING: "Fail",
    UNKNOWN: "Reported by no worker",
}
# A version that several workers run has the worst of their states.
WORST_FIRST: Final = (ModelState.FAILING, ModelState.LOADING, ModelState.RUNNING)


@dataclass(frozen=True, slots=True)
class Watched:
    """What should work now: the names of the cameras that are on, by slug, and the versions that
    are deployed, as model and version.
    """

    cameras: Mapping[str, str]
    versions: tuple[tuple[str, str], ...]


def watched() -> Watched:
    """Query the database."""
    plans = {**frame_plans(), **record_plans()}
    return Watched(
        dict(Camera.objects.filter(enabled=True).values_list("slug", "name")),
        tuple(sorted((plan.model, plan.version) for plan in plans.values())),
    )


def cameras(hub: Hub, names: Mapping[str, str]) -> Part:
    """The part of the cameras, as their workers report them."""
    by_state: dict[str, list[str]] = defaultdict(list)
    for slug, name in names.items():
        status = hub.status(slug)
        by_state[status.state if status else UNKNOWN].append(name)
    live = sum(len(found) for state, found in by_state.items() if state not in CAMERA_LEVELS)
    return Part(
        "cameras",
        "Cameras",
        f"{live:,} of {len(names):,} live." if names else "No camera is switched on.",
        findings=tuple(_findings(by_state, CAMERA_LEVELS, CAMERA_WORDS)),
        href="/",
    )


def models(hub: Hub, versions: Iterable[tuple[str, str]]) -> Part:
    """The part of the models, as their workers report them."""
    by_state: dict[str, list[str]] = defaultdict(list)
    for model, version in versions:
        by_state[_state(hub, model, version)].append(f"{model} {version}")
    total = sum(map(len, by_state.values()))
    working = len(by_state.get(ModelState.RUNNING, ()))
    return Part(
        "models",
        "Models",
        f"{working:,} of {total:,} work." if total else "No model is deployed.",
        findings=tuple(_findings(by_state, MODEL_LEVELS, MODEL_WORDS)),
        href="/models/",
    )


def unknown(name: str, title: str, words: str) -> Part:
    """The part while nothing can be known of it."""
    return Part(name, title, words, findings=(Finding(Level.WAIT, words),))


def parts(hub: Hub, ask: Callable[[], Watched | None], *, known: bool) -> list[Part]:
    """Both parts; ``known``: the workers' reports have had time to arrive. ``ask`` gives None
    while the database does not answer.
    """
    wanted = ask()
    if wanted is None or not known:
        words = (
            "Waiting for the workers' reports."
            if wanted is not None
            else "The database does not answer, so nothing is known of them."
        )
        return [unknown("cameras", "Cameras", words), unknown("models", "Models", words)]
    return [cameras(hub, wanted.cameras), models(hub, wanted.versions)]


def _state(hub: Hub, model: str, version: str) -> str:
    states = {report.status.state for report in hub.models.of(model, version) if not report.stale}
    return next((state for state in WORST_FIRST if state in states), UNKNOWN)


def _findings(
    by_state: Mapping[str, list[str]], levels: Mapping[str, Level], words: Mapping[str, str]
) -> Iterable[Finding]:
    for state, level in levels.items():
        if names := sorted(by_state.get(state, ())):
            more = f" and {len(names) - SHOWN_NAMES:,} more" if len(names) > SHOWN_NAMES else ""
            shown = ", ".join(names[:SHOWN_NAMES])
            yield Finding(level, f"{words[state]}: {shown}{more}.")
