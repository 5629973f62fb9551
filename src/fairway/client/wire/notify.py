"""Channels, rules and messages."""

from __future__ import annotations

from msgspec import Struct, field

from fairway.client.wire.common import Request


class Channel(Struct, kw_only=True):
    """Where notices go; its token or key is never shown."""

    name: str
    kind: str
    address: str
    api: str = ""
    progress: bool = False
    created: str = ""


class ChannelSet(Request):
    """A channel as it shall be. `secret` "" keeps the one it has."""

    kind: str
    address: str
    secret: str = ""
    api: str = ""
    progress: bool = False


class Rule(Struct, kw_only=True):
    """Who hears of what."""

    name: str
    channel: str
    topics: list[str] = field(default_factory=list)
    repositories: list[str] = field(default_factory=list)
    environments: list[str] = field(default_factory=list)
    transitions: bool = False
    created: str = ""


class RuleSet(Request):
    """A rule as it shall be; an empty list is all."""

    channel: str
    topics: list[str] = field(default_factory=list)
    repositories: list[str] = field(default_factory=list)
    environments: list[str] = field(default_factory=list)
    transitions: bool = False


class Notice(Struct, kw_only=True):
    """One message: what it says, and whether it has been said."""

    id: int
    channel: str
    key: str
    title: str
    lines: list[str] = field(default_factory=list)
    outcome: str = ""
    state: str = ""  # said | waits | held | silent
    error: str = ""
    created: str = ""
