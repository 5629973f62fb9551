"""Kinds of notices."""

from __future__ import annotations

from typing import Final

from fairway.cli.kind import Kind
from fairway.cli.text import age
from fairway.client.wire.notify import Channel, Notice, Rule

CHANNELS: Final = Kind(
    name="channels",
    one="channel",
    path="/channels",
    item=Channel,
    aliases=("channel",),
    label=lambda one: one.name,
    columns={
        "NAME": lambda one: one.name,
        "KIND": lambda one: one.kind,
        "ADDRESS": lambda one: one.address,
        "AGE": lambda one: age(one.created),
    },
)

RULES: Final = Kind(
    name="rules",
    one="rule",
    path="/rules",
    item=Rule,
    aliases=("rule",),
    label=lambda one: one.name,
    columns={
        "NAME": lambda one: one.name,
        "CHANNEL": lambda one: one.channel,
        "TOPICS": lambda one: ", ".join(one.topics) or "all",
        "WHERE": lambda one: ", ".join((*one.repositories, *one.environments)) or "everywhere",
        "WHEN": lambda one: "outcome changes" if one.transitions else "always",
    },
)

NOTICES: Final = Kind(
    name="notices",
    one="notice",
    path="/notices",
    item=Notice,
    aliases=("notice",),
    label=lambda one: str(one.id),
    columns={
        "CHANNEL": lambda one: one.channel,
        "TITLE": lambda one: one.title,
        "STATE": lambda one: one.state,
        "AGE": lambda one: age(one.created),
    },
    wide={"KEY": lambda one: one.key, "ERROR": lambda one: one.error},
)
