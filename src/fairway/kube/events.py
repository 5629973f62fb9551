"""A watch's bytes as events: lines, JSON, and what the server means by its errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
from msgspec import Struct

from fairway.kube.errors import KubeUnavailable, refused, unavailable
from fairway.kube.kind import Json

_LARGEST_LINE: Final = 16 * 1024 * 1024


class Event(Struct, frozen=True):
    """One line of a watch: `ADDED`, `MODIFIED`, `DELETED` or `BOOKMARK`."""

    type: str
    object: Json


_decoder: Final = msgspec.json.Decoder(Event)


async def lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Whole lines. What is left without an end when the stream ends was cut, and is dropped."""
    rest = bytearray()
    async for part in chunks:
        searched = len(rest)
        rest += part
        begin = 0
        while (end := rest.find(b"\n", max(begin, searched))) >= 0:
            if end > begin:
                yield bytes(rest[begin:end])
            begin = end + 1
        del rest[:begin]
        if len(rest) > _LARGEST_LINE:
            raise KubeUnavailable("a line of a watch does not end", code="kube-unavailable")


async def events(
    chunks: AsyncIterator[bytes], server: str, *, quiet_s: float
) -> AsyncIterator[Event]:
    """The events of a watch.

    Raises what the server tells by an `ERROR` event (`KubeExpired` for 410), and `KubeUnavailable`
    when nothing comes for `quiet_s` (a connection that died without a word).
    """
    source = lines(chunks)
    while True:
        try:
            async with asyncio.timeout(quiet_s):
                line = await anext(source, None)
        except TimeoutError as error:
            raise unavailable(server, f"the watch was silent for {quiet_s:g} s") from error
        if line is None:
            return
        yield _event(line, server)


def _event(line: bytes, server: str) -> Event:
    try:
        event = _decoder.decode(line)
    except msgspec.MsgspecError as error:
        raise unavailable(server, f"a line of the watch cannot be read ({error})") from error
    if event.type == "ERROR":
        raise refused(_code(event.object), event.object, {})
    return event


def _code(status: dict[str, Any]) -> int:
    code = status.get("code")
    return code if isinstance(code, int) and code >= 400 else 500
