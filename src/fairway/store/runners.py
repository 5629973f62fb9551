"""Runners as they were last seen. Writing belongs to `pipeline`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from fairway.kit import clock
from fairway.model.runner import RunnerFacts
from fairway.store.rows import each, to
from fairway.store.schema import runner


def seen(db: Connection, name: str, values: dict[str, Any]) -> None:
    """A runner asked for work: remember what it says of itself."""
    now = clock.now()
    dialect: Any = sqlite if db.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(runner).values(name=name, seen=now, created=now, **values)
    db.execute(
        statement.on_conflict_do_update(index_elements=["name"], set_={**values, "seen": now})
    )


def alive(db: Connection, name: str, *, within_ms: int) -> None:
    """A runner that holds work was heard. Written only when it is news."""
    now = clock.now()
    stale = (runner.c.name == name) & (runner.c.seen < now - within_ms)
    db.execute(update(runner).where(stale).values(seen=now))


def find(db: Connection, name: str) -> RunnerFacts | None:
    """One runner by name."""
    row = db.execute(select(runner).where(runner.c.name == name)).first()
    return to(row, RunnerFacts) if row else None


def listing(db: Connection) -> list[RunnerFacts]:
    """All runners by name."""
    return each(db.execute(select(runner).order_by(runner.c.name)), RunnerFacts)


def pause(db: Connection, name: str, *, paused: bool) -> bool:
    """Let a runner take no more work, or let it. Returns whether there is one of that name."""
    done = db.execute(update(runner).where(runner.c.name == name).values(paused=paused))
    return bool(done.rowcount)


def forget(db: Connection, name: str) -> bool:
    """Remove a runner's row. Returns whether there was one."""
    return bool(db.execute(delete(runner).where(runner.c.name == name)).rowcount)
