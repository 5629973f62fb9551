"""An organisation: the first part of a repository's slug and of an image's name."""

from __future__ import annotations

from msgspec import Struct


class Organisation(Struct, frozen=True, kw_only=True):
    """A namespace with roles of its own."""

    id: int
    name: str
    created: int = 0
