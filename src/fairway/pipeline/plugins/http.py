"""HTTP requests of notification plugins, behind a port that the simulated world replaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from msgspec import Struct

from fairway.kit import outbound

_BODY: Final = 64 * 1024


class Answer(Struct, frozen=True):
    """What came back. The body is cut at 64 KiB."""

    status: int
    reason: str
    body: str


class Sender(Protocol):
    """Sends one request."""

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        verify: bool = True,
    ) -> Answer:
        """Send and read the answer. Raises `Unavailable` (`no-answer`) when none comes."""
        ...


class HttpSender:
    """The real one. Follows no redirects: a body is sent where the file says, or not at all."""

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        verify: bool = True,
    ) -> Answer:
        """See `Sender`."""
        got = await outbound.send(
            method, url, headers=headers, body=body, most=_BODY, verify=verify
        )
        return Answer(got.status, got.reason, got.body.decode("utf-8", "replace"))
