"""The runner: leases stages as slots are free, runs them, and cleans up behind them.

Stopping it (a cancellation) leaves containers running: whoever leases the stage next, usually the
same runner after its restart, finds them by name and goes on. What nobody came back for is swept
when there is no work to take: then no lease can be held that this runner does not know of.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from fairway.kit.aio import together
from fairway.model.errors import FairwayError, Forbidden, Unauthenticated
from fairway.pipeline.dispatch import Dispatch, Lease
from fairway.pipeline.engine import Engine, Place
from fairway.pipeline.runner.link import LeaseLost, backoff
from fairway.pipeline.runner.stage import StageRun
from fairway.pipeline.runner.tools import Remains, Tools

_CLEAN_TRIES = 5
_PRUNE_S = 600.0
_log = logging.getLogger(__name__)


class Runner:
    """N slots on one machine. `run` returns only by cancellation."""

    def __init__(self, dispatch: Dispatch, tools: Tools) -> None:
        self._dispatch = dispatch
        self._tools = tools
        self._active: dict[str, str] = {}  # stage key -> workspace key, until it is cleaned up
        self._slots = asyncio.Semaphore(tools.settings.identity.capacity)
        self._swept = -tools.settings.sweep_s
        self._pruned = -_PRUNE_S
        self.draining = False

    @property
    def active(self) -> Sequence[str]:
        """Keys of the stages that run here, or are being cleaned up."""
        return sorted(self._active)

    def drain(self) -> None:
        """Take no further work; what runs goes on to its end."""
        self.draining = True

    async def run(self) -> None:
        """Lease and run until cancelled; when draining, until nothing runs.

        Raises `Unauthenticated` or `Forbidden` when the system does not let this runner in.
        """
        async with together() as group:
            tries = 0
            while not self.draining:
                await self._slots.acquire()
                try:
                    settings = self._tools.settings
                    lease = await self._dispatch.lease(settings.identity, wait_s=settings.poll_s)
                    tries = 0
                except (Unauthenticated, Forbidden):  # waiting makes no token a better one
                    raise
                except FairwayError as error:
                    self._slots.release()
                    _log.warning("no work can be had (try %d): %s", tries + 1, error)
                    await asyncio.sleep(backoff(tries, self._tools.spread))
                    tries += 1
                    continue
                if lease is None:
                    self._slots.release()
                    await self._sweep()
                else:
                    self._active[lease.key] = lease.workspace or lease.key
                    group.create_task(self._stage(lease), name=f"stage {lease.key}")
                await self._prune()

    async def _stage(self, lease: Lease) -> None:
        stage = StageRun(self._dispatch, lease, self._tools)
        heard = False
        try:
            try:
                await stage.run()
                heard = True
            except LeaseLost:
                _log.warning("the lease of stage %s was lost: it is left alone", lease.key)
            finally:
                self._slots.release()
            if heard and stage.prepared:
                for things in (stage.engine, *self._tools.remains):
                    await self._clean(things, stage.place)
        finally:
            self._active.pop(lease.key, None)

    async def _clean(self, things: Engine | Remains, place: Place) -> None:
        for tries in range(_CLEAN_TRIES):
            try:
                await things.destroy(place)
            except FairwayError as error:
                _log.warning("stage %s cannot be removed yet: %s", place.key, error)
                await asyncio.sleep(backoff(tries, self._tools.spread))
            else:
                return

    async def _sweep(self) -> None:
        loop, settings = asyncio.get_running_loop(), self._tools.settings
        if loop.time() - self._swept < settings.sweep_s:
            return
        self._swept = loop.time()
        keep = self.active
        for things in (*self._tools.engines.values(), *self._tools.remains):
            try:
                for key in await things.sweep(keep):
                    _log.warning("removed what stage %s had left behind", key)
            except FairwayError as error:
                _log.warning("left-overs cannot be removed yet: %s", error)

    async def _prune(self) -> None:
        """Remove old workspaces; between two leases, so that none is just being taken over."""
        loop, settings = asyncio.get_running_loop(), self._tools.settings
        if loop.time() - self._pruned < _PRUNE_S:
            return
        self._pruned = loop.time()
        keep = [*self._active.values()]
        await self._tools.workspaces.prune(
            keep, older_s=settings.keep_workspaces_s, most_bytes=settings.keep_workspaces_bytes
        )
