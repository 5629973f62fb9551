"""An ASGI application for a synchronous HTTP client: for tests of the command line.

The application runs on a loop of its own in a thread; bodies are streamed, so event streams work.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from typing import Any

import httpx

App = Callable[[Any, Any, Any], Awaitable[None]]
_END = object()


class LoopThread:
    """An event loop in a thread, for as long as the `with` lasts."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self) -> LoopThread:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._drain(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()

    async def _drain(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks) if tasks else None

    def call(self, work: Any) -> Any:
        """Run a coroutine there and wait for its result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)


class AsgiTransport(httpx.BaseTransport):
    """Hands requests to an application on a `LoopThread`."""

    def __init__(self, app: App, thread: LoopThread) -> None:
        self._app, self._thread = app, thread

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request; the body comes as the application sends it."""
        exchange = _Exchange(self._app, request)
        task = asyncio.run_coroutine_threadsafe(exchange.run(), self._thread.loop)
        head = exchange.take()
        if head is _END:
            task.result(10)
            raise httpx.RemoteProtocolError("the application answered nothing")
        return httpx.Response(
            head["status"],
            headers=head.get("headers", []),
            stream=_Body(exchange, task, self._thread.loop),
        )


class _Exchange:
    def __init__(self, app: App, request: httpx.Request) -> None:
        self._app = app
        self._body = request.read()
        self._request = request
        self._sent = False
        self._out: queue.Queue[Any] = queue.Queue()
        self.gone = asyncio.Event()

    def take(self) -> Any:
        return self._out.get(timeout=60)

    async def run(self) -> None:
        try:
            await self._app(self._scope(), self._receive, self._send)
        finally:
            self._out.put(_END)

    def _scope(self) -> dict[str, Any]:
        url = self._request.url
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self._request.method,
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.split(b"?")[0],
            "query_string": url.query,
            "root_path": "",
            "headers": [(k.lower(), v) for k, v in self._request.headers.raw],
            "server": (url.host, url.port or 80),
            "client": ("127.0.0.1", 1),
            "state": {},
            "extensions": {},
        }

    async def _receive(self) -> dict[str, Any]:
        if not self._sent:
            self._sent = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._out.put(message)
        elif message.get("body"):
            self._out.put(message["body"])


class _Body(httpx.SyncByteStream):
    def __init__(self, exchange: _Exchange, task: Future[None], loop: Any) -> None:
        self._exchange, self._task, self._loop = exchange, task, loop

    def __iter__(self) -> Iterator[bytes]:
        while (part := self._exchange.take()) is not _END:
            yield part

    def close(self) -> None:
        if not self._task.done():
            self._loop.call_soon_threadsafe(self._exchange.gone.set)
            self._loop.call_soon_threadsafe(self._task.cancel)
