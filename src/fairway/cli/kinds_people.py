"""Teams, rights and roles as `get` lists them."""

from __future__ import annotations

from typing import Final

from fairway.cli.kind import Kind
from fairway.cli.text import age
from fairway.client.wire.who import Grant, Right, Team

TEAMS: Final = Kind(
    name="teams",
    one="team",
    path="/teams",
    item=Team,
    aliases=("team",),
    label=lambda one: one.name,
    columns={
        "NAME": lambda one: one.name,
        "MEMBERS": lambda one: ", ".join(one.members),
        "AGE": lambda one: age(one.created),
    },
)

RIGHTS: Final = Kind(
    name="rights",
    one="right",
    path="/rights",
    item=Right,
    aliases=("right",),
    label=lambda one: f"{one.holder} {one.action}",
    columns={
        "HOLDER": lambda one: one.holder,
        "ACTION": lambda one: one.action,
        "DELIVERY": lambda one: one.delivery,
        "ENVIRONMENT": lambda one: one.environment or "every one",
    },
)

GRANTS: Final = Kind(
    name="roles",
    one="role",
    path="",
    item=Grant,
    label=lambda one: one.login,
    columns={"USER": lambda one: one.login, "ROLE": lambda one: one.role},
)
