"""The visitors of the benchmarks: what they must not overlook."""

from __future__ import annotations

import asyncio
import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

from fairway.testing.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nv1"
pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def visitors(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    return importlib.import_module("bench.visitors")


async def visited(
    visitors: ModuleType, answer: bytes, *, stays: bool
) -> tuple[list[str], set[str]]:
    """What visitors note of a server that answers each request so: problems, and what was said."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await reader.readexactly(5 if head.startswith(b"POST") else 0)
                writer.write(answer)
                await writer.drain()
                if not stays:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        seen = visitors.Visitors(port, "www.localhost", callers=2)
        seen.start()

        async def enough() -> bool:
            return len(seen.answers) >= 8

        await eventually("requests were made", enough)
        await asyncio.to_thread(seen.stop)
    return [one.problem for one in seen.failures], {one.said for one in seen.answers}


@pytest.mark.parametrize(
    "answer",
    [GOOD, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nv1\r\n0\r\n\r\n"],
)
async def test_whole_answers_are_no_failures(visitors: ModuleType, answer: bytes) -> None:
    problems, said = await visited(visitors, answer, stays=True)
    assert problems == []
    assert said == {"v1"}


async def test_a_connection_may_end_when_it_says_so(visitors: ModuleType) -> None:
    answer = GOOD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    problems, _ = await visited(visitors, answer, stays=False)
    assert problems == []


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (GOOD.replace(b"200 OK", b"503 No"), "503"),
        (GOOD.replace(b": 2", b": 9"), "IncompleteReadError"),
        (GOOD, ""),  # the end of the connection, unannounced
    ],
)
async def test_everything_else_is_a_failure(
    visitors: ModuleType, answer: bytes, problem: str
) -> None:
    problems, _ = await visited(visitors, answer, stays=False)
    assert problems
    assert all(problem in one for one in problems)
