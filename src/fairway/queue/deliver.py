"""Hands events of the outbox to their handlers: at least once, in order for each subject.

Handlers of different subjects run side by side, up to a limit. The store is asked whenever a hint
comes, when the next retry is due, and at least every `LOOK_S`. Several processes may deliver from
one store only under a lease (store/lease.py): `Deliverer.run` holds one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from sqlalchemy import Connection

from fairway.kit import clock
from fairway.kit.aio import Wake
from fairway.model.errors import FairwayError
from fairway.model.events import Event
from fairway.store import outbox
from fairway.store.database import Database
from fairway.store.outbox import Pending

LOOK_S: Final = 1.0
AT_ONCE: Final = 8

Handler = Callable[[Event, str], Awaitable[None]]
"""Takes an event and its key (unique for ever). May be called again with the same: idempotent."""

_log = logging.getLogger(__name__)


class Deliverer:
    """Delivers to handlers by name."""

    def __init__(self, database: Database, handlers: Mapping[str, Handler], *, wake: Wake) -> None:
        """`wake` is a hint that an event may have been written."""
        self._database = database
        self._handlers = dict(handlers)
        self._wake = wake
        self._next: int | None = None

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            if not await self.round():
                await self._wake.wait(self._pause())

    async def round(self) -> int:
        """Hand out what is due now, once each. Returns how many there were."""
        due, self._next = await self._database.read(_look, list(self._handlers))
        if not due:
            return 0
        gate = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for pending in due:
                group.create_task(
                    self._hand_out(pending, gate), name=f"{pending.handler} {pending.event_id}"
                )
        return len(due)

    async def _hand_out(self, pending: Pending, gate: asyncio.Semaphore) -> None:
        async with gate:
            try:
                await self._handlers[pending.handler](pending.event, f"event/{pending.event_id}")
            except Exception as error:  # noqa: BLE001 whatever a handler raises is its event's fate
                await self._note(pending, error)
            else:
                await self._database.write(outbox.taken, pending)

    async def _note(self, pending: Pending, error: Exception) -> None:
        what = f"{pending.event.kind} {pending.event_id} for {pending.handler}"
        expected = isinstance(error, FairwayError) and error.retriable
        _log.warning("%s failed: %s", what, error, exc_info=None if expected else error)
        said = str(error) or type(error).__name__
        if await self._database.write(outbox.failed, pending, said):
            _log.error("%s is parked after %d tries: %s", what, outbox.TRIES, said)

    def _pause(self) -> float:
        if self._next is None:
            return LOOK_S
        return min(max((self._next - clock.now()) / 1000, 0.01), LOOK_S)


def _look(db: Connection, handlers: list[str]) -> tuple[list[Pending], int | None]:
    """What is due now, and if nothing is, when something will be."""
    due = outbox.due(db, handlers)
    return due, None if due else outbox.next_due(db, handlers)
