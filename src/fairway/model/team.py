"""A team: people who hold rights together, and of whom an approval may be asked."""

from __future__ import annotations

from msgspec import Struct


class Team(Struct, frozen=True, kw_only=True):
    """A team and the logins of its members, sorted."""

    id: int
    name: str
    members: tuple[str, ...] = ()
    created: int = 0
