"""HTTP to channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fairway.kit import outbound
from fairway.notify.channel import Answer

_TIMEOUT_S: Final = 20.0
_BODY: Final = 1024 * 1024


class HttpSender:
    """The real `Sender`."""

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """See `Sender`."""
        got = await outbound.send(
            method, url, headers=headers, body=body, most=_BODY, seconds=_TIMEOUT_S
        )
        return Answer(got.status, got.headers, got.body)
