"""Channels and the rules that lead to them. Writing belongs to `notify`."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from fairway.kit import clock
from fairway.model.notice import Channel, ChannelKind, Rule, Topic
from fairway.store.schema import channel, notice_rule

_RULES: Final = select(notice_rule, channel.c.name.label("channel_name")).join(
    channel, channel.c.id == notice_rule.c.channel
)


def put(db: Connection, what: Channel) -> Channel:
    """Write a channel, in place of the one of that name. Its id is the store's."""
    values = msgspec.structs.asdict(what)
    del values["id"], values["created"]
    values["kind"] = str(what.kind)
    found = by_name(db, what.name)
    if found is None:
        db.execute(insert(channel).values(**values, created=clock.now()))
    else:
        db.execute(update(channel).where(channel.c.id == found.id).values(values))
    made = by_name(db, what.name)
    assert made is not None  # noqa: S101 written above
    return made


def by_name(db: Connection, name: str) -> Channel | None:
    """The channel of that name."""
    row = db.execute(select(channel).where(channel.c.name == name)).mappings().first()
    return _channel(row) if row else None


def by_id(db: Connection, number: int) -> Channel | None:
    """The channel of that id."""
    row = db.execute(select(channel).where(channel.c.id == number)).mappings().first()
    return _channel(row) if row else None


def listing(db: Connection) -> list[Channel]:
    """All, by name."""
    query = select(channel).order_by(channel.c.name)
    return [_channel(row) for row in db.execute(query).mappings()]


def remove(db: Connection, number: int) -> None:
    """With its rules and what was said there."""
    db.execute(delete(channel).where(channel.c.id == number))


def put_rule(db: Connection, what: Rule, channel_id: int) -> Rule:
    """Write a rule, in place of the one of that name."""
    values: dict[str, Any] = {
        "name": what.name,
        "channel": channel_id,
        "topics": [str(topic) for topic in what.topics],
        "repositories": list(what.repositories),
        "environments": list(what.environments),
        "transitions": what.transitions,
    }
    db.execute(delete(notice_rule).where(notice_rule.c.name == what.name))
    db.execute(insert(notice_rule).values(**values, created=clock.now()))
    return next(one for one in rules(db) if one.name == what.name)


def rules(db: Connection) -> list[Rule]:
    """All, by name."""
    rows = db.execute(_RULES.order_by(notice_rule.c.name)).mappings()
    return [
        Rule(
            id=row["id"],
            name=row["name"],
            channel=row["channel_name"],
            topics=tuple(Topic(one) for one in row["topics"]),
            repositories=tuple(row["repositories"]),
            environments=tuple(row["environments"]),
            transitions=row["transitions"],
            created=row["created"],
        )
        for row in rows
    ]


def remove_rule(db: Connection, name: str) -> bool:
    """Returns whether there was one."""
    return bool(db.execute(delete(notice_rule).where(notice_rule.c.name == name)).rowcount)


def _channel(row: RowMapping) -> Channel:
    return Channel(**{**row, "kind": ChannelKind(row["kind"])})
