"""`Dispatch` on the store itself: what in-process runners use, and what the HTTP API serves.

The database is the queue. `Wake` objects only say "look again": every answer is computed from the
store, so that another process's writes are seen at the next look at the latest.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import Final

from fairway.kit import clock
from fairway.kit.aio import Wake
from fairway.model.errors import FairwayError, Unavailable
from fairway.model.status import Status
from fairway.pipeline import leasing
from fairway.pipeline.dispatch import (
    LEASE_SECONDS,
    RENEW_SECONDS,
    Lease,
    Orders,
    Runner,
    StageReport,
    StepReport,
)
from fairway.pipeline.leases import Leases
from fairway.pipeline.leasing import Taken
from fairway.pipeline.logs import Logs
from fairway.store.database import Database

LOOK_S: Final = 1.0  # how often the store is asked without a hint
_SEEN_EVERY_S: Final = 10.0
_OUTAGE_MS: Final = 3600_000  # a lease that ended so long before our start is lost at once
_log = logging.getLogger(__name__)


class LocalDispatch:
    """Hands stages to runners, and writes what they report."""

    def __init__(self, database: Database, logs: Logs, leases: Leases, *, wake: Wake) -> None:
        """`wake` is set whenever stages may have become ready or are to stop."""
        self._database = database
        self._logs = logs
        self._leases = leases
        self._wake = wake
        self._seen: dict[str, float] = {}
        self._began = clock.now()

    async def lease(self, runner: Runner, *, wait_s: float = 30.0) -> Lease | None:
        """See `Dispatch.lease`."""
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_s
        while True:
            await self._note(runner)
            lease = await self._try(runner)
            left = until - loop.time()
            if lease is not None or left <= 0:
                return lease
            await self._wake.wait(min(left, LOOK_S))

    async def _note(self, runner: Runner) -> None:
        now = asyncio.get_running_loop().time()
        if self._seen.get(runner.name, float("-inf")) + _SEEN_EVERY_S <= now:
            self._seen[runner.name] = now
            await self._database.write(leasing.seen, runner)

    async def _try(self, runner: Runner) -> Lease | None:
        """Take one stage. One whose file turns out wrong ends as errored, and the next is tried."""
        while await self._database.read(leasing.wanted, runner, lost_before=self._lost()):
            token = secrets.token_urlsafe(32)
            taken = await self._database.write(
                leasing.take,
                runner,
                token,
                lost_before=self._lost(),
                sealer=self._leases.sealer,
                most_s=self._leases.max_timeout_s,
            )
            if taken is None:
                return None
            try:
                return await self._leases.compose(taken, token, reach=runner.reach)
            except Unavailable:
                raise  # the lease runs out, and the stage is tried again
            except FairwayError as error:
                await self._refuse(taken, token, error)
        return None

    def _lost(self) -> int:
        """Leases that ended before this are lost.

        After our own start nobody could renew for a while: runners get time to be heard again.
        """
        now = clock.now()
        return now if now - self._began > LEASE_SECONDS * 1000 else self._began - _OUTAGE_MS

    async def _refuse(self, taken: Taken, token: str, error: FairwayError) -> None:
        _log.warning("stage %d cannot run: %s", taken.stage.id, error)
        report = StageReport(status=Status.ERRORED, error=str(error))
        await self.finish(taken.stage.id, token, report)

    async def renew(self, stage: int, token: str) -> Orders:
        """See `Dispatch.renew`."""
        loop = asyncio.get_running_loop()
        until = loop.time() + RENEW_SECONDS
        orders = await self._database.write(leasing.renew, stage, token)
        while not orders.stop and (left := until - loop.time()) > 0:
            await self._wake.wait(min(left, LOOK_S))
            now = await self._database.read(leasing.orders, stage, token)
            orders = Orders(stop=now.stop, reason=now.reason, until=orders.until)
        return orders

    async def step(self, stage: int, token: str, report: StepReport) -> Orders:
        """See `Dispatch.step`."""
        return await self._database.write(leasing.step_reported, stage, token, report)

    async def append(
        self, stage: int, token: str, step: int, *, attempt: int, offset: int, raw: int, data: bytes
    ) -> int:
        """See `Dispatch.append`."""
        place = await self._database.read(leasing.log_place, stage, token, step)
        return await self._logs.append(place, attempt, offset=offset, raw=raw, data=data)

    async def end_log(self, stage: int, token: str, step: int, *, attempt: int) -> None:
        """See `Dispatch.end_log`."""
        place = await self._database.read(leasing.log_place, stage, token, step)
        await self._logs.end(place, attempt)

    async def finish(self, stage: int, token: str, report: StageReport) -> None:
        """See `Dispatch.finish`."""
        await self._database.write(leasing.finished, stage, token, report)
        self._wake.set()
