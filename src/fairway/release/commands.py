"""What people do: promote, approve, reject, judge (qa), roll back. Each in one transaction with its
audit entry and event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from fairway.access import authorise
from fairway.access.authorise import Action
from fairway.access.identity import Identity
from fairway.model.delivery_right import DeliveryAction
from fairway.model.errors import Conflict, Forbidden, NotFound
from fairway.model.release import (
    Approval,
    Promotion,
    PromotionKind,
    PromotionState,
    Release,
    Verdict,
)
from fairway.release import asking, gates, history, noting, rights
from fairway.release.asking import Asked
from fairway.release.deliveries import kept
from fairway.release.spec import Delivery, Environment
from fairway.store import approvals, audit, promotions, releases


def find(db: Connection, environment: str, service: str, delivery: str = "") -> Asked:
    """What a person means. Raises `NotFound`, `InvalidInput`."""
    return asking.asked(kept(db), environment, service, delivery=delivery)


def promote(
    db: Connection, who: Identity, what: Asked, *, version: str = "", why: str = ""
) -> Promotion:
    """Ask for a release to come into an environment, through its gates.

    Raises `Conflict` (`not-a-candidate`, `not-good-before`, `runs-already`), `NotFound`.
    """
    rights.require(db, who, DeliveryAction.PROMOTE, what)
    found = asking.release(db, what, version) if version else asking.newest(db, what)
    _check_order(db, what, found)
    lane = _lane(db, what)
    now = history.current(lane)
    waiting = [one for one in lane if one.state is PromotionState.WAITING]
    same = next((one for one in waiting if one.release == found.id), None)
    if same is not None:
        return same
    under_way = history.running(lane)
    if (under_way or now) is not None and (under_way or now).release == found.id:  # type: ignore[union-attr]  # one of them is there
        raise Conflict(
            f"{what.service.name} {found.version} runs in {what.environment.name} already",
            code="runs-already",
        )
    made = noting.offered(db, _new(what, found, PromotionKind.PROMOTION, who=who, why=why))
    _note(db, who, "promotion.ask", what, after={"version": found.version, "why": why})
    return made


def _check_order(db: Connection, what: Asked, found: Release) -> None:
    before = what.delivery.before(what.environment.name)
    if before is None:
        return
    lane = promotions.lane(db, what.delivery.name, before.name, what.service.name)
    if not history.was_good(lane, found.id):
        raise Conflict(
            f"{what.service.name} {found.version} has not been good in {before.name}, which comes"
            f" before {what.environment.name}",
            code="not-good-before",
            remedy=f"`fairway promote {what.service.name}@{found.version} --env {before.name}`",
        )


def _new(
    what: Asked, release: Release, kind: PromotionKind, *, who: Identity, why: str
) -> Promotion:
    return Promotion(
        id=0,
        release=release.id,
        delivery=what.delivery.name,
        service=what.service.name,
        environment=what.environment.name,
        kind=kind,
        actor=who.login,
        why=why,
    )


def _lane(db: Connection, what: Asked) -> list[Promotion]:
    return promotions.lane(db, what.delivery.name, what.environment.name, what.service.name)


def _note(db: Connection, who: Identity, action: str, what: Asked, *, after: Any) -> None:
    subject = f"service/{what.delivery.name}/{what.service.name}/{what.environment.name}"
    audit.append(db, who.login, action, subject, after=after)


# ---- approvals -----------------------------------------------------------------------------------


def say(
    db: Connection,
    who: Identity,
    what: Asked,
    *,
    kind: str,
    verdict: Verdict,
    version: str = "",
    comment: str = "",
) -> Promotion:
    """A person's word (`kind`: approval or qa) on the release that waits there, or on `version`.

    Raises `Forbidden` (`own-change`, `not-named`), `NotFound` (`nothing-waits`), `Conflict`
    (`no-such-gate`).
    """
    action = DeliveryAction.APPROVE if kind == "approval" else DeliveryAction.QA
    rights.require(db, who, action, what)
    promotion = _waiting(db, what, version)
    release = releases.some(db, [promotion.release])[promotion.release]
    _check_gate(what, who, release, kind=kind, verdict=verdict)
    word = Approval(
        release=release.id,
        environment=what.environment.name,
        kind=kind,
        login=who.login,
        verdict=verdict,
        comment=comment,
    )
    approvals.say(db, word)
    after = {"version": release.version, "verdict": verdict, "comment": comment}
    _note(db, who, f"release.{kind}", what, after=after)
    noting.tell(db, promotion)
    return promotion


def _waiting(db: Connection, what: Asked, version: str) -> Promotion:
    waiting = [one for one in _lane(db, what) if one.state is PromotionState.WAITING]
    if version:
        wanted = asking.release(db, what, version).id
        waiting = [one for one in waiting if one.release == wanted]
    if not waiting:
        raise NotFound(
            f"no release of {what.service.name}{'@' if version else ''}{version} waits for"
            f" {what.environment.name}",
            code="nothing-waits",
            remedy="`fairway get approvals` lists what waits",
        )
    return waiting[0]


def _check_gate(
    what: Asked, who: Identity, release: Release, *, kind: str, verdict: Verdict
) -> None:
    every = gates.leaves(what.environment.gates_of(what.service.name))
    mine = [one for one in every if getattr(one, kind) is not None]
    if not mine:
        raise Conflict(
            f"{what.environment.name} asks no {kind} of {what.service.name}",
            code="no-such-gate",
            remedy="look at the Delivery's gates",
        )
    if kind == "qa":
        named = [one.qa.user for one in mine if one.qa is not None]
        if who.login not in named:
            raise Forbidden(
                f"the verdict is {' or '.join(named)}'s, not {who.login}'", code="not-named"
            )
        return
    own = who.login in gates.authors(release)
    strict = all(one.approval is not None and not one.approval.own_change for one in mine)
    if own and strict and verdict is Verdict.YES:
        raise Forbidden(
            f"{release.version} holds a change of {who.login}'s own: somebody else approves it",
            code="own-change",
            remedy="ask somebody else of the team",
        )


# ---- elsewhere, and once more --------------------------------------------------------------------


def may_deploy(
    db: Connection, who: Identity, environment: str, *, delivery: str = ""
) -> tuple[Delivery, Environment]:
    """Whether he may make an environment anew. Raises `Forbidden`, `NotFound`."""
    found, place = asking.place(kept(db), environment, delivery=delivery)
    what = asking.Asked(delivery=found, environment=place, service=found.services[0])
    rights.require(db, who, DeliveryAction.DEPLOY, what)
    return found, place


def begin_deploy(
    db: Connection, who: Identity, environment: str, cluster: str, *, delivery: str = ""
) -> tuple[Delivery, Environment]:
    """Write down that he does. Raises as `may_deploy`."""
    found, place = may_deploy(db, who, environment, delivery=delivery)
    subject = f"environment/{found.name}/{place.name}"
    audit.append(db, who.login, "environment.deploy", subject, after={"cluster": cluster})
    return found, place


def may_test(
    db: Connection, who: Identity, environment: str, *, delivery: str = ""
) -> tuple[Delivery, Environment]:
    """The same for the integration suite: whoever may start builds of its repository."""
    found, place = asking.place(kept(db), environment, delivery=delivery)
    if found.tests is not None:
        authorise.require(db, who, Action.WRITE_BUILD, found.tests.repository)
    return found, place


def begin_test(
    db: Connection, who: Identity, environment: str, instead: Any, *, delivery: str = ""
) -> tuple[Delivery, Environment]:
    """Write down that he does. Raises as `may_test`."""
    found, place = may_test(db, who, environment, delivery=delivery)
    subject = f"environment/{found.name}/{place.name}"
    audit.append(db, who.login, "environment.test", subject, after={"instead": instead})
    return found, place


# ---- the way back --------------------------------------------------------------------------------


def rollback(
    db: Connection, who: Identity, what: Asked, *, version: str = "", why: str = ""
) -> Promotion:
    """Return to the last known good, or to `version`, which must have been good there.

    What runs or is on its way there is not promoted there again by automation. Raises `Conflict`
    (`never-good`, `no-good-one`, `runs-already`).
    """
    rights.require(db, who, DeliveryAction.ROLLBACK, what)
    lane = _lane(db, what)
    target = _target(db, what, lane, version)
    at = history.running(lane) or history.current(lane)
    reason = f"{who.login} rolled it back" + (f": {why}" if why else "")
    for one in lane:
        if not one.state.done:
            mine = reason if at is not None and one.release == at.release else ""
            noting.ended(db, one.id, PromotionState.CANCELLED, reason, bad=mine)
    if at is not None and at.release != target.id:
        promotions.spoil(db, at.id, reason)
    made = noting.offered(db, _new(what, target, PromotionKind.ROLLBACK, who=who, why=why))
    _note(db, who, "promotion.rollback", what, after={"version": target.version, "why": why})
    return made


def rollback_all(
    db: Connection, who: Identity, every: Sequence[Asked], *, why: str = ""
) -> list[Promotion]:
    """Every service of an environment that has another good release. Raises as `rollback`."""
    possible = [one for one in every if history.last_good(_lane(db, one)) is not None]
    for one in every:
        rights.require(db, who, DeliveryAction.ROLLBACK, one)
    if not possible:
        raise Conflict(
            f"{every[0].environment.name} has no other good release of any service",
            code="no-good-one",
        )
    return [rollback(db, who, one, why=why) for one in possible]


def _target(db: Connection, what: Asked, lane: Sequence[Promotion], version: str) -> Release:
    good = history.good(lane)
    known = releases.some(db, good)
    at = history.running(lane) or history.current(lane)
    if version:
        wanted = version.removeprefix("v")
        found = next((known[one] for one in good if known[one].version == wanted), None)
        if found is None:
            told = ", ".join(known[one].version for one in good[:10]) or "none"
            raise Conflict(
                f"{what.service.name} {version} was never good in {what.environment.name}",
                code="never-good",
                remedy=f"these were: {told}",
            )
        if at is not None and at.release == found.id and at.state is PromotionState.PASSED:
            raise Conflict(f"{version} runs there already", code="runs-already")
        return found
    last = history.last_good(lane)
    if last is None or last not in known:
        raise Conflict(
            f"{what.environment.name} has no other good release of {what.service.name}",
            code="no-good-one",
            remedy=f"`fairway get deployments --env {what.environment.name}`",
        )
    return known[last]
