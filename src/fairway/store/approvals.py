"""People's words on releases. Writing belongs to `release`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from fairway.kit import clock
from fairway.model.release import Approval
from fairway.store.registry import dialect
from fairway.store.rows import each
from fairway.store.schema import approval, user


def say(db: Connection, what: Approval) -> None:
    """A person's word on a release; a later one takes its place."""
    values: dict[str, Any] = msgspec.to_builtins(what)
    del values["id"]
    values["at"] = clock.now()
    statement = dialect(db).insert(approval).values(values)
    said = {name: values[name] for name in ("verdict", "comment", "at")}
    unique = ["release", "environment", "kind", "login"]
    db.execute(statement.on_conflict_do_update(index_elements=unique, set_=said))


def of(db: Connection, releases: Sequence[int], environment: str = "") -> list[Approval]:
    """On these releases, eldest first; in one environment, or in all."""
    query = select(approval).where(approval.c.release.in_(list(releases)))
    if environment:
        query = query.where(approval.c.environment == environment)
    return each(db.execute(query.order_by(approval.c.at, approval.c.id)), Approval)


def logins(db: Connection, emails: Collection[str]) -> dict[str, str]:
    """Which users have these addresses: address (in small letters) -> login."""
    wanted = sorted({one.lower() for one in emails if one})
    query = select(user.c.email, user.c.login).where(func.lower(user.c.email).in_(wanted))
    return {row.email.lower(): row.login for row in db.execute(query.order_by(user.c.id.desc()))}
