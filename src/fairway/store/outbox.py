"""The outbox: events, and for each handler the events that it has still to take.

`append` belongs into the transaction of the change it reports. Delivery is at least once, and in
order for each (handler, subject); after `TRIES` failures an event is parked for that handler,
visible and replayable, and later ones of its subject go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, and_, bindparam, delete, exists, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from fairway.kit import clock
from fairway.model.events import BY_KIND, Event
from fairway.store.database import ANNOUNCED
from fairway.store.schema import delivery, event

TRIES: Final = 10
_FIRST_RETRY_MS: Final = 500
_LONGEST_RETRY_MS: Final = 60_000

_handlers: dict[str, tuple[str, ...]] = {}


class Pending(msgspec.Struct, frozen=True):
    """An event that a handler has still to take."""

    id: int
    event_id: int
    handler: str
    event: Event
    tries: int


def subscribe(handlers: Iterable[tuple[str, Sequence[str]]]) -> None:
    """Say once, at start-up, which handler takes which kinds (from `story.py`)."""
    _handlers.clear()
    for name, kinds in handlers:
        for kind in kinds:
            _handlers[kind] = (*_handlers.get(kind, ()), name)


_APPEND_SQLITE: Final = (
    sqlite.insert(event).on_conflict_do_nothing(index_elements=["key"]).returning(event.c.id)
)
_APPEND_POSTGRESQL: Final = (
    postgresql.insert(event).on_conflict_do_nothing(index_elements=["key"]).returning(event.c.id)
)


def append(db: Connection, what: Event, *, key: str | None = None) -> int | None:
    """Write an event. With `key`, a second one of that key changes nothing and returns None."""
    values = {
        "type": what.kind,
        "subject": what.subject,
        "key": key,
        "payload": msgspec.to_builtins(what),
        "at": clock.now(),
    }
    statement = _APPEND_SQLITE if db.dialect.name == "sqlite" else _APPEND_POSTGRESQL
    row = db.execute(statement, values).first()
    if row is None:
        return None
    number: int = row[0]
    db.info[ANNOUNCED] = True
    due = clock.now()
    for handler in _handlers.get(what.kind, ()):
        db.execute(
            insert(delivery).values(
                handler=handler, subject=what.subject, event=number, due=due, tries=0
            )
        )
    return number


_earlier = delivery.alias("earlier")
_MINE: Final = delivery.c.handler.in_(bindparam("handlers", expanding=True))
_DUE: Final = (
    select(delivery, event.c.type, event.c.payload)
    .join(event, event.c.id == delivery.c.event)
    .where(_MINE, delivery.c.parked.is_(False), delivery.c.due <= bindparam("now"))
    .where(
        ~exists().where(
            and_(
                _earlier.c.handler == delivery.c.handler,
                _earlier.c.subject == delivery.c.subject,
                _earlier.c.event < delivery.c.event,
                _earlier.c.parked.is_(False),
            )
        )
    )
    .order_by(delivery.c.event)
    .limit(bindparam("most"))
)
_NEXT: Final = select(func.min(delivery.c.due)).where(_MINE, delivery.c.parked.is_(False))


def due(db: Connection, handlers: Sequence[str], *, limit: int = 100) -> list[Pending]:
    """What may be handed out now: the eldest of each (handler, subject) that is due."""
    asked = {"handlers": list(handlers), "now": clock.now(), "most": limit}
    return [
        Pending(
            id=row.id,
            event_id=row.event,
            handler=row.handler,
            event=read(row.type, row.payload),
            tries=row.tries,
        )
        for row in db.execute(_DUE, asked)
    ]


def next_due(db: Connection, handlers: Sequence[str]) -> int | None:
    """When the next delivery may be tried, or None when there is none."""
    at: int | None = db.execute(_NEXT, {"handlers": list(handlers)}).scalar()
    return at


def taken(db: Connection, pending: Pending) -> None:
    """The handler did its work."""
    db.execute(delete(delivery).where(delivery.c.id == pending.id))


def failed(db: Connection, pending: Pending, error: str) -> bool:
    """The handler raised: try later, or park. Returns whether it is parked now."""
    tries = pending.tries + 1
    wait = min(_FIRST_RETRY_MS * 2**pending.tries, _LONGEST_RETRY_MS)
    parked = tries >= TRIES
    db.execute(
        update(delivery)
        .where(delivery.c.id == pending.id)
        .values(tries=tries, due=clock.now() + wait, parked=parked, error=error[:2000])
    )
    return parked


def parked(db: Connection) -> list[dict[str, Any]]:
    """Every parked delivery with its event, eldest first."""
    query = (
        select(delivery, event.c.type, event.c.payload, event.c.at)
        .join(event, event.c.id == delivery.c.event)
        .where(delivery.c.parked.is_(True))
        .order_by(delivery.c.id)
    )
    return [dict(row._mapping) for row in db.execute(query)]  # noqa: SLF001 SQLAlchemy's own way


def replay(db: Connection, delivery_id: int) -> bool:
    """Hand a parked event out again. Returns whether there was one of that id."""
    done = db.execute(
        update(delivery)
        .where(delivery.c.id == delivery_id, delivery.c.parked.is_(True))
        .values(parked=False, tries=0, due=clock.now())
    )
    return bool(done.rowcount == 1)


def since(db: Connection, after: int, *, limit: int = 500) -> list[tuple[int, int, Event]]:
    """Events with an id above `after`, as (id, time, event): for streams."""
    query = select(event).where(event.c.id > after).order_by(event.c.id).limit(limit)
    return [(row.id, row.at, read(row.type, row.payload)) for row in db.execute(query)]


def last(db: Connection) -> int:
    """The newest event's id, 0 when there is none."""
    return db.execute(select(func.max(event.c.id))).scalar() or 0


def forget(db: Connection, before: int) -> int:
    """Delete events older than `before` that nobody waits for. Returns how many."""
    waited = exists().where(delivery.c.event == event.c.id)
    done = db.execute(delete(event).where(event.c.at < before, ~waited))
    return int(done.rowcount)


def read(kind: str, payload: Any) -> Event:
    """An event from its stored form."""
    return msgspec.convert(payload, BY_KIND[kind])


def before(db: Connection, at: int | None, *, limit: int = 500) -> list[tuple[int, int, Event]]:
    """Events with an id below `at` (None: the newest), newest first, as (id, time, event)."""
    query = select(event).order_by(event.c.id.desc()).limit(limit)
    if at is not None:
        query = query.where(event.c.id < at)
    return [(row.id, row.at, read(row.type, row.payload)) for row in db.execute(query)]
