"""What is next for one service in one environment: a pure function of what was recorded.

A lane is one service in one environment. Lanes wait for their own gates and locks only, so that
one service which waits never holds up another.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from msgspec import Struct

from fairway.model.release import (
    Approval,
    Promotion,
    PromotionKind,
    PromotionState,
    Release,
    ReleaseState,
    Step,
    Verification,
)
from fairway.release import gates, history
from fairway.release.spec import Environment, VerificationGate

_BEGUN: Final = (Step.COPY, Step.KEYS)


class Lane(Struct, frozen=True, kw_only=True):
    """One service in one environment. `here`, `before`: promotions there and one environment
    earlier (None for the first environment).
    """

    environment: Environment
    service: str
    releases: Mapping[int, Release]
    here: Sequence[Promotion]
    before: Sequence[Promotion] | None = None
    before_name: str = ""
    approvals: Mapping[int, Sequence[Approval]] = {}
    verifications: Mapping[int, Mapping[str, Verification]] = {}
    members: Mapping[str, Collection[str]] = {}


class Offer(Struct, frozen=True):
    """Write down that a release may come here, once its gates are open."""

    release: int


class Start(Struct, frozen=True):
    """Begin a promotion that waited."""

    promotion: int


class Wait(Struct, frozen=True):
    """Say what a promotion waits for."""

    promotion: int
    waits: tuple[str, ...]


class End(Struct, frozen=True):
    """A promotion that waited ends without having begun."""

    promotion: int
    state: PromotionState
    message: str


class Verify(Struct, frozen=True):
    """Start a verification in the environment before."""

    release: int
    check: VerificationGate


Action = Offer | Start | Wait | End | Verify


class Decision(Struct, frozen=True):
    """What to do now, and when time alone may change it (milliseconds UTC)."""

    actions: tuple[Action, ...] = ()
    at: int | None = None


def decide(lane: Lane, now: int) -> Decision:
    """What is next in a lane."""
    waiting = sorted(
        (one for one in lane.here if one.state is PromotionState.WAITING), key=lambda one: one.id
    )
    ended = _ended(lane, waiting)
    left = [one for one in waiting if one.id not in {end.promotion for end in ended}]
    offer = _offer(lane, left)
    if offer is not None:
        return Decision((*ended, offer))
    if not left:
        return Decision(tuple(ended))
    busy = history.running(lane.here)
    promotion = left[-1]
    if promotion.kind is not PromotionKind.PROMOTION:
        return Decision((*ended, *_when_free(promotion, busy, lane)))
    told = _told(lane, promotion, now)
    if told.refused:
        end = End(promotion.id, PromotionState.REJECTED, told.refused)
        return Decision((*ended, end))
    checks = [Verify(promotion.release, check) for check in told.run]
    if not told.open:
        return Decision((*ended, *checks, *_wait(promotion, told.waits)), told.at)
    return Decision((*ended, *_when_free(promotion, busy, lane)))


def _when_free(promotion: Promotion, busy: Promotion | None, lane: Lane) -> list[Action]:
    if busy is None:
        return [Start(promotion.id)]
    if _gives_way(promotion, busy, lane):
        newer = lane.releases[promotion.release].version
        return [End(busy.id, PromotionState.SUPERSEDED, f"{newer} came meanwhile")]
    version = lane.releases[busy.release].version
    return _wait(promotion, (f"{lane.service} {version}, which is on its way there",))


def _gives_way(promotion: Promotion, busy: Promotion, lane: Lane) -> bool:
    """Whether what is on its way makes room: nothing has changed there yet (it waits for its
    configuration), or it will never arrive, since an environment that follows a range takes the
    newer release by itself."""
    if busy.step in _BEGUN:
        return True
    forward = (promotion.kind, busy.kind) == (PromotionKind.PROMOTION, PromotionKind.PROMOTION)
    return bool(lane.environment.follows) and forward and promotion.release > busy.release


def _wait(promotion: Promotion, waits: tuple[str, ...]) -> list[Action]:
    return [] if promotion.waits == waits else [Wait(promotion.id, waits)]


def _told(lane: Lane, promotion: Promotion, now: int) -> gates.Told:
    """Whether the gates let it through; and the order of environments."""
    release = lane.releases[promotion.release]
    if release.state is not ReleaseState.PUBLISHED:
        return gates.Told(waits=("its chart to be published",))
    since = None
    if lane.before is not None:
        since = history.good_since(lane.before, release.id)
        if since is None and not history.was_good(lane.before, release.id):
            return gates.Told(waits=(f"it to be good in {lane.before_name}",))
    facts = gates.Facts(
        release=release,
        good_since=since,
        approvals=lane.approvals.get(release.id, ()),
        verifications=lane.verifications.get(release.id, {}),
        members=lane.members,
        before=lane.before_name,
    )
    return gates.judge(lane.environment.gates_of(lane.service), facts, now)


def _ended(lane: Lane, waiting: Sequence[Promotion]) -> list[End]:
    """Of several that wait only the last one asked for counts; a way back counts before all."""
    last = max(waiting, key=_weight, default=None)
    found: list[End] = []
    for one in waiting:
        if one is not last and last is not None:
            version = lane.releases[last.release].version
            found.append(End(one.id, PromotionState.SUPERSEDED, f"{version} came meanwhile"))
    return found


def _weight(one: Promotion) -> tuple[bool, int]:
    return one.kind is not PromotionKind.PROMOTION, one.id


def _offer(lane: Lane, waiting: Sequence[Promotion]) -> Offer | None:
    """The newest release that automation may take here, if it is newer than all that came."""
    spoilt = history.bad(lane.here)
    found = None
    for release in sorted(lane.releases.values(), key=lambda one: one.id):
        if release.state is not ReleaseState.PUBLISHED or release.id in spoilt:
            continue
        if lane.before is not None and history.good_since(lane.before, release.id) is None:
            continue
        found = release.id
    known = [one.release for one in lane.here if one.kind is PromotionKind.PROMOTION]
    if found is None or found <= max(known, default=0):
        return None
    if any(one.kind is not PromotionKind.PROMOTION for one in waiting):
        return None
    return Offer(found)
