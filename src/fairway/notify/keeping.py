"""Channels and rules as admins keep them: checked, sealed, audited."""

from __future__ import annotations

from typing import Protocol
from urllib.parse import urlsplit

from msgspec.structs import replace
from sqlalchemy import Connection

from fairway.kit import clock
from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput, NotFound
from fairway.model.name import check_name
from fairway.model.notice import Channel, ChannelKind, Content, Message, Outcome, Rule
from fairway.store import audit, channels, messages
from fairway.store.sealed import channel_place


class Sealer(Protocol):
    """The keyring: seals for one place, opens only there."""

    def seal(self, value: Secret | bytes, *, place: str) -> bytes:
        """Seal with the current key."""
        ...

    def open(self, sealed: bytes, *, place: str) -> Secret:
        """The value. Raises `Unavailable`."""
        ...


def opened(sealer: Sealer, channel: Channel) -> Secret:
    """A channel's token or key. Raises `Unavailable` where the keyring has lost its key."""
    return sealer.open(channel.sealed, place=channel_place(channel.name))


def put(
    db: Connection, actor: str, channel: Channel, *, secret: Secret | None, sealer: Sealer
) -> Channel:
    """Write a channel; without `secret` it keeps the one it has. Raises `InvalidInput`."""
    check_name(channel.name, "a channel")
    _check_address(channel)
    before = channels.by_name(db, channel.name)
    if secret is None and before is None:
        raise InvalidInput(
            f"the channel {channel.name} needs a "
            + ("bot's token" if channel.kind is ChannelKind.SLACK else "key to sign with"),
            code="no-channel-secret",
            where="body.secret",
            remedy="`--secret-file FILE` gives it",
        )
    sealed = before.sealed if before else b""
    if secret is not None:
        sealed = sealer.seal(secret, place=channel_place(channel.name))
    made = channels.put(db, replace(channel, sealed=sealed))
    audit.append(db, actor, "channel.put", f"channel/{made.name}", after=_told(made))
    return made


def _check_address(channel: Channel) -> None:
    web = channel.kind is ChannelKind.WEBHOOK
    url = urlsplit(channel.address if web else channel.api or "https://slack.com")
    if url.scheme not in ("http", "https") or not url.hostname or url.username:
        raise InvalidInput(
            f"{channel.address if web else channel.api!r} is no address of a web server",
            code="bad-channel-address",
            where="body.address" if web else "body.api",
            remedy="write https://HOST/PATH",
        )
    if not web and not channel.address.strip("# "):
        raise InvalidInput(
            "a Slack channel needs its id or name",
            code="bad-channel-address",
            where="body.address",
            remedy="write C0123456789, or #name",
        )


def greet(db: Connection, login: str, name: str) -> None:
    """Say something in a channel, to see that it arrives. Raises `NotFound` (code `no-channel`)."""
    found = named(db, name)
    content = Content(
        title=f"Fairway speaks here: {login} asked it to",
        lines=(f"the channel {name} works",),
        outcome=Outcome.SUCCESS,
    )
    key = f"test/{name}/{clock.now()}"
    messages.add(db, Message(id=0, channel=found.id, key=key, stream="test", content=content))


def remove(db: Connection, actor: str, name: str) -> None:
    """With its rules. Raises `NotFound` (code `no-channel`)."""
    channels.remove(db, named(db, name).id)
    audit.append(db, actor, "channel.delete", f"channel/{name}")


def put_rule(db: Connection, actor: str, rule: Rule) -> Rule:
    """Write a rule. Raises `InvalidInput`, `NotFound` (code `no-channel`)."""
    check_name(rule.name, "a rule")
    made = channels.put_rule(db, rule, named(db, rule.channel).id)
    audit.append(db, actor, "rule.put", f"rule/{rule.name}", after=made)
    return made


def remove_rule(db: Connection, actor: str, name: str) -> None:
    """Raises `NotFound` (code `no-rule`)."""
    if not channels.remove_rule(db, name):
        raise NotFound(
            f"there is no rule {name[:100]!r}", code="no-rule", remedy="`fairway notify rule ls`"
        )
    audit.append(db, actor, "rule.delete", f"rule/{name}")


def named(db: Connection, name: str) -> Channel:
    """Raises `NotFound` (code `no-channel`)."""
    found = channels.by_name(db, name)
    if found is None:
        raise NotFound(
            f"there is no channel {name[:100]!r}",
            code="no-channel",
            remedy="`fairway notify channel add` makes one",
        )
    return found


def _told(channel: Channel) -> dict[str, object]:
    """A channel without what is sealed."""
    return {"kind": str(channel.kind), "address": channel.address, "progress": channel.progress}
