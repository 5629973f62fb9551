"""Audit entries: appended in the transaction of the change, never changed."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select

from fairway.kit import clock
from fairway.model.audit import AuditEntry
from fairway.model.errors import Forbidden
from fairway.model.scope import Scope
from fairway.store.schema import audit


def append(
    db: Connection,
    actor: str,
    action: str,
    subject: str,
    *,
    before: Any = None,
    after: Any = None,
) -> None:
    """Write an entry. `before` and `after` are plain data or structs, without secrets."""
    db.execute(
        insert(audit).values(
            at=clock.now(),
            actor=actor,
            action=action,
            subject=subject,
            before=msgspec.to_builtins(before),
            after=msgspec.to_builtins(after),
        )
    )


def listing(
    db: Connection, scope: Scope, *, subject: str = "", before: int | None = None, limit: int = 100
) -> list[AuditEntry]:
    """Entries, newest first, of one subject or of all. Raises `Forbidden` for who is no admin."""
    if not scope.unbounded:
        raise Forbidden("the audit is for admins", remedy="ask an admin of this Fairway")
    query = select(audit).order_by(audit.c.id.desc()).limit(limit)
    if subject:
        query = query.where(audit.c.subject == subject)
    if before is not None:
        query = query.where(audit.c.id < before)
    return [AuditEntry(**row) for row in db.execute(query).mappings()]
