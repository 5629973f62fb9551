"""Bodies that another thread brings piece by piece."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fairway.kit import inbound
from fairway.kit.inbound import Disconnected, Inbound
from fairway.kit.loop import Inline, ServerLoop, run

SECONDS = 90


def piece(data: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": data, "more_body": more}


class Asked:
    """What `receive` gives: like granian's, its callback goes to the loop from another thread."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._message: Any = None

    def add_done_callback(self, call: Callable[..., None], *, context: Any) -> None:
        loop = asyncio.get_running_loop() if not self._server.loop else self._server.loop
        self._server.loop = loop
        self._server.wanted.put((self, call, context))

    def settle(self, message: Any) -> None:
        self._message = message

    def __await__(self) -> Iterator[Any]:
        if isinstance(self._message, BaseException):
            raise self._message
        return self._message
        yield


class Server:
    """Answers each question from its own thread, with the next of `messages`."""

    def __init__(self, messages: list[Any]) -> None:
        self.wanted: queue.Queue[Any] = queue.Queue()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.answered = 0
        self.quiet = threading.Event()  # set: everything there is has been told
        self._messages = messages
        self._thread = threading.Thread(target=self._answer, daemon=True)
        self._thread.start()

    def receive(self) -> Asked:
        return Asked(self)

    def _answer(self) -> None:
        for message in self._messages:
            asked, call, context = self.wanted.get()
            asked.settle(message)
            self.answered += 1
            self.loop.call_soon_threadsafe(call, asked, context=context)  # type: ignore[union-attr]
        self.quiet.set()


async def all_of(body: Inbound) -> list[bytes]:
    found = []
    async with asyncio.timeout(SECONDS):
        while (data := await body.read()) is not None:
            found.append(data)
    return found


async def until(body: Inbound, error: type[Exception]) -> bytes:
    """What comes before the error, which must come."""
    found = b""
    try:
        while (data := await body.read()) is not None:
            found += data
    except error:
        return found
    raise AssertionError("the body ended without an error")


def test_small_pieces_arrive_whole_in_order_and_in_few_reads() -> None:
    sent = [number.to_bytes(4, "big") * 1024 for number in range(3000)]
    server = Server([*map(piece, sent), piece(b"", more=False)])

    async def main() -> list[bytes]:
        return await all_of(Inbound(server.receive))

    found = run(main())
    assert b"".join(found) == b"".join(sent)
    assert len(found) < len(sent) / 4


def test_a_reader_that_is_busy_is_brought_no_more_than_the_most() -> None:
    size = 64 * 1024
    many = 4 * inbound.MOST // size
    server = Server([*(piece(bytes(size)) for _ in range(many)), piece(b"", more=False)])

    async def main() -> tuple[int, int]:
        body = Inbound(server.receive)
        first = await body.read() or b""
        while body._asking:
            await asyncio.sleep(0)
        held = server.answered * size - len(first)
        return held, len(first) + sum(map(len, await all_of(body)))

    held, whole = run(main())
    assert held <= inbound.MOST
    assert whole == many * size


def test_a_slow_clients_piece_is_not_kept_waiting_for_more() -> None:
    server = Server([piece(b"a"), piece(b"b")])  # and then silence

    async def main() -> bytes:
        body = Inbound(server.receive)
        found = b""
        async with asyncio.timeout(SECONDS):
            while len(found) < 2:
                found += await body.read() or b""
        return found

    assert run(main()) == b"ab"


@pytest.mark.parametrize(
    ("end", "error"),
    [({"type": "http.disconnect"}, Disconnected), (OSError("broken"), OSError)],
)
def test_a_broken_body_gives_what_came_and_then_the_error(end: Any, error: Any) -> None:
    server = Server([piece(b"a"), piece(b"b"), end])

    async def main() -> bytes:
        body = Inbound(server.receive)
        found = await body.read() or b""
        await asyncio.get_running_loop().run_in_executor(None, server.quiet.wait)
        return found + await until(body, error)

    assert run(main()) == b"ab"


def test_a_cancelled_reader_ends_the_asking() -> None:
    server = Server([piece(b"a"), piece(b"b"), piece(b"c")])

    async def main() -> None:
        body = Inbound(server.receive)
        came = b""
        async with asyncio.timeout(SECONDS):
            while came != b"abc":  # and then silence
                came += await body.read() or b""
        reader = asyncio.ensure_future(body.read())
        await asyncio.sleep(0)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        assert await body.read() is None

    run(main())


async def test_on_another_loop_each_piece_is_awaited() -> None:
    messages = iter([piece(b"a"), piece(b""), piece(b"b", more=False)])

    async def receive() -> dict[str, Any]:
        return next(messages)

    assert b"".join(await all_of(Inbound(receive))) == b"ab"


def test_a_server_whose_answers_take_no_callback_is_awaited() -> None:
    messages = iter([piece(b"a"), piece(b"b"), {"type": "http.disconnect"}])

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def main() -> bytes:
        return await until(Inbound(receive), Disconnected)

    assert run(main()) == b"ab"


def test_only_an_inline_callback_runs_in_the_thread_that_brings_it() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, ServerLoop)
        threads: list[int] = []
        came = asyncio.Event()

        def note() -> None:
            threads.append(threading.get_ident())

        def other() -> None:
            loop.call_soon_threadsafe(Inline(note))
            threads.append(threading.get_ident())
            loop.call_soon_threadsafe(note)
            loop.call_soon_threadsafe(came.set)

        await loop.run_in_executor(None, other)
        await came.wait()
        assert threads[0] == threads[1] != threads[2] == threading.get_ident()

    run(main())
