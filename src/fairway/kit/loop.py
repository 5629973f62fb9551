"""The event loop of a server: asyncio's own, which need not be woken for each small thing."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Inline:
    """A callback that the thread that has news for the loop may run itself.

    It must be short, must not raise, and must hold a lock around what it shares with the loop.
    """

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., None]) -> None:
        self._call = call

    def __call__(self, *args: Any) -> None:
        """Run it, here."""
        self._call(*args)


class ServerLoop(asyncio.SelectorEventLoop):
    """asyncio's loop; another thread runs an `Inline` at once instead of waking this one."""

    def __init__(self) -> None:
        super().__init__()
        self._ran = asyncio.Handle(_nothing, (), self)

    def call_soon_threadsafe(  # type: ignore[override,unused-ignore]
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """As asyncio's, but for an `Inline`."""
        if isinstance(callback, Inline):
            callback(*args)
            return self._ran
        return super().call_soon_threadsafe(callback, *args, context=context)


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` with the loop of a server."""
    with asyncio.Runner(loop_factory=ServerLoop) as runner:
        return runner.run(main)


def _nothing() -> None:
    pass
