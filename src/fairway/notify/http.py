"""HTTP to channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fairway.model.errors import Unavailable
from fairway.notify.channel import Answer

_TIMEOUT_S: Final = 20.0
_BODY: Final = 1024 * 1024


class HttpSender:
    """The real `Sender`."""

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """See `Sender`."""
        import httpx  # noqa: PLC0415 only processes that notify need it

        try:
            async with (
                httpx.AsyncClient(timeout=_TIMEOUT_S) as client,
                client.stream(method, url, headers=dict(headers), content=body) as got,
            ):
                data = b""
                async for part in got.aiter_bytes():
                    data += part
                    if len(data) >= _BODY:
                        break
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            words = str(error) or type(error).__name__
            raise Unavailable(f"no answer from {_host(url)}: {words}", code="no-answer") from error
        return Answer(got.status_code, {k.lower(): v for k, v in got.headers.items()}, data)


def _host(url: str) -> str:
    """Without path and query: a webhook's address may be a secret."""
    return url.partition("://")[2].partition("/")[0]
