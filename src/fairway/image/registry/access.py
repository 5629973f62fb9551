"""Who may do what in the registry: what this chapter asks of the rest of Fairway."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class Action(StrEnum):
    """What one does with a repository of the registry."""

    PULL = "pull"
    PUSH = "push"
    DELETE = "delete"


class Rights(Protocol):
    """What one asker may do, at this moment."""

    actor: str  # a login, or "" for nobody in particular
    anonymous: bool  # no identity was given: more may be possible with one

    async def may(self, name: str, action: Action) -> bool:
        """Whether the asker may do this with the repository of that name (which may not exist)."""

    async def may_tag(self, tag: str) -> bool:
        """Whether the asker, who may push, may make this tag name what is pushed."""


class Access(Protocol):
    """Turns credentials into rights."""

    async def rights(self, authorization: str | None) -> Rights:
        """The rights that an `Authorization` header gives; None: the rights of anybody.

        Takes `Basic` (the password is a token) and `Bearer`.
        Raises Unauthenticated when the credentials do not hold.
        """


class Open:
    """`Access` that lets everybody do everything: for tests and benchmarks."""

    actor = ""
    anonymous = False

    async def rights(self, authorization: str | None) -> Rights:
        """Every right, whatever the credentials."""
        del authorization
        return self

    async def may(self, name: str, action: Action) -> bool:
        """Yes."""
        del name, action
        return True

    async def may_tag(self, tag: str) -> bool:
        """Yes."""
        del tag
        return True
