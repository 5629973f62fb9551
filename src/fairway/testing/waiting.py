"""Waiting for a condition, with a deadline: instead of sleeping for as long as it may take."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(
    what: str, ask: Callable[[], Awaitable[T | None]], *, seconds: float = 90.0, every: float = 0.05
) -> T:
    """The first true answer of `ask`. Raises AssertionError, naming `what`, after the deadline."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        found = await ask()
        if found:
            return found
        assert loop.time() < end, f"{what}: not within {seconds:g} s"
        await asyncio.sleep(every)
