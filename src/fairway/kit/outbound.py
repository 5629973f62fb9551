"""Requests to addresses that people wrote down: bounded in time and size, and never where clouds
keep keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from fairway.kit import trust
from fairway.kit.aio import blocking
from fairway.kit.net import is_link_local
from fairway.model.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    import httpx

TIMEOUT_S: Final = 30.0


class Answer(Struct, frozen=True):
    """What came back. Header names are lower case."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes


async def send(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes,
    most: int,
    seconds: float = TIMEOUT_S,
    verify: bool = True,
) -> Answer:
    """Send, and read at most `most` bytes of the answer; no redirect is followed.

    `seconds` is for each wait, not for all of them. Raises `Unavailable` (`no-answer`) when none
    comes: the request may have arrived all the same; `InvalidInput` as `refuse_link_local`.
    """
    import httpx  # noqa: PLC0415 few processes send any

    trusted = await blocking(trust.for_address, url) if verify else False
    hooks = {"request": [refuse_link_local]}
    try:
        async with (
            httpx.AsyncClient(verify=trusted, timeout=seconds, event_hooks=hooks) as client,
            client.stream(method, url, headers=dict(headers), content=body) as got,
        ):
            data = b""
            async for part in got.aiter_bytes():
                data += part
                if len(data) >= most:
                    break
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        words = str(error) or type(error).__name__
        raise Unavailable(f"no answer from {_host(url)}: {words}", code="no-answer") from error
    named = {name.lower(): value for name, value in got.headers.items()}
    return Answer(got.status_code, got.reason_phrase, named, data[:most])


async def refuse_link_local(request: httpx.Request) -> None:
    """For an HTTP client's hooks: no request goes to a link-local address, where clouds keep keys,
    whoever redirects there. Raises `InvalidInput` (`remote-link-local`).
    """
    host = request.url.host
    try:
        near = await blocking(is_link_local, host, request.url.port or 443)
    except OSError:  # a name for a proxy alone; without one the client says so itself
        return
    if near:
        said = f"the host {host} has a link-local address, where clouds keep keys"
        raise InvalidInput(said, code="remote-link-local")


def _host(url: str) -> str:
    """Without user, path and query: a webhook's address may be a secret."""
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2]
