"""An audit entry: who changed what, written in the transaction of the change."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class AuditEntry(Struct, frozen=True, kw_only=True):
    """`action` is noun.verb; `before` and `after` never hold a secret."""

    id: int
    at: int
    actor: str
    action: str
    subject: str
    before: Any = None
    after: Any = None
