"""Rows to nouns: a noun's fields are named as its table's columns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Row

T = TypeVar("T")


def to(row: Row[Any], noun: type[T]) -> T:
    """One row as a noun; columns that the noun does not have are left out."""
    return msgspec.convert(row._mapping, noun)  # noqa: SLF001 SQLAlchemy's own way


def each(rows: Iterable[Row[Any]], noun: type[T]) -> list[T]:
    """Every row as a noun."""
    return [to(row, noun) for row in rows]
