"""A role: what a user may do in an organisation or a repository. Each includes those before it."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct


class Role(StrEnum):
    """Ordered by `rank`."""

    READER = "reader"
    WRITER = "writer"
    MAINTAINER = "maintainer"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """0 is the least."""
        return _ORDER.index(self)

    def covers(self, other: Role) -> bool:
        """Whether whoever has this role may do what `other` may."""
        return self.rank >= other.rank


_ORDER: Final = (Role.READER, Role.WRITER, Role.MAINTAINER, Role.ADMIN)


def at_least(role: Role) -> list[str]:
    """The names of all roles that cover `role`."""
    return [str(each) for each in _ORDER if each.covers(role)]


def at_most(role: Role) -> list[Role]:
    """All roles that `role` covers, itself among them."""
    return [each for each in _ORDER if role.covers(each)]


class Grant(Struct, frozen=True, kw_only=True):
    """A user's role in one organisation (all its repositories), or in one repository."""

    id: int
    user: int
    login: str
    role: Role
    organisation: int | None = None
    repository: int | None = None
    created: int = 0
