"""Server-sent events: raw ASGI, with heartbeats, that end when the client goes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from litestar.types import ASGIApp, Receive, Scope, Send

from fairway.client import sse
from fairway.model.errors import FairwayError

HEARTBEAT_S: Final = 15.0
_log = logging.getLogger(__name__)
_START: Final[Any] = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
        (b"x-content-type-options", b"nosniff"),
    ],
}

Put = Callable[[bytes], Awaitable[None]]
Work = Callable[[Put], Awaitable[None]]


def stream(work: Work) -> ASGIApp:
    """An answer that `work` writes until it returns or the client has gone."""

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await send(_START)
        last = asyncio.get_running_loop().time()

        async def put(data: bytes) -> None:
            nonlocal last
            last = asyncio.get_running_loop().time()
            await send({"type": "http.response.body", "body": data, "more_body": True})

        async def beat() -> None:
            while True:
                await asyncio.sleep(HEARTBEAT_S)
                if asyncio.get_running_loop().time() - last >= HEARTBEAT_S / 2:
                    await put(sse.HEARTBEAT)

        async with asyncio.TaskGroup() as group:
            main = group.create_task(_safely(work, put), name="stream")
            others = [
                group.create_task(_until_gone(receive, main), name="stream-gone"),
                group.create_task(beat(), name="stream-heartbeat"),
            ]
            await asyncio.wait([main])
            for other in others:
                other.cancel()
        if not main.cancelled():
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return app


async def _safely(work: Work, put: Put) -> None:
    """A stream that has begun can tell of no error but by ending: the reader comes again."""
    try:
        await work(put)
    except FairwayError as error:
        _log.warning("a stream ended early: %s", error)
    except OSError:
        _log.debug("a stream's reader has gone")
    except Exception:  # noqa: BLE001 a stream has nobody else to tell
        _log.exception("a stream failed")


async def _until_gone(receive: Receive, main: asyncio.Task[None]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    main.cancel()
