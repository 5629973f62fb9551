"""The contract of a channel's way out, and of the HTTP beneath it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct, structs

from fairway.kit.secret import Secret
from fairway.model.notice import Channel, Content, Detail, Message, Outcome


class Answer(Struct, frozen=True):
    """What came back. Header names are lower case; the body is cut at 1 MiB."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Sender(Protocol):
    """Sends one request; follows no redirect."""

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Send and read the answer. Raises `Unavailable` (code `no-answer`) when none comes: the
        request may have arrived all the same."""
        ...


class Speaker(Protocol):
    """How one kind of channel is spoken to.

    Each call raises `Unavailable` (retriable; `Busy` with `after_s` when the other side asks for
    patience) or another `FairwayError` for what no repetition mends.
    """

    async def post(self, channel: Channel, key: Secret, message: Message) -> str:
        """Say it for the first time. Returns the message's name there."""
        ...

    async def find(self, channel: Channel, key: Secret, message: Message) -> str:
        """The name there of a message that may have been posted already, or ""."""
        ...

    async def edit(self, channel: Channel, key: Secret, message: Message) -> None:
        """Say what it says now in its place."""
        ...

    async def tell(self, channel: Channel, key: Secret, message: Message, detail: Detail) -> None:
        """Add a detail to its thread."""
        ...

    async def told(self, channel: Channel, key: Secret, message: Message, detail: Detail) -> bool:
        """Whether a detail that may have been told is there already."""
        ...


def now(message: Message) -> Content:
    """What a message says, with how far its rollout is while it goes on."""
    content = message.content
    if not message.progress or content.outcome is not Outcome.OPEN:
        return content
    return structs.replace(content, lines=(*content.lines, message.progress))
