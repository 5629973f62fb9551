"""Mistakes put into the controllers on purpose: voyages must find each within a few seeds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

WITHIN = 30
"""Every mistake is found in so many voyages."""

ALL: dict[str, Callable[[], Any]] = {}


@contextlib.contextmanager
def bitten(name: str | None) -> Iterator[None]:
    """The product with one mistake, or as it is."""
    with ALL[name]() if name else contextlib.nullcontext():
        yield
