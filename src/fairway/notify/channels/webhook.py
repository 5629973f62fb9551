"""A signed request for each thing that came to an end (or, with `progress`, for each change).

`X-Fairway-Signature: v0=HEX`, HMAC-SHA256 by the channel's key over `v0:TIMESTAMP:BODY` with
`X-Fairway-Timestamp` (seconds): the receiver compares in constant time and refuses old ones. A
request may come twice; `Idempotency-Key` says so.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

import msgspec

from fairway import __version__
from fairway.kit import clock
from fairway.kit.secret import Secret
from fairway.model.errors import Unavailable
from fairway.model.notice import Channel, Detail, Message
from fairway.notify.channel import Sender, now

POSTED: Final = "webhook"  # there is nothing to edit


class Webhook:
    """See `Speaker`."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def post(self, channel: Channel, key: Secret, message: Message) -> str:
        """Raises `Unavailable` for every answer but 2xx."""
        await self._send(channel, key, message)
        return POSTED

    async def find(self, channel: Channel, key: Secret, message: Message) -> str:
        """Nobody can be asked: it is sent again, with the same key."""
        del channel, key, message
        return ""

    async def edit(self, channel: Channel, key: Secret, message: Message) -> None:
        """A further request."""
        await self._send(channel, key, message)

    async def tell(self, channel: Channel, key: Secret, message: Message, detail: Detail) -> None:
        """Requests hold what counts already."""

    async def told(self, channel: Channel, key: Secret, message: Message, detail: Detail) -> bool:
        """Nothing to tell."""
        del channel, key, message, detail
        return True

    async def _send(self, channel: Channel, key: Secret, message: Message) -> None:
        body = msgspec.json.encode(payload(message))
        stamp = str(clock.now() // 1000)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"fairway/{__version__}",
            "Idempotency-Key": f"{message.key}/{message.wanted}",
            "X-Fairway-Timestamp": stamp,
            "X-Fairway-Signature": signature(key, stamp, body),
        }
        answer = await self._sender.send("POST", channel.address, headers=headers, body=body)
        if not 200 <= answer.status < 300:
            raise Unavailable(
                f"{channel.name} answered {answer.status}",
                code="channel-refused",
                remedy="see what its receiver says; `fairway notify channel test` sends once more",
            )


def payload(message: Message) -> dict[str, object]:
    """What a request holds."""
    content = now(message)
    return {
        "key": message.key,
        "version": message.wanted,
        "title": content.title,
        "lines": list(content.lines),
        "outcome": str(content.outcome),
        "waiting": content.waiting,
        "link": content.link,
        "details": [detail.text for detail in message.details],
    }


def signature(key: Secret, stamp: str, body: bytes) -> str:
    """As Slack signs (v0), so that receivers have code for it."""
    base = f"v0:{stamp}:".encode() + body
    return "v0=" + hmac.new(key.reveal().encode(), base, hashlib.sha256).hexdigest()
