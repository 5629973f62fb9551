"""What becomes of a change request, given where its branches are. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Final

from msgspec import Struct

from fairway.model.change_request import ChangeRequest, ChangeState, Check
from fairway.model.repository import Settings
from fairway.model.role import Role
from fairway.source.protection import matches

STATE_CODES: Final = {
    ChangeState.OPEN: "change-request-open",
    ChangeState.MERGED: "change-request-merged",
    ChangeState.CLOSED: "change-request-closed",
}


class Tips(Struct, frozen=True):
    """What the two branches are at now; "" for one that is not there."""

    head: str
    base: str


class Course(Enum):
    """What to do about an open change request."""

    KEEP = auto()  # nothing has moved
    CLOSE = auto()  # one of its branches has gone
    MERGED = auto()  # the target has it already
    UPDATE = auto()  # another head: merge anew and test
    RETEST = auto()  # another target, and somebody waits for the result: merge anew and test
    MOVE = auto()  # another target: merge anew


def course(change: ChangeRequest, tips: Tips, *, contained: bool) -> Course:
    """What follows from where the branches are. `contained`: the target has the head already."""
    if not tips.head or not tips.base:
        return Course.CLOSE
    if contained:
        return Course.MERGED
    if tips.head != change.head:
        return Course.UPDATE
    if tips.base == change.base:
        return Course.KEEP
    if change.when_green or change.conflicts:
        return Course.RETEST
    return Course.MOVE


class Hindrance(Struct, frozen=True):
    """Why a change request cannot be merged now. `passes`: waiting may help."""

    code: str
    why: str
    passes: bool = False


def hindrance(
    change: ChangeRequest,
    tips: Tips,
    *,
    required: Sequence[str] = (),
    results: Mapping[str, str] | None = None,
) -> Hindrance | None:
    """What keeps a change request from being merged; None when nothing does.

    `required` are pipelines that must have passed in the build of exactly what the target becomes;
    without them the whole build must have. `results` are those of its last build.
    """
    if change.state is not ChangeState.OPEN:
        return Hindrance(STATE_CODES[change.state], f"it is {change.state}")
    if change.conflicts:
        files = ", ".join(change.conflicts[:5]) + (", ..." if len(change.conflicts) > 5 else "")
        return Hindrance("change-request-conflicts", f"it conflicts with {change.target}: {files}")
    moved = tips.head != change.head or tips.base != change.base
    if moved or change.tested not in {"", change.merge}:
        why = f"its branch or {change.target} has moved since it was tested"
        return Hindrance("change-request-stale", why, passes=True)
    if not change.tested or not change.check.settled:
        why = "its checks have not ended" if change.build else "its checks have not begun"
        return Hindrance("change-request-pending", why, passes=True)
    return _unmet(change, required, results or {})


def _unmet(
    change: ChangeRequest, required: Sequence[str], results: Mapping[str, str]
) -> Hindrance | None:
    named = f"build #{change.build}"
    for name in required:
        if name not in results:
            why = f"no pipeline {name!r} ran in {named}" if change.build else f"no {name!r} ran"
            return Hindrance("change-request-not-green", f"the required check is missing: {why}")
        if results[name] != "passed":
            why = f"the required check {name!r} {results[name]} in {named}"
            return Hindrance("change-request-not-green", why)
    if required or change.check in {Check.PASSED, Check.NONE}:
        return None
    return Hindrance("change-request-not-green", f"{named} {change.check}")


def may_merge(settings: Settings, role: Role, branch: str) -> str:
    """Why this role may not merge into a branch; "" when it may."""
    for rule in settings.branches:
        if not matches(rule.pattern, branch):
            continue
        least = rule.merge or rule.push
        if least == "nobody":
            return f"{branch} is protected: nobody may merge into it"
        if not role.covers(Role(least)):
            return f"{branch} is protected: only a {least} may merge into it"
    return "" if role.covers(Role.WRITER) else "it needs the role writer"
