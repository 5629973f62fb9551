"""Faults between a Kubernetes client and its server, as data: for the proxy and for simulations."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Final, Literal

from msgspec import Struct, structs

from fairway.kube.transport import Request

_REASONS: Final = {
    403: "Forbidden",
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}


class Cut(Exception):
    """The connection ends here, without a word."""


class Fault(Struct, frozen=True, kw_only=True):
    """What goes wrong with the next `times` requests that fit, after `skip` that go well.

    Which: `method`, a part of the `path`, whether it is a watch, whether it continues a list.
    What, one of: `status` is answered instead (with `retry_after` seconds, if any); `delay_s` goes
    by first; the body, after `lines` whole lines and `more` bytes, is `then` cut, ended properly,
    or silent; the body comes in pieces of `piece` bytes with `pause_s` between them; `event` is a
    line put into a watch after `lines` lines.
    """

    method: str = ""
    path: str = ""
    watch: bool | None = None
    continued: bool | None = None
    times: int = 1
    skip: int = 0
    status: int = 0
    retry_after: float | None = None
    delay_s: float = 0.0
    lines: int = 0
    more: int = 0
    then: Literal["", "cut", "end", "silence"] = ""
    piece: int = 0
    pause_s: float = 0.0
    event: str = ""

    def fits(self, request: Request) -> bool:
        """Whether it is for this request."""
        query = dict(request.query)
        return (
            self.method in ("", request.method)
            and self.path in request.path
            and self.watch in (None, query.get("watch") in ("true", "1"))
            and self.continued in (None, bool(query.get("continue")))
        )


class Faults:
    """The faults that are still to happen, and how many have."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self.happened = 0

    def add(self, *faults: Fault) -> None:
        """Have these happen."""
        self._waiting += faults

    def clear(self) -> None:
        """Nothing more goes wrong."""
        self._waiting.clear()

    def take(self, request: Request) -> Fault | None:
        """What goes wrong with this request."""
        for number, fault in enumerate(self._waiting):
            if not fault.fits(request):
                continue
            if fault.skip:
                self._waiting[number] = structs.replace(fault, skip=fault.skip - 1)
                return None
            left = fault.times - 1
            self._waiting[number : number + 1] = (
                [structs.replace(fault, times=left)] if left else []
            )
            self.happened += 1
            return fault
        return None


def status_body(status: int, retry_after: float | None = None) -> bytes:
    """A `Status` object as a server answers it."""
    details = {} if retry_after is None else {"details": {"retryAfterSeconds": int(retry_after)}}
    told = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": f"a fault of the test's: {status}",
        "reason": _REASONS.get(status, ""),
        "code": status,
        **details,
    }
    return json.dumps(told).encode()


def expired_event() -> str:
    """The line by which a watch tells that its version is too old."""
    return json.dumps({"type": "ERROR", "object": json.loads(status_body(410))})


async def spoiled(chunks: AsyncIterator[bytes], fault: Fault) -> AsyncIterator[bytes]:
    """A body with its fault. Raises `Cut`."""
    left = fault.lines if fault.then or fault.event else sys.maxsize
    async for part in _slowly(chunks, fault) if fault.piece else chunks:
        end = _end_of_line(part, left)
        if end is not None:
            yield part[:end] + _last_words(part[end:], fault)
            break
        left -= part.count(b"\n")
        yield part
    if fault.then == "silence":
        await asyncio.Event().wait()
    if fault.then == "cut":
        raise Cut


def _last_words(rest: bytes, fault: Fault) -> bytes:
    return fault.event.encode() + b"\n" if fault.event else rest[: fault.more]


def _end_of_line(part: bytes, lines: int) -> int | None:
    """Where the so-manieth line ends; None when it is not in this part."""
    at = 0
    for _ in range(lines):
        at = part.find(b"\n", at) + 1
        if at == 0:
            return None
    return at


async def _slowly(chunks: AsyncIterator[bytes], fault: Fault) -> AsyncIterator[bytes]:
    async for part in chunks:
        for begin in range(0, len(part), fault.piece):
            await asyncio.sleep(fault.pause_s)
            yield part[begin : begin + fault.piece]
