"""People's words on releases. Writing belongs to `release`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from fairway.kit import clock
from fairway.model.release import Approval
from fairway.store.registry import dialect
from fairway.store.rows import each
from fairway.store.schema import approval


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
