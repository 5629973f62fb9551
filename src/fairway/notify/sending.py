"""Says what `telling` wrote down: one message after another, each step noted before and after.

A crash anywhere leaves one of three states: nothing was begun, something was begun and may have
arrived (so it is looked for), or it is known to have arrived. So nothing is said twice.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from fairway.kit import clock
from fairway.kit.aio import Wake
from fairway.kit.secret import Secret
from fairway.model.errors import FairwayError
from fairway.model.notice import Channel, ChannelKind, Message
from fairway.notify.channel import Speaker
from fairway.notify.keeping import Sealer, opened
from fairway.notify.patience import pause_s
from fairway.store import channels, messages
from fairway.store.database import Database

_LOOK_S: Final = 5.0
_ERROR: Final = 500  # characters that are kept
_log = logging.getLogger(__name__)


class Sending:
    """Of many processes one sends: the caller holds a lease."""

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        speakers: Mapping[ChannelKind, Speaker],
        *,
        wake: Wake,
    ) -> None:
        self._database, self._sealer, self._speakers = database, sealer, dict(speakers)
        self._wake = wake

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            if not await self.round():
                await self._wake.wait(await self._pause())

    async def round(self) -> int:
        """Say what is due now. Returns how much of it there was."""
        due = await self._database.read(messages.due, clock.now())
        for message in due:
            await self._bring(message)
        return len(due)

    async def _pause(self) -> float:
        at = await self._database.read(messages.next_due)
        if at is None:
            return _LOOK_S
        return min(max((at - clock.now()) / 1000, 0.01), _LOOK_S)

    async def _bring(self, message: Message) -> None:
        channel = await self._database.read(channels.by_id, message.channel)
        if channel is None:
            return  # removed meanwhile, and its messages with it
        try:
            key = opened(self._sealer, channel)
            await self._say(channel, key, message)
        except FairwayError as error:
            await self._failed(message, error)

    async def _say(self, channel: Channel, key: Secret, message: Message) -> None:
        speaker = self._speakers[channel.kind]
        if not message.remote:
            message = await self._first(speaker, channel, key, message)
        elif message.sent < message.wanted:
            await speaker.edit(channel, key, message)
        for told in range(message.told, len(message.details)):
            await self._detail(speaker, channel, key, replace(message, told=told))
        await self._database.write(
            messages.said, message.id, sent=message.wanted, told=len(message.details)
        )

    async def _first(
        self, speaker: Speaker, channel: Channel, key: Secret, message: Message
    ) -> Message:
        """Its first post, unless that was made before a crash of ours: then it is edited."""
        remote = await speaker.find(channel, key, message) if message.begun else ""
        if remote:
            message = replace(message, remote=remote)
            await speaker.edit(channel, key, message)
        else:
            await self._database.write(messages.note, message.id, begun=1)
            remote = await speaker.post(channel, key, message)
        await self._database.write(
            messages.note, message.id, remote=remote, sent=message.wanted, begun=1
        )
        return replace(message, remote=remote, begun=1)

    async def _detail(
        self, speaker: Speaker, channel: Channel, key: Secret, message: Message
    ) -> None:
        """The next detail of the thread; `begun` counts the post as 1."""
        detail, number = message.details[message.told], message.told + 1
        again = message.begun == number + 1
        if not (again and await speaker.told(channel, key, message, detail)):
            await self._database.write(messages.note, message.id, begun=number + 1)
            await speaker.tell(channel, key, message, detail)
        await self._database.write(messages.note, message.id, told=number)

    async def _failed(self, message: Message, error: FairwayError) -> None:
        pause = pause_s(error, message.tries)
        _log.warning("the message %s waits %.0f s: %s", message.key, pause, error)
        await self._database.write(
            messages.note,
            message.id,
            tries=message.tries + 1,
            due=clock.now() + int(pause * 1000),
            error=str(error)[:_ERROR],
        )
