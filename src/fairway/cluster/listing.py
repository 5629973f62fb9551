"""From what is known of clusters to the list that is shown; the errors about their names. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from fairway.cluster.known import Health, Kind, Known, Own, State
from fairway.cluster.registered import Registered
from fairway.model.errors import Conflict, NotFound, Unavailable


def unique(found: Sequence[Registered], former: Sequence[Registered]) -> list[Registered]:
    """The first of each name. One that has not changed stays the same object."""
    known = {one.name: one for one in former}
    kept: dict[str, Registered] = {}
    for one in found:
        last = known.get(one.name)
        same = last is not None and last.target == one.target and last.secret == one.secret
        if same and last is not None and one.target is not None:
            one = replace(one, target=last.target)  # noqa: PLW2901 the same with its former target
        kept.setdefault(one.name, one)
    return list(kept.values())


def of_own(one: Own, *, home: bool) -> Known:
    """One of the installation's own, before a look at it."""
    broken = one.kind is Kind.EXISTING and one.target is None
    state = State.UNUSABLE if broken else State.STARTING
    return Known(
        name=one.name,
        kind=one.kind,
        home=home,
        server=one.target.server if one.target else "",
        health=Health(state=state, reason=one.reason),
    )


def of_registered(one: Registered) -> Known:
    """One of a Secret, before a look at it."""
    state = State.UNUSABLE if one.problem else State.STARTING
    reason = str(one.problem) if one.problem else ""
    return Known(
        name=one.name,
        kind=Kind.REGISTERED,
        server=one.server,
        health=Health(state=state, reason=reason),
        registered=one,
    )


def unknown(name: str) -> NotFound:
    """The error for a name that no cluster has."""
    return NotFound(
        f"there is no cluster {name[:80]!r}",
        code="no-cluster",
        remedy="`fairway get clusters` lists them",
    )


def homeless() -> Unavailable:
    """The error where there is no home cluster."""
    return Unavailable(
        "there is no cluster here, and so none in which others could be registered",
        code="no-home-cluster",
        remedy="`fairway doctor` says why none runs; `fairway up --kubeconfig FILE` uses another",
    )


def taken(name: str) -> Conflict:
    """The error for a name that a cluster has already."""
    return Conflict(
        f"there is a cluster {name} already",
        code="cluster-exists",
        remedy="give it another name, or --replace a registered one",
    )
