"""A scope: what somebody may see. Every store query that lists or finds visible things needs one.

`access/scope.py` makes it of an identity; `store/roles.py` turns it into SQL.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct


class Scope(Struct, frozen=True, kw_only=True):
    """The bounds of one identity's sight.

    The widest is `SYSTEM`, for Fairway's own controllers; the default sees what is public.
    """

    actor: str = ""  # login, for the audit
    user: int | None = None  # None: nobody is signed in
    everything: bool = False
    only: int | None = None  # bound to this repository, whatever the user may see
    build_repository: int | None = None  # a build's own credentials: reads this repository,
    build_organisation: int | None = None  # ... and what its organisation shows internally

    @property
    def unbounded(self) -> bool:
        """Whether it sees all, also what is of no repository: users, tokens, the audit."""
        return self.everything and self.only is None


SYSTEM: Final = Scope(actor="fairway", everything=True)
