"""Shards: several processes share the work of a kind of controller by leases.

A kind has 64 shards, and a key (cluster, namespace, name) belongs to one of them for ever. A
process holds its part of the shards as leases (store/lease.py), renewed all together; a process
that comes is given its part by the others, that of one that dies is taken when its leases run out.

A lease may run out while its holder is not looking. So a holder stops by its own clock before
that: work under `holding` is cancelled, with `MARGIN_S` left to end. Nothing here makes a late
write impossible (a process may be stopped for a minute in the middle of a request): writes to
Kubernetes are conditional on the resourceVersion they were decided on.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import math
import zlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, NamedTuple, TypeVar

from sqlalchemy import Connection

from fairway.kit import clock
from fairway.kit.aio import Wake, shielded
from fairway.model.errors import FairwayError, Unavailable
from fairway.store import lease
from fairway.store.database import Database
from fairway.store.lease import Row

COUNT: Final = 64
LEASE_S: Final = 9.0
RENEW_S: Final = 3.0
MARGIN_S: Final = 1.5
"""Before a lease may run out, its holder has cancelled its work: so long remains for the end."""
_STALE_MS: Final = 3600_000  # a member that was not seen for so long is removed from the table

T = TypeVar("T")
_log = logging.getLogger(__name__)


class ShardLost(Unavailable):
    """A key's shard is another process's (now). Its work goes on there."""


def key_of(cluster: str, namespace: str, name: str) -> str:
    """An object's key among all clusters."""
    return f"{cluster}/{namespace}/{name}"


def shard_of(key: str) -> int:
    """The shard of a key: the same in every process and version."""
    return zlib.crc32(key.encode()) % COUNT


class Plan(NamedTuple):
    """What a process should do about the shards: `wanted` to hold or renew, `surplus` to leave."""

    wanted: frozenset[int]
    surplus: frozenset[int]


def decide(rows: list[Row], me: str, now: int) -> Plan:
    """Which shards `me` should hold, from what all members' leases say.

    Everybody alive gets the same number, rounded up. Whom a shard suits is ranked by a checksum of
    both, so that processes that start together reach for different ones.
    """
    alive = {row.holder for row in rows if row.until >= now} | {me}
    most = max(1, math.ceil(COUNT / len(alive)))
    mine: set[int] = set()
    taken: set[int] = set()
    for row in rows:
        if row.until >= now and "/member/" not in row.name:
            (mine if row.holder == me else taken).add(int(row.name.rpartition("/")[2]))
    ranked = sorted(range(COUNT), key=lambda shard: zlib.crc32(f"{me}/{shard}".encode()))
    kept = [shard for shard in ranked if shard in mine][:most]
    free = [shard for shard in ranked if shard not in mine and shard not in taken]
    wanted = frozenset(kept + free[: most - len(kept)])
    return Plan(wanted, frozenset(mine) - wanted)


