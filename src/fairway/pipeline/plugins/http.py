"""HTTP requests of notification plugins, behind a port that the simulated world replaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from msgspec import Struct

from fairway.model.errors import Unavailable

_TIMEOUT_S: Final = 30.0
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
        import httpx  # noqa: PLC0415 only runners with such a step need it

        try:
            async with (
                httpx.AsyncClient(verify=verify, timeout=_TIMEOUT_S) as client,
                client.stream(method, url, headers=dict(headers), content=body) as got,
            ):
                data = b""
                async for part in got.aiter_bytes():
                    data += part
                    if len(data) >= _BODY:
                        break
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            words = str(error) or type(error).__name__
            raise Unavailable(f"no answer from the hook: {words}", code="no-answer") from error
        return Answer(got.status_code, got.reason_phrase, data[:_BODY].decode("utf-8", "replace"))
