"""Cursors of pages: opaque to clients, the last item's key to us."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import TypeVar

from fairway.client.wire.common import Page
from fairway.model.errors import InvalidInput

T = TypeVar("T")
_LARGEST = 2**62


def encode(key: str | int) -> str:
    """A cursor that goes on after `key`."""
    return base64.urlsafe_b64encode(str(key).encode()).decode().rstrip("=")


def decode(cursor: str) -> str:
    """The key of a cursor; "" for none. Raises `InvalidInput` (code `bad-cursor`)."""
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        raise _bad(cursor) from None


def decode_int(cursor: str) -> int | None:
    """The number of a cursor; None for none. Raises `InvalidInput` (code `bad-cursor`)."""
    if not cursor:
        return None
    text = decode(cursor)
    if not (text.isascii() and text.isdigit() and int(text) < _LARGEST):
        raise _bad(cursor)
    return int(text)


def page(items: Sequence[T], limit: int, last: str | int | None) -> Page[T]:
    """A page of at most `limit`; there may be more when it is full."""
    more = len(items) >= limit and last is not None
    return Page(items=list(items), next=encode(last) if more and last is not None else None)


def _bad(cursor: str) -> InvalidInput:
    return InvalidInput(
        f"{cursor[:40]!r} is no cursor",
        code="bad-cursor",
        where="query.cursor",
        remedy="send `next` of the page before as it is",
    )
