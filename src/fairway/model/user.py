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
