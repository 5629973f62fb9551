"""A stage's line to the system: every call is tried again while the system does not answer.

A lost lease ends everything at once as `LeaseLost`: whoever holds the lease now goes on with the
same containers, so nothing may be touched any more.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from fairway.kit.aio import Wake
from fairway.model.errors import Conflict, FairwayError
from fairway.pipeline.dispatch import (
    RENEW_SECONDS,
    Dispatch,
    Lease,
    Orders,
    StageReport,
    StepReport,
)

T = TypeVar("T")
_FIRST_S: Final = 0.2
_LONGEST_S: Final = 5.0
_AT_ONCE_S: Final = 0.2
_LEAST_S: Final = 1.0  # between two renewals
_log = logging.getLogger(__name__)


class LeaseLost(Exception):
    """Another holder has the stage: touch nothing."""


def backoff(tries: int, spread: random.Random) -> float:
    """Seconds before the next try: doubling to a limit, with jitter."""
    longest = min(_LONGEST_S, _FIRST_S * 2.0**tries)
    return longest * (0.5 + spread.random() / 2)


class Link:
    """`Dispatch` for one lease, without its outages."""

    def __init__(self, dispatch: Dispatch, lease: Lease, spread: random.Random) -> None:
        self._dispatch = dispatch
        self._lease = lease
        self._spread = spread
        self.orders = Orders()
        self.ordered = Wake()

    async def keep(self) -> None:
        """Renew the lease for ever; orders are noted as they come.

        The answer to a renewal waits for orders, so the next one follows at once; only after an
        order to stop, or where the system answered suspiciously fast, there is a pause.
        """
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            self._note(await self._insist(self._renew))
            if self.orders.stop or loop.time() - began < _AT_ONCE_S:
                await asyncio.sleep(RENEW_SECONDS / 2)

    async def _renew(self) -> Orders:
        return await self._dispatch.renew(self._lease.stage, self._lease.token)

    async def step(self, report: StepReport) -> None:
        """Report a step."""
        lease = self._lease
        self._note(
            await self._insist(lambda: self._dispatch.step(lease.stage, lease.token, report))
        )

    async def append(self, step: int, *, attempt: int, offset: int, raw: int, data: bytes) -> int:
        """Append to a log; returns the kept end."""
        lease = self._lease
        return await self._insist(
            lambda: self._dispatch.append(
                lease.stage, lease.token, step, attempt=attempt, offset=offset, raw=raw, data=data
            )
        )

    async def end_log(self, step: int, *, attempt: int) -> None:
        """Say that a log is whole."""
        lease = self._lease
        await self._insist(
            lambda: self._dispatch.end_log(lease.stage, lease.token, step, attempt=attempt)
        )

    async def finish(self, report: StageReport) -> None:
        """The last word, repeated until it is heard."""
        lease = self._lease
        await self._insist(lambda: self._dispatch.finish(lease.stage, lease.token, report))

    def _note(self, orders: Orders) -> None:
        if orders.stop and not self.orders.stop:
            self.orders = orders
            self.ordered.set()

    async def _insist(self, call: Callable[[], Awaitable[T]]) -> T:
        tries = 0
        while True:
            try:
                return await call()
            except Conflict as error:
                if error.code == "lease-lost":
                    raise LeaseLost(str(error)) from error
                raise
            except FairwayError as error:
                if not error.retriable:
                    raise
                _log.warning("the system does not answer (try %d): %s", tries + 1, error)
            await asyncio.sleep(backoff(tries, self._spread))
            tries += 1
