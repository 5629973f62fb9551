"""Messages: what channels shall be told, and what they have been. Writing belongs to `notify`.

One task writes down what shall be said while another notes what has been: whoever writes what
follows from what it has read locks the row before, or the newer of the two would be lost.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, insert, select, update

from fairway.kit import clock
from fairway.model.notice import Content, Detail, Message, Outcome
from fairway.store.schema import message


def find(db: Connection, channel: int, key: str) -> Message | None:
    """The message of that key in a channel, locked for who changes it."""
    query = select(message).where(message.c.channel == channel, message.c.key == key)
    query = query.with_for_update()
    row = db.execute(query).mappings().first()
    return _message(row) if row else None


def deployment(db: Connection, channel: int, application: str) -> Message | None:
    """The newest deployment by this Application, on its way or ended; locked as by `find`."""
    query = (
        select(message)
        .where(message.c.channel == channel, message.c.application == application)
        .order_by(message.c.id.desc())
        .limit(1)
        .with_for_update()
    )
    row = db.execute(query).mappings().first()
    return _message(row) if row else None


def last_outcome(db: Connection, channel: int, stream: str, *, but: str) -> str:
    """What came of the newest ended message of a stream, besides the one of key `but`."""
    query = (
        select(message.c.outcome)
        .where(message.c.channel == channel, message.c.stream == stream, message.c.key != but)
        .where(message.c.outcome != str(Outcome.OPEN))
        .order_by(message.c.id.desc())
        .limit(1)
    )
    return db.execute(query).scalar() or ""


def add(db: Connection, what: Message) -> None:
    """Write a new one, to be said at once unless it is silent or held."""
    values = _values(what) | {
        "channel": what.channel,
        "key": what.key,
        "stream": what.stream,
        "created": clock.now(),
    }
    db.execute(insert(message).values(values))


def want(db: Connection, what: Message) -> None:
    """Write what it shall say from now on."""
    db.execute(update(message).where(message.c.id == what.id).values(_values(what)))


def note(db: Connection, number: int, /, **values: Any) -> None:
    """Write how far the saying has come (columns of the table)."""
    db.execute(update(message).where(message.c.id == number).values(values))


def said(db: Connection, number: int, *, sent: int, told: int) -> None:
    """So much of it has arrived. What was wanted since then stays to be said."""
    query = select(message).where(message.c.id == number).with_for_update()
    row = db.execute(query).mappings().one()
    pending = row["wanted"] > sent or len(row["details"]) > told
    values = {"sent": sent, "told": told, "pending": pending, "tries": 0, "error": ""}
    db.execute(update(message).where(message.c.id == number).values(values))


def due(db: Connection, now: int, *, limit: int = 50) -> list[Message]:
    """What waits to be said now, eldest first."""
    query = (
        select(message)
        .where(message.c.pending.is_(True), message.c.due <= now)
        .order_by(message.c.id)
        .limit(limit)
    )
    return [_message(row) for row in db.execute(query).mappings()]


def next_due(db: Connection) -> int | None:
    """When the next may be tried, or None."""
    query = select(message.c.due).where(message.c.pending.is_(True))
    return db.execute(query.order_by(message.c.due).limit(1)).scalar()


def listing(db: Connection, *, before: int | None = None, limit: int = 50) -> list[Message]:
    """The newest first."""
    query = select(message).order_by(message.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(message.c.id < before)
    return [_message(row) for row in db.execute(query).mappings()]


def _values(what: Message) -> dict[str, Any]:
    quiet = what.silent or what.held
    return {
        "content": msgspec.to_builtins(what.content),
        "details": msgspec.to_builtins(what.details),
        "application": what.application,
        "progress": what.progress,
        "silent": what.silent,
        "held": what.held,
        "outcome": str(what.content.outcome),
        "wanted": what.wanted,
        "due": what.due,
        "pending": not quiet and (what.wanted > what.sent or len(what.details) > what.told),
    }


def _message(row: RowMapping) -> Message:
    values = {name: row[name] for name in Message.__struct_fields__}
    values["content"] = msgspec.convert(row["content"], Content)
    values["details"] = msgspec.convert(row["details"], tuple[Detail, ...])
    return Message(**values)
