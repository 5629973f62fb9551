"""What a release must have before it comes into an environment. Pure: a function of records and
the time. Every gate says in words what it waits for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import islice
from typing import Final

from cronsim import CronSim
from msgspec import Struct

from fairway.kit import clock
from fairway.model.release import Approval, Release, Verdict, Verification
from fairway.release.spec import (
    ApprovalGate,
    Gate,
    QaGate,
    SoakGate,
    VerificationGate,
    WindowGate,
    milliseconds,
    moment,
)

_MINUTES: Final = 1500  # starts of a window that are looked at; more than a day's minutes


class Told(Struct, frozen=True, kw_only=True):
    """How a gate is. `waits`: for what, empty when it is open. `at`: when time alone may open it
    (milliseconds UTC). `run`: verifications to start. `refused`: why it can never open.
    """

    waits: tuple[str, ...] = ()
    at: int | None = None
    run: tuple[VerificationGate, ...] = ()
    refused: str = ""

    @property
    def open(self) -> bool:
        """Whether it lets the release through."""
        return not self.waits and not self.refused


OPEN: Final = Told()


class Facts(Struct, frozen=True, kw_only=True):
    """What gates are judged by, of one release before one environment.

    `good_since`: since when it has been good in the environment before, without a break.
    `members`: who is in which team.
    """

    release: Release
    good_since: int | None
    approvals: Sequence[Approval] = ()
    verifications: Mapping[str, Verification] = {}
    members: Mapping[str, Collection[str]] = {}
    before: str = ""  # the environment before


def judge(gate: Gate | None, facts: Facts, now: int) -> Told:
    """Whether a gate is open; None is."""
    if gate is None:
        return OPEN
    if gate.all is not None:
        return _all([judge(one, facts, now) for one in gate.all])
    if gate.any is not None:
        return _any([judge(one, facts, now) for one in gate.any])
    return _leaf(gate, facts, now)


def _leaf(gate: Gate, facts: Facts, now: int) -> Told:
    for name, judged in _LEAVES.items():
        found = getattr(gate, name)
        if found is not None:
            return judged(found, facts, now)
    raise AssertionError("the reader lets no other gate through")


def _all(parts: Sequence[Told]) -> Told:
    refused = next((one.refused for one in parts if one.refused), "")
    closed = [one for one in parts if not one.open]
    if refused or not closed:
        return Told(refused=refused)
    times = [one.at for one in closed if one.at is not None]
    return Told(
        waits=tuple(word for one in closed for word in one.waits),
        at=min(times, default=None),
        run=tuple(check for one in closed for check in one.run),
    )


def _any(parts: Sequence[Told]) -> Told:
    if any(one.open for one in parts):
        return OPEN
    left = [one for one in parts if not one.refused]
    if not left:
        return Told(refused="; ".join(one.refused for one in parts))
    times = [one.at for one in left if one.at is not None]
    words = [" and ".join(one.waits) for one in left]
    return Told(
        waits=(" or ".join(words),),
        at=min(times, default=None),
        run=tuple(check for one in left for check in one.run),
    )


def _approval(gate: ApprovalGate, facts: Facts, _now: int) -> Told:
    given = [one for one in facts.approvals if one.kind == "approval"]
    no = next((one for one in given if one.verdict is Verdict.NO), None)
    if no is not None:
        return Told(refused=f"{no.login} rejected it" + (f": {no.comment}" if no.comment else ""))
    counted = {one.login for one in given if counts(gate, facts, one.login)}
    missing = gate.count - len(counted)
    if missing <= 0:
        return OPEN
    by = f" of the team {gate.team}" if gate.team else ""
    own = "" if gate.own_change else ", not by an author of the change"
    what = "approval" if missing == 1 else "approvals"
    return Told(waits=(f"{missing} {what}{by}{own}",))


def counts(gate: ApprovalGate, facts: Facts, login: str) -> bool:
    """Whether somebody's yes counts for a gate."""
    if gate.team and login not in facts.members.get(gate.team, ()):
        return False
    return gate.own_change or login not in authors(facts.release)


def authors(release: Release) -> set[str]:
    """Whose change a release is."""
    return {release.author, *(one.author for one in release.changes)} - {""}


def _qa(gate: QaGate, facts: Facts, _now: int) -> Told:
    said = [one for one in facts.approvals if one.kind == "qa" and one.login == gate.user]
    if not said:
        return Told(waits=(f"the verdict of {gate.user} (qa)",))
    last = max(said, key=lambda one: one.at)
    if last.verdict is Verdict.NO:
        return Told(refused=f"{gate.user} (qa) found it bad: {last.comment}".rstrip(": "))
    return OPEN


def _soak(gate: SoakGate, facts: Facts, now: int) -> Told:
    if facts.good_since is None:
        return Told(waits=(f"it to be good in {facts.before}",))
    end = facts.good_since + (milliseconds(gate.duration) or 0)
    if now >= end:
        return OPEN
    return Told(waits=(f"{gate.duration} in {facts.before}, until {clock.text(end)}",), at=end)


def _window(gate: WindowGate, _facts: Facts, now: int) -> Told:
    length = milliseconds(gate.duration) or 0
    starts = CronSim(gate.schedule, moment(now - length - 1, gate.timezone))
    for start in islice(starts, _MINUTES):
        began = int(start.timestamp() * 1000)
        if began > now:
            return Told(waits=(f"its window, from {clock.text(began)}",), at=began)
        if now < began + length:
            return OPEN
    return Told(waits=("its window",))


def _verification(gate: VerificationGate, facts: Facts, _now: int) -> Told:
    found = facts.verifications.get(gate.key)
    told = gate.key.partition("?")[0]
    if facts.good_since is None:
        return Told(waits=(f"it to be good in {facts.before}",))
    if found is None:
        return Told(waits=(f"the verification {told} in {facts.before}",), run=(gate,))
    if found.verdict == "passed":
        return OPEN
    if found.verdict:
        return Told(refused=f"the verification {told} in {facts.before} {found.verdict}: "
                            f"{found.message}".rstrip(": "))  # fmt: skip
    return Told(waits=(f"the verification {told} in {facts.before}",))


_Judge = Callable[..., Told]
_LEAVES: Final[Mapping[str, _Judge]] = {
    "approval": _approval,
    "qa": _qa,
    "soak": _soak,
    "window": _window,
    "verification": _verification,
}


def leaves(gate: Gate | None) -> list[Gate]:
    """Every leaf of a gate."""
    if gate is None:
        return []
    parts = gate.all if gate.all is not None else gate.any
    if parts is None:
        return [gate]
    return [leaf for one in parts for leaf in leaves(one)]
