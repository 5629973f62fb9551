"""What every noun shares: pages, problems, strict requests."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from msgspec import UNSET, Struct, UnsetType, field

T = TypeVar("T")

SCHEMA = 1
"""The version of the JSON that the command line prints and the API answers."""


class Request(Struct, kw_only=True, forbid_unknown_fields=True):
    """The base of every request body: a field that we do not know is an error, never ignored."""


class Page(Struct, Generic[T], kw_only=True):
    """Some of a list. `next` is the cursor of the following page, None at the end."""

    items: list[T]
    next: str | None = None


class Problem(Struct, kw_only=True):
    """RFC 9457. `type` is the stable code of `docs/reference/errors.md`."""

    type: str
    title: str = ""
    status: int = 0
    detail: str = ""
    instance: str = ""
    remedy: str = ""
    where: str = ""
    retriable: bool = False


class Done(Struct, kw_only=True):
    """An action was carried out."""

    done: bool = True
    detail: str = ""


Unset = UnsetType
Maybe = UNSET

Values = dict[str, Any]

__all__ = [
    "SCHEMA",
    "Done",
    "Maybe",
    "Page",
    "Problem",
    "Request",
    "Struct",
    "Unset",
    "Values",
    "field",
]
