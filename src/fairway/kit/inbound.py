"""A large request body, of which the loop hears in large pieces.

A client may send a body in pieces of 16 KB. A server that has threads of its own wakes the loop
for each: two switches between threads, a lock and a few system calls for 16 KB. Here the server's
thread puts pieces together itself, and the loop is woken for every 512 KiB, or after 20 ms.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from fairway.kit.loop import Inline, ServerLoop

ENOUGH: Final = 512 * 1024
MOST: Final = 1024 * 1024
PAUSE_S: Final = 0.02


class Disconnected(Exception):
    """The client went before its body was whole."""


class Inbound:
    """Reads one ASGI body. Pieces are put together on a `ServerLoop` only."""

    def __init__(self, receive: Callable[[], Any]) -> None:
        """`receive` is the application's; nobody else calls it until the body is whole."""
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._gathers = isinstance(self._loop, ServerLoop)
        self._context = contextvars.copy_context()
        self._inline = Inline(self._take)
        # What follows is shared with the server's thread.
        self._lock = threading.Lock()
        self._held: list[bytes] = []
        self._size = 0
        self._enough = 1  # so many bytes are worth waking the loop
        self._asking = False
        self._over = False
        self._error: BaseException | None = None
        self._plain: Any = None  # an awaitable that takes no callback: the loop waits for it
        self._waiter: asyncio.Future[None] | None = None

    async def read(self) -> bytes | None:
        """What has come; None at the end. Raises `Disconnected`, or what the server raised."""
        try:
            while True:
                data, ask = self._look()
                if ask:
                    self._ask()
                if data:
                    return data
                if self._plain is not None:
                    plain, self._plain = self._plain, None
                    self._put(await plain)
                elif self._over:
                    break
                else:
                    await self._wait()
        except asyncio.CancelledError:
            self._over = True  # nobody reads on: the server's thread asks no more
            raise
        if self._error is not None:
            raise self._error
        return None

    def _look(self) -> tuple[bytes, bool]:
        """What to hand out, and whether to ask for more."""
        with self._lock:
            data = b""
            if self._over or self._size >= self._enough:
                data = b"".join(self._held)
                self._held, self._size, self._enough = [], 0, ENOUGH
            ask = not (self._asking or self._over or (data and not self._gathers))
            self._asking = self._asking or ask
            return data, ask

    async def _wait(self) -> None:
        with self._lock:
            if self._over or self._plain is not None or self._size >= self._enough:
                return
            waiter = self._waiter = self._loop.create_future()
        timer = self._loop.call_later(PAUSE_S, self._hurry)
        try:
            await waiter
        finally:
            timer.cancel()
            with self._lock:
                self._waiter = None

    def _hurry(self) -> None:
        """The client is slow: take what there is, or the next piece however small."""
        with self._lock:
            self._enough = 1
            waiter = self._waiter if self._held else None
        if waiter is not None:
            _wake(waiter)

    def _ask(self) -> None:
        """Ask for a piece; `_take` has it, in whichever thread."""
        try:
            asked = self._receive()
            add = getattr(asked, "add_done_callback", None) if self._gathers else None
            if add is not None:
                add(self._inline, context=self._context)
                return
            with self._lock:
                self._plain, self._gathers = asked, False
                waiter = self._waiter
        except BaseException as error:  # noqa: BLE001 `read` raises it
            waiter = self._fail(error)
        self._call(waiter)

    def _take(self, asked: Any) -> None:
        try:
            next(asked.__await__())
        except StopIteration as outcome:
            self._put(outcome.value)
        except BaseException as error:  # noqa: BLE001 `read` raises it
            self._call(self._fail(error))

    def _put(self, message: Mapping[str, Any]) -> None:
        with self._lock:
            if message["type"] == "http.disconnect":
                self._error, self._over = Disconnected(), True
            else:
                self._held.append(body := message.get("body", b""))
                self._size += len(body)
                self._over = self._over or not message.get("more_body", False)
            if not self._gathers:
                self._enough = 1
            again = self._gathers and not self._over and self._size < MOST
            self._asking = again
            ready = self._over or self._size >= self._enough
            waiter = self._waiter if ready else None
        self._call(waiter)
        if again:
            self._ask()

    def _fail(self, error: BaseException) -> asyncio.Future[None] | None:
        with self._lock:
            self._error, self._over, self._asking = error, True, False
            return self._waiter

    def _call(self, waiter: asyncio.Future[None] | None) -> None:
        if waiter is not None:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(_wake, waiter)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
