"""A user: a person, or a machine that acts for the system."""

from __future__ import annotations

from msgspec import Struct


class User(Struct, frozen=True, kw_only=True):
    """Who acts. An inactive user's tokens do not hold."""

    id: int
    login: str
    name: str = ""
    email: str = ""
    admin: bool = False
    machine: bool = False
    active: bool = True
    created: int = 0


class Password(Struct, frozen=True, kw_only=True):
    """A password as it is kept, and how often a wrong one was given since the last right one."""

    password: str = ""
    failures: int = 0
    failed: int | None = None
