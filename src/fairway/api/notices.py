"""Channels, the rules that lead to them, and what was said. For admins."""

from __future__ import annotations

from typing import TypeVar

from litestar import delete, get, post, put
from litestar.params import JSONBody

from fairway.access.authorise import require_admin
from fairway.api import cursors, shown
from fairway.api.services import Cursor, Limit, Svc, Who, Word, here
from fairway.client.wire import notify as wire
from fairway.client.wire.common import Done, Page
from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput
from fairway.model.notice import Channel, ChannelKind, Message, Rule, Topic
from fairway.notify import keeping
from fairway.store import channels, messages

E = TypeVar("E", ChannelKind, Topic)


@get("/channels", summary="List channels")
async def list_channels(*, services: Svc, who: Who) -> Page[wire.Channel]:
    """Where notices go."""
    require_admin(who)
    return Page(items=[_channel(one) for one in await services.database.read(channels.listing)])


@put("/channels/{channel:str}", summary="Make or change a channel")
async def put_channel(
    *, services: Svc, who: Who, channel: Word, data: JSONBody[wire.ChannelSet]
) -> wire.Channel:
    """A Slack channel with a bot's token, or a webhook with the key that signs."""
    require_admin(who)
    wanted = Channel(
        id=0,
        name=channel,
        kind=_known(ChannelKind, data.kind, "body.kind"),
        address=data.address,
        api=data.api.rstrip("/"),
        progress=data.progress,
    )
    made = await services.database.write(
        keeping.put,
        who.login,
        wanted,
        secret=Secret(data.secret) if data.secret else None,
        sealer=here(services.keyring, "channels"),
    )
    return _channel(made)


@delete("/channels/{channel:str}", summary="Remove a channel")
async def delete_channel(*, services: Svc, who: Who, channel: Word) -> None:
    """With its rules, and our notes of what was said there."""
    require_admin(who)
    await services.database.write(keeping.remove, who.login, channel)


@post("/channels/{channel:str}/test", summary="Say something in a channel", status_code=202)
async def test_channel(*, services: Svc, who: Who, channel: Word) -> Done:
    """A message of its own; `GET /notices` says whether it arrived."""
    require_admin(who)
    await services.database.write(keeping.greet, who.login, channel)
    return Done()


@get("/rules", summary="List notification rules")
async def list_rules(*, services: Svc, who: Who) -> Page[wire.Rule]:
    """Who hears of what."""
    require_admin(who)
    return Page(items=[_rule(one) for one in await services.database.read(channels.rules)])


@put("/rules/{rule:str}", summary="Make or change a notification rule")
async def put_rule(
    *, services: Svc, who: Who, rule: Word, data: JSONBody[wire.RuleSet]
) -> wire.Rule:
    """Empty lists are all. `transitions`: only where the outcome differs from the last one."""
    require_admin(who)
    wanted = Rule(
        id=0,
        name=rule,
        channel=data.channel,
        topics=tuple(_known(Topic, one, "body.topics") for one in data.topics),
        repositories=tuple(data.repositories),
        environments=tuple(data.environments),
        transitions=data.transitions,
    )
    return _rule(await services.database.write(keeping.put_rule, who.login, wanted))


@delete("/rules/{rule:str}", summary="Remove a notification rule")
async def delete_rule(*, services: Svc, who: Who, rule: Word) -> None:
    """What was said stays."""
    require_admin(who)
    await services.database.write(keeping.remove_rule, who.login, rule)


@get("/notices", summary="List what was said, and what waits to be")
async def list_notices(
    *, services: Svc, who: Who, limit: Limit = 50, cursor: Cursor = ""
) -> Page[wire.Notice]:
    """The newest first."""
    require_admin(who)
    before = cursors.decode_int(cursor)
    found = await services.database.read(messages.listing, before=before, limit=limit)
    known = {one.id: one.name for one in await services.database.read(channels.listing)}
    items = [_notice(one, known.get(one.channel, "")) for one in found]
    return cursors.page(items, limit, found[-1].id if found else None)


def _known(kind: type[E], word: str, where: str) -> E:
    try:
        return kind(word)
    except ValueError:
        raise InvalidInput(
            f"{word[:40]!r} is not known here",
            code="bad-notice-word",
            where=where,
            remedy="one of: " + ", ".join(kind),
        ) from None


def _channel(found: Channel) -> wire.Channel:
    return wire.Channel(
        name=found.name,
        kind=str(found.kind),
        address=found.address,
        api=found.api,
        progress=found.progress,
        created=shown.time(found.created),
    )


def _rule(found: Rule) -> wire.Rule:
    return wire.Rule(
        name=found.name,
        channel=found.channel,
        topics=[str(one) for one in found.topics],
        repositories=list(found.repositories),
        environments=list(found.environments),
        transitions=found.transitions,
        created=shown.time(found.created),
    )


def _notice(found: Message, channel: str) -> wire.Notice:
    waits = found.sent < found.wanted or found.told < len(found.details)
    state = "silent" if found.silent else "held" if found.held else "waits" if waits else "said"
    return wire.Notice(
        id=found.id,
        channel=channel,
        key=found.key,
        title=found.content.title,
        lines=list(found.content.lines),
        outcome=str(found.content.outcome),
        state=state,
        error=found.error,
        created=shown.time(found.created),
    )


ROUTES = [
    list_channels,
    put_channel,
    delete_channel,
    test_channel,
    list_rules,
    put_rule,
    delete_rule,
    list_notices,
]
