"""From an event to what there is to say. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct

from fairway.model.events import (
    BuildFinished,
    Event,
    PromotionChanged,
    ReleaseCreated,
    RolloutChanged,
)
from fairway.model.notice import Content, Detail, Outcome, Topic
from fairway.model.release import TRIAL, PromotionKind, PromotionState, ReleaseState
from fairway.model.status import Status

_SHORT: Final = 12  # characters of a digest or a commit
_WORDS: Final = {
    PromotionKind.PROMOTION: "goes to",
    PromotionKind.ROLLBACK: "is rolled back to in",
    PromotionKind.REVERT: "is returned to in",
}
_DEGRADED: Final = "Degraded"
_PHASES: Final = {"Healthy": Outcome.SUCCESS, _DEGRADED: Outcome.FAILURE}
_NEWS: Final = frozenset({PromotionState.FAILED, PromotionState.REJECTED})


class Place(Struct, frozen=True, kw_only=True):
    """What rules choose by; "" where it does not apply."""

    repository: str = ""
    environment: str = ""  # delivery/environment
    application: str = ""  # an Argo CD Application


class Tidings(Struct, frozen=True, kw_only=True):
    """What an event has to say: which message it belongs to, and what that says from now on."""

    topic: Topic
    key: str
    stream: str
    place: Place
    content: Content
    detail: Detail | None = None


Reader = Callable[[Any, str], Tidings | None]


class BuildFacts(Struct, frozen=True, kw_only=True):
    """What a build's event leaves out."""

    default_branch: str
    title: str = ""  # of its commit
    author: str = ""
    seconds: float = 0.0
    failed: tuple[str, ...] = ()  # steps that did not pass


def of(event: Event, url: str, *, build: BuildFacts | None = None) -> Tidings | None:
    """What an event has to say, or None. `url`: ours, for links. `build`: of a build's event."""
    match event:
        case BuildFinished() if build is not None:
            return _build(event, url, build)
        case ReleaseCreated():
            return _release(event, url)
        case PromotionChanged():
            return _promotion(event, url)
        case RolloutChanged() if not event.namespace.startswith(TRIAL):
            return _rollout(event, url)
    return None


def _build(event: BuildFinished, url: str, facts: BuildFacts) -> Tidings | None:
    """Builds of the default branch alone; a cancelled one has no outcome to tell."""
    branch = facts.default_branch
    if event.event != "push" or event.ref != f"refs/heads/{branch}":
        return None
    status = Status(event.status)
    if status in (Status.CANCELLED, Status.SKIPPED):
        return None
    outcome = Outcome.SUCCESS if status is Status.PASSED else Outcome.FAILURE
    return Tidings(
        topic=Topic.BUILD,
        key=f"build/{event.build}",
        stream=f"build/{event.slug}/{branch}",
        place=Place(repository=event.slug),
        content=Content(
            title=f"{event.slug} #{event.number} {status}",
            lines=(
                f"{branch} at {event.after[:_SHORT]}, after {facts.seconds:.0f} s",
                *([f"{facts.title} ({facts.author})"] if facts.title else []),
                *(f"{step} did not pass" for step in facts.failed),
            ),
            outcome=outcome,
            link=f"{url}/{event.slug}/builds/{event.number}",
        ),
    )


def _release(event: ReleaseCreated, url: str) -> Tidings:
    failed = event.state == ReleaseState.FAILED
    lines = [event.problem] if event.problem else []
    return Tidings(
        topic=Topic.RELEASE,
        key=f"release/{event.release}",
        stream=f"release/{event.delivery}/{event.service}",
        place=Place(repository=event.repository),
        content=Content(
            title=f"{event.service} {event.version} "
            + ("could not be released" if failed else "is released"),
            lines=(*lines, f"digest {_digest(event.digest)}"),
            outcome=Outcome.FAILURE if failed else Outcome.SUCCESS,
            link=f"{url}/deliveries/{event.delivery}",
        ),
    )


def _promotion(event: PromotionChanged, url: str) -> Tidings:
    state = PromotionState(event.state)
    way = PromotionKind(event.way)
    versions = f"{event.before} → {event.version}" if event.before else event.version
    lines = [
        f"{versions}, digest {_digest(event.digest)}",
        *([f"by {event.actor}"] if event.actor else []),
        *([f"because: {event.why}"] if event.why else []),
        *([event.message] if event.message else []),
        *(f"waits for {one}" for one in event.waits),
    ]
    title = f"{event.service} {event.version} {_WORDS[way]} {event.environment}: {state}"
    if state is PromotionState.RUNNING and event.step:
        title += f" ({event.step})"
    return Tidings(
        topic=Topic.DEPLOYMENT,
        key=f"deployment/{event.promotion}",
        stream=f"deployment/{event.delivery}/{event.environment}/{event.service}",
        place=Place(
            environment=f"{event.delivery}/{event.environment}", application=event.application
        ),
        content=Content(
            title=title,
            lines=tuple(lines),
            outcome=_outcome(state, way),
            waiting=state is PromotionState.WAITING,
            link=f"{url}/deliveries/{event.delivery}/{event.environment}",
        ),
        detail=_promotion_detail(event, state),
    )


def _outcome(state: PromotionState, way: PromotionKind) -> Outcome:
    """A revert that arrives ends well, and still tells that a release was refused."""
    if not state.done:
        return Outcome.OPEN
    good = state in (PromotionState.PASSED, PromotionState.SUPERSEDED, PromotionState.CANCELLED)
    return Outcome.SUCCESS if good and way is not PromotionKind.REVERT else Outcome.FAILURE


def _promotion_detail(event: PromotionChanged, state: PromotionState) -> Detail:
    said = [str(state), event.step if state is PromotionState.RUNNING else "", event.message]
    said += [f"waits for {one}" for one in event.waits]
    text = ": ".join(one for one in said if one)
    return Detail(
        key=f"{state}/{event.step}/{event.message}/{'/'.join(event.waits)}"[:200],
        text=text,
        alarm=state in _NEWS,
    )


def _rollout(event: RolloutChanged, url: str) -> Tidings:
    """A rollout: its deployment's message tells of it, or its own where none brought it."""
    said = progress(event)
    return Tidings(
        topic=Topic.ROLLOUT,
        key=f"rollout/{event.uid}/{event.revision}",
        stream=f"rollout/{event.cluster}/{event.namespace}/{event.name}",
        place=Place(application=event.application),
        content=Content(
            title=f"{event.namespace}/{event.name} in {event.cluster}: {event.phase}",
            lines=(said, *event.images),
            outcome=_PHASES.get(event.phase, Outcome.OPEN),
            link=f"{url}/rollouts/{event.cluster}/{event.namespace}/{event.name}",
        ),
        detail=Detail(key=said[:200], text=said, alarm=event.phase == _DEGRADED),
    )


def progress(event: RolloutChanged) -> str:
    """How far a rollout is, in a line."""
    bar = round(event.weight / 10)
    parts = [f"{event.name} {event.phase}", f"{'█' * bar}{'░' * (10 - bar)} {event.weight} %"]
    if event.steps:
        parts.append(f"step {event.step} of {event.steps}")
    if event.message:
        parts.append(event.message)
    return ", ".join(parts)


def _digest(text: str) -> str:
    return text.removeprefix("sha256:")[:_SHORT]
