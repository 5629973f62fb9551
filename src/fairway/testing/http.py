"""Serve an ASGI application on a free port of 127.0.0.1, as in production: granian, embedded.

`serving` inside a running loop; `served` from synchronous tests, on a loop in a thread of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Final

from granian.constants import Interfaces
from granian.server.embed import Server

from fairway.kit.net import free_port

Asgi = Callable[[Any, Any, Any], Awaitable[None]]

_BACKLOG: Final = 1024
_TRIES: Final = 9000
_PAUSE_S: Final = 0.01


@contextlib.asynccontextmanager
async def serving(app: Asgi) -> AsyncIterator[str]:
    """Serve while the block runs. Yields the base URL, `http://127.0.0.1:PORT`."""
    port = free_port()
    server = Server(
        app,
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGINL,
        backlog=_BACKLOG,
        backpressure=_BACKLOG,
        log_enabled=False,
        websockets=False,
    )
    async with asyncio.TaskGroup() as group:
        task = group.create_task(server.serve(), name=f"test server on {port}")
        try:
            await _answering(port, task)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.stop()  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def served(app: Asgi) -> Iterator[str]:
    """`serving` for synchronous tests."""
    ready: list[str] = []
    started, stop = threading.Event(), threading.Event()
    errors: list[BaseException] = []

    async def run() -> None:
        async with serving(app) as url:
            ready.append(url)
            started.set()
            await asyncio.get_running_loop().run_in_executor(None, stop.wait)

    def main() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:  # noqa: BLE001 raised in the test's thread
            errors.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=main, name="test server")
    thread.start()
    started.wait()
    try:
        if ready:
            yield ready[0]
    finally:
        stop.set()
        thread.join()
    if errors:
        raise errors[0]


async def _answering(port: int, task: asyncio.Task[None]) -> None:
    for _ in range(_TRIES):
        if task.done():
            return  # the TaskGroup raises why
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            await writer.wait_closed()
            return
        await asyncio.sleep(_PAUSE_S)
    raise TimeoutError(f"the test server on port {port} does not answer")
