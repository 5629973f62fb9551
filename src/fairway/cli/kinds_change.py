"""Change requests as `get` lists them."""

from __future__ import annotations

from typing import Final

from fairway.cli.kind import Kind
from fairway.cli.text import age, short
from fairway.client.wire.change import Change

CHANGES: Final = Kind(
    name="change-requests",
    one="change-request",
    path="/repos/{repo}/changes",
    item=Change,
    aliases=("change-request", "cr", "crs"),
    repository="needed",
    events=("change-request-changed", "build-finished"),
    label=lambda one: f"{one.repository}#{one.number}",
    columns={
        "NUMBER": lambda one: f"#{one.number}",
        "STATE": lambda one: one.state,
        "CHECK": lambda one: one.check if one.state == "open" else "",
        "TITLE": lambda one: one.title[:48],
        "FROM": lambda one: one.source,
        "TO": lambda one: one.target,
        "AUTHOR": lambda one: one.author,
        "BUILD": lambda one: f"#{one.build}" if one.build else "",
        "AGE": lambda one: age(one.created),
    },
    wide={
        "HEAD": lambda one: short(one.head),
        "MERGED": lambda one: short(one.merged),
        "WHY": lambda one: one.reason,
        "CONFLICTS": lambda one: ",".join(one.conflicts),
    },
)
