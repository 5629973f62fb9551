"""A body into a growing blob: written and hashed side by side, a few MiB in memory at most."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

from fairway.blob.blob import CHUNK, Writer
from fairway.image.registry.http import GoneAwayError
from fairway.kit.aio import blocking
from fairway.oci.digest import Hash

_AHEAD: Final = 2  # batches that may wait for the disk or the hash

Batch = Sequence[bytes]


async def pour(body: AsyncIterator[bytes], writer: Writer, digest: Hash | None) -> bool:
    """Append a body to `writer` and to `digest`. Returns whether the client sent it whole.

    Raises what the writer raises. What arrived before is kept either way.
    """
    takers: list[Callable[[Batch], Awaitable[None]]] = [writer.write]
    if digest is not None:
        takers.append(lambda batch: blocking(_update, digest, batch))
    queues: list[asyncio.Queue[Batch]] = [asyncio.Queue(_AHEAD) for _ in takers]
    try:
        async with asyncio.TaskGroup() as group:
            for queue, take in zip(queues, takers, strict=True):
                group.create_task(_take(queue, take), name="registry intake")
            return await _feed(body, queues)
    except ExceptionGroup as several:  # not `except*`: Python before 3.11.4 wraps what it raises
        raise _first(several) from None


async def _feed(body: AsyncIterator[bytes], queues: Sequence[asyncio.Queue[Batch]]) -> bool:
    batch: list[bytes] = []
    held, whole = 0, True
    try:
        async for chunk in body:
            batch.append(chunk)
            held += len(chunk)
            if held >= CHUNK:
                await _offer(queues, batch)
                batch, held = [], 0
    except GoneAwayError:
        whole = False
    if batch:
        await _offer(queues, batch)
    await _offer(queues, [])
    return whole


async def _offer(queues: Sequence[asyncio.Queue[Batch]], batch: Batch) -> None:
    for queue in queues:
        await queue.put(batch)


async def _take(queue: asyncio.Queue[Batch], take: Callable[[Batch], Awaitable[None]]) -> None:
    while batch := await queue.get():
        await take(batch)


def _update(digest: Hash, batch: Batch) -> None:
    for part in batch:
        digest.update(part)


def _first(several: BaseExceptionGroup[Exception]) -> Exception:
    one: BaseException = several
    while isinstance(one, BaseExceptionGroup):
        one = one.exceptions[0]
    assert isinstance(one, Exception)  # noqa: S101 an ExceptionGroup holds nothing else
    return one
