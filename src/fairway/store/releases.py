"""Releases, and the names in the registry that are delivery's own. Writing belongs to `release`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from fairway.kit import clock
from fairway.model.release import Release, ReleaseState
from fairway.model.scope import Scope
from fairway.store import roles
from fairway.store.alone import alone
from fairway.store.rows import each, to
from fairway.store.schema import delivery_spec, release, repository, reserved_name


def add(db: Connection, what: Release) -> int | None:
    """Write a new release; None when one of its version, or of its build and digest, is there."""
    same = select(release.c.id).where(
        release.c.delivery == what.delivery,
        release.c.service == what.service,
        (release.c.version == what.version)
        | ((release.c.build == what.build) & (release.c.digest == what.digest)),
    )
    if db.execute(same).first() is not None:
        return None
    values: dict[str, Any] = msgspec.to_builtins(what)
    del values["id"]
    values["created"] = clock.now()
    key = db.execute(insert(release).values(values)).inserted_primary_key
    return int(key[0]) if key else None


def published(db: Connection, number: int, *, commit: str, chart: str, chart_digest: str) -> bool:
    """Its chart is there. Returns whether it was pending until now."""
    values = {
        "state": ReleaseState.PUBLISHED,
        "commit": commit,
        "chart": chart,
        "chart_digest": chart_digest,
        "published": clock.now(),
        "problem": "",
    }
    return _settle(db, number, values)


def failed(db: Connection, number: int, problem: str) -> bool:
    """It cannot be published. Returns whether it was pending until now."""
    return _settle(db, number, {"state": ReleaseState.FAILED, "problem": problem})


def _settle(db: Connection, number: int, values: Mapping[str, Any]) -> bool:
    waiting = (release.c.id == number) & (release.c.state == ReleaseState.PENDING)
    return bool(db.execute(update(release).where(waiting).values(values)).rowcount)


def note(db: Connection, number: int, problem: str) -> None:
    """Why it is still pending."""
    db.execute(update(release).where(release.c.id == number).values(problem=problem))


def pending(db: Connection) -> list[Release]:
    """What is to be published, eldest first."""
    query = select(release).where(release.c.state == ReleaseState.PENDING).order_by(release.c.id)
    return each(db.execute(query), Release)


def by_id(db: Connection, number: int) -> Release | None:
    """One release."""
    row = db.execute(select(release).where(release.c.id == number)).first()
    return None if row is None else to(row, Release)


def of_service(db: Connection, delivery: str, service: str, *, limit: int = 200) -> list[Release]:
    """Newest first."""
    query = (
        select(release)
        .where(release.c.delivery == delivery, release.c.service == service)
        .order_by(release.c.id.desc())
        .limit(limit)
    )
    return each(db.execute(query), Release)


def some(db: Connection, numbers: Collection[int]) -> dict[int, Release]:
    """Releases by id."""
    query = select(release).where(release.c.id.in_(sorted(set(numbers))))
    return {one.id: one for one in each(db.execute(query), Release)}


def versions(db: Connection, delivery: str, service: str) -> list[str]:
    """Every version that was ever given."""
    query = select(release.c.version).where(
        release.c.delivery == delivery, release.c.service == service
    )
    return list(db.execute(query).scalars())


def page(
    db: Connection,
    scope: Scope,
    *,
    delivery: str = "",
    service: str = "",
    before_id: int | None = None,
    limit: int = 50,
) -> list[Release]:
    """Releases of repositories that the scope may see, newest first."""
    query = (
        select(release)
        .join(repository, func.lower(repository.c.slug) == func.lower(release.c.repository))
        .where(roles.visible(scope))
        .order_by(release.c.id.desc())
        .limit(limit)
    )
    wanted = {release.c.delivery: delivery, release.c.service: service}
    query = query.where(*(column == text for column, text in wanted.items() if text))
    if before_id is not None:
        query = query.where(release.c.id < before_id)
    return each(db.execute(query), Release)


def visible_of(db: Connection, scope: Scope, ids: Collection[int]) -> set[int]:
    """Which of these releases (by id) are of a repository that the scope sees."""
    if not ids:
        return set()
    query = (
        select(release.c.id)
        .join(repository, func.lower(repository.c.slug) == func.lower(release.c.repository))
        .where(release.c.id.in_(ids), roles.visible(scope))
    )
    return set(db.execute(query).scalars())


# ---- deliveries and reserved names ---------------------------------------------------------------


def keep(db: Connection, specs: Mapping[str, Any]) -> None:
    """The Deliveries that there are, by name: for whoever answers questions about them."""
    alone(db, "deliveries")
    db.execute(delete(delivery_spec))
    for name, spec in specs.items():
        db.execute(insert(delivery_spec).values(name=name, spec=spec))


def deliveries(db: Connection) -> dict[str, Any]:
    """Every Delivery's spec by its name, as it was read last."""
    query = select(delivery_spec).order_by(delivery_spec.c.name)
    return {row.name: row.spec for row in db.execute(query)}


def reserve(db: Connection, delivery: str, homes: Mapping[str, str]) -> None:
    """A delivery's parts of the registry: first part of a name -> environment."""
    alone(db, "deliveries")
    db.execute(delete(reserved_name).where(reserved_name.c.delivery == delivery))
    taken = reserved(db, homes)
    for name, environment in homes.items():
        if name not in taken:
            values = {"name": name, "delivery": delivery, "environment": environment}
            db.execute(insert(reserved_name).values(values))


def free_others(db: Connection, deliveries: Iterable[str]) -> None:
    """Free the names of every delivery but these."""
    alone(db, "deliveries")
    db.execute(delete(reserved_name).where(reserved_name.c.delivery.not_in(list(deliveries))))


def reserved(db: Connection, names: Iterable[str]) -> set[str]:
    """Which of these are some delivery's own."""
    query = select(reserved_name.c.name).where(reserved_name.c.name.in_(list(names)))
    return set(db.execute(query).scalars())


def home_of(db: Connection, name: str) -> str:
    """The environment's part of the registry that a name lies in; "" for none."""
    parts = name.split("/")
    found = reserved(db, ["/".join(parts[:count]) for count in range(1, len(parts) + 1)])
    return max(found, key=len, default="")