class Shards:
    """This process's shards of one kind. Run it as a task; ask `owns`, work under `holding`."""

    def __init__(self, database: Database, kind: str, holder: str) -> None:
        """`holder` names this process, the same after a restart, so that it goes on at once."""
        self.kind = kind
        self._database = database
        self._me = holder
        self._prefix = f"shard/{kind}/"
        self._owned: frozenset[int] = frozenset()
        self._ends: asyncio.TimerHandle | None = None
        self._tasks: dict[_Held, None] = {}
        self._ended = Wake()
        self._gained: list[Callable[[frozenset[int]], None]] = []

    @property
    def owned(self) -> frozenset[int]:
        """The shards that are ours now."""
        return self._owned

    def owns(self, key: str) -> bool:
        """Whether a key's shard is ours now."""
        return shard_of(key) in self._owned

    def on_gain(self, handler: Callable[[frozenset[int]], None]) -> Callable[[], None]:
        """Have `handler` called with shards that become ours, and now with those that are.

        It is to add the keys of these shards to its queue. It is called within the loop, until
        what is returned is called.
        """
        self._gained.append(handler)
        if self._owned:
            handler(self._owned)
        return lambda: self._gained.remove(handler)

    @contextlib.contextmanager
    def holding(self, key: str) -> Iterator[None]:
        """Do a key's work in the current task, which is cancelled when its shard is lost.

        Raises `ShardLost` at once when the shard is not ours, and in the body's place when it was
        lost meanwhile.
        """
        shard = shard_of(key)
        if shard not in self._owned:
            raise _lost(key)
        task = asyncio.current_task()
        if task is None:  # pragma: no cover a caller outside a loop is a defect of ours
            raise RuntimeError("shards are held by tasks")
        held = _Held(shard, task)
        self._tasks[held] = None
        try:
            yield
        except asyncio.CancelledError:
            if held.lost and task.uncancel() <= held.cancelling:
                raise _lost(key) from None
            raise
        finally:
            del self._tasks[held]
            self._ended.set()

    async def guarded(self, key: str, work: Callable[[], Awaitable[T]]) -> T | None:
        """Do `work` while the key's shard is ours; None when it is not, or was lost."""
        try:
            with self.holding(key):
                return await work()
        except ShardLost:
            return None

    # ---- leases ----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Hold a part of the shards until cancelled; then give them back."""
        try:
            while True:
                try:
                    await self._round()
                except FairwayError as error:
                    _log.warning("shards of %s cannot be renewed: %s", self.kind, error)
                await asyncio.sleep(RENEW_S)
        finally:
            self._own(frozenset())
            await shielded(self._give_back())

    async def _round(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        got, surplus = await self._database.write(_renew, self._prefix, self._me)
        end = began + LEASE_S - MARGIN_S
        if end <= loop.time():  # the answer took too long to be believed: the next one counts
            return
        if self._ends is not None:
            self._ends.cancel()
        self._ends = loop.call_at(end, self._run_out)
        self._own(got)
        if surplus:
            await self._leave(surplus)

    def _run_out(self) -> None:
        _log.warning("shards of %s ran out unrenewed: their work is cancelled", self.kind)
        self._own(frozenset())

    def _own(self, now: frozenset[int]) -> None:
        lost, gained = self._owned - now, now - self._owned
        self._owned = now
        for held in self._tasks:
            if held.shard in lost:
                held.lose()
        if gained:
            for handler in [*self._gained]:
                handler(gained)

    async def _leave(self, surplus: frozenset[int], *, member: bool = False) -> None:
        """Give shards to others once their work has ended; else their leases run out."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(MARGIN_S):
                while any(held.shard in surplus for held in self._tasks):
                    await self._ended.wait(MARGIN_S)
        free = surplus - {held.shard for held in self._tasks}
        names = [f"{self._prefix}{shard}" for shard in free]
        if member:
            names.append(_member(self._prefix, self._me))
        await self._database.write(lease.let_go, names, self._me)

    async def _give_back(self) -> None:
        if self._ends is not None:
            self._ends.cancel()
        with contextlib.suppress(FairwayError):  # they run out by themselves
            await self._leave(frozenset(range(COUNT)), member=True)


class _Held:
    """A task that works on a key."""

    def __init__(self, shard: int, task: asyncio.Task[object]) -> None:
        self.shard = shard
        self.lost = False
        self.cancelling = task.cancelling()
        self._task = task

    def lose(self) -> None:
        if not self.lost:
            self.lost = True
            self._task.cancel("its shard was lost")


def _lost(key: str) -> ShardLost:
    return ShardLost(
        f"the shard {shard_of(key)} of {key} is held by another process, or by none",
        code="shard-lost",
        remedy="nothing: the process that holds it goes on with its work",
    )


def _member(prefix: str, me: str) -> str:
    """The lease by which others see a process that holds nothing yet."""
    return f"{prefix}member/{hashlib.sha256(me.encode()).hexdigest()[:16]}"


def _renew(db: Connection, prefix: str, me: str) -> tuple[frozenset[int], frozenset[int]]:
    """Take or renew what is wanted; returns what is ours, and what is to be left."""
    rows = lease.beginning(db, prefix)
    now = clock.now()
    plan = decide(rows, me, now)
    member = _member(prefix, me)
    names = [f"{prefix}{shard}" for shard in sorted(plan.wanted)]
    there = {row.name for row in rows}
    lease.make(db, {member, *names} - there)
    stale = [row.name for row in rows if "/member/" in row.name and row.until < now - _STALE_MS]
    if stale:
        lease.forget(db, stale, now - _STALE_MS)
    got = lease.hold(db, [member, *names], me, LEASE_S) - {member}
    return frozenset(int(name.rpartition("/")[2]) for name in got), plan.surplus
