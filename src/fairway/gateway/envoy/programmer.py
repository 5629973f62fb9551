"""Gives Envoy its configuration by files, in an order that loses no request, and waits for its
own word that it has it.

Endpoints and clusters first; when those are warm, routes and listeners. Clusters that nothing leads
to any more are removed after a drain delay. What Envoy refuses is taken back at once, so that an
Envoy that is killed starts with what it had.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from msgspec import Struct

from fairway.gateway.envoy.admin import Admin, Versions
from fairway.gateway.envoy.changes import Changes, Held, changes, fitting, with_endpoints
from fairway.gateway.envoy.files import Files
from fairway.gateway.envoy.words import Words, named
from fairway.gateway.snapshot import FILES, Resource, ResourceKind, Snapshot, version_of
from fairway.kit import clock
from fairway.kit.aio import Wake, blocking
from fairway.kit.clock import Millis
from fairway.model.errors import FairwayError, Unavailable

_log = logging.getLogger(__name__)
_CONFIRM_S: Final = 10.0
_FIRST_S, _LONGEST_S = 0.0005, 0.05  # between looks at the version counters
_IDLE_S: Final = 3600.0
_RETRY_S: Final = 1.0


class Confirmed(Struct, frozen=True):
    """Envoy has it: `version` names exactly this configuration, `at` is when it said so."""

    version: str
    at: Millis


class Rejected(Struct, frozen=True):
    """Envoy refused the resources `names`; traffic is as it was."""

    kind: ResourceKind
    names: tuple[str, ...]
    message: str


class _Refusal(Exception):
    def __init__(self, rejected: Rejected) -> None:
        super().__init__(rejected.message)
        self.rejected = rejected


class Programmer:
    """The only writer of one Envoy's files."""

    def __init__(self, files: Files, admin: Admin, *, drain_s: float, most: int) -> None:
        self._files, self._admin = files, admin
        self._words = Words(files.folder.log)
        self._drain_s, self._most = drain_s, most
        self._lock = asyncio.Lock()
        self._wake = Wake()
        self._held: Held = {kind: {} for kind in FILES}
        self._retired: dict[str, float] = {}  # clusters and when they go, by the loop's clock
        self._sure = False  # whether `_held` is what Envoy has
        self._confirmed: Confirmed | None = None
        self._version: dict[tuple[ResourceKind, str], str] = {}

    async def load(self) -> None:
        """Remember what an Envoy that outlived us was given. The next `apply` asks it."""
        found = await blocking(self._files.read)
        self._held = {kind: dict(found.of(kind)) for kind in FILES}
        self._sure = False

    @property
    def confirmed(self) -> Confirmed | None:
        """What was confirmed last, by this process."""
        return self._confirmed

    @property
    def routes(self) -> Mapping[str, Resource]:
        """The confirmed routes; empty before the first confirmation."""
        return self._held["routes"] if self._confirmed else {}

    def doubt(self) -> None:
        """Envoy was started anew: the next `apply` asks it for every version."""
        self._sure = False

    async def apply(self, wanted: Snapshot) -> Confirmed | Rejected:
        """Bring Envoy to `wanted`.

        Returns when Envoy's counters show it, or when Envoy refused a part. Raises `Unavailable`
        (codes `envoy-unavailable`, `envoy-unconfirmed`) when it says neither in time; may be
        repeated.
        """
        fitted = fitting(wanted, self._most)
        async with self._lock:
            try:
                return await self._apply(fitted)
            except _Refusal as refusal:
                return refusal.rejected
            except (FairwayError, OSError, asyncio.CancelledError):
                self._sure = False
                raise

    async def _apply(self, wanted: Snapshot) -> Confirmed:
        seen = await self._admin.versions()
        todo = changes(self._held, wanted, None if self._sure else seen)
        if todo.nothing and self._confirmed and self._sure:
            return self._confirmed
        await self._many("secrets", todo.secrets, wanted, seen)
        await self._many("endpoints", todo.endpoints, wanted, seen)
        await self._clusters(todo, wanted)
        await self._many("routes", todo.routes, wanted, seen)
        await self._listeners(todo, wanted)
        await self._new(todo, wanted)
        await self._forget(wanted)
        self._sure = True
        self._confirmed = Confirmed(version=self._name(), at=clock.now())
        return self._confirmed

    async def _many(
        self, kind: ResourceKind, names: Sequence[str], wanted: Snapshot, seen: Versions
    ) -> None:
        """Write one file for each name. Those that Envoy watches already are waited for; what it
        will watch only after the next steps is waited for then."""
        if not names:
            return
        watched: Mapping[str, str] = getattr(seen, kind)
        await blocking(self._words.skip)
        expected = {}
        for name in names:
            resource = wanted.of(kind)[name]
            version = await blocking(self._files.write, kind, name, resource)
            if name in watched:
                expected[name] = version
        refused = await self._until(lambda now: _missing(getattr(now, kind), expected))
        if refused is not None:
            await self._take_back(kind, names)
            raise _Refusal(Rejected(kind, tuple(sorted(refused[0])), refused[1]))
        self._remember(kind, names, wanted)

    async def _clusters(self, todo: Changes, wanted: Snapshot) -> None:
        """Add and change clusters; those that go stay until they are drained."""
        if not todo.clusters and "clusters" not in todo.relist:
            return
        union = {**self._held["clusters"], **wanted.clusters}
        await self._whole("clusters", union, todo.clusters)
        fresh = [name for name in todo.clusters if name in wanted.endpoints]
        expected = {name: version_of({name: wanted.endpoints[name]}) for name in fresh}
        refused = await self._until(lambda now: _missing(now.endpoints, expected))
        if refused is not None:
            raise _Refusal(Rejected("endpoints", tuple(sorted(refused[0])), refused[1]))
        await self._warm(with_endpoints(wanted, fresh))

    async def _warm(self, names: list[str]) -> None:
        """Wait until each of these clusters has members: a route to one without answers 503."""
        if not names:
            return

        async def cold() -> bool:
            members = await self._admin.members(names)
            return any(members.get(name, 0) < 1 for name in names)

        await _while(cold, f"the clusters {', '.join(names[:3])} have no members yet")

    async def _listeners(self, todo: Changes, wanted: Snapshot) -> None:
        if todo.listeners or "listeners" in todo.relist:
            await self._whole("listeners", dict(wanted.listeners), todo.listeners)

    async def _whole(
        self, kind: ResourceKind, resources: dict[str, Resource], changed: Sequence[str]
    ) -> None:
        await blocking(self._words.skip)
        version = await blocking(self._files.write_all, kind, resources)
        refused = await self._until(lambda now: () if getattr(now, kind) == version else (kind,))
        if refused is not None:
            await blocking(self._files.write_all, kind, self._held[kind])
            self._sure = False  # Envoy has taken the good ones of that file
            raise _Refusal(Rejected(kind, named(refused[1], changed), refused[1]))
        self._held[kind] = resources
        self._version[kind, ""] = version

    async def _new(self, todo: Changes, wanted: Snapshot) -> None:
        """Wait for what Envoy watches only since its listeners changed."""
        if not todo.routes and not todo.secrets:
            return
        watched = await self._admin.versions()
        routes = _versions("routes", todo.routes, wanted, watched.routes)
        secrets = _versions("secrets", todo.secrets, wanted, watched.secrets)

        def missing(now: Versions) -> Sequence[str]:
            return [*_missing(now.routes, routes), *_missing(now.secrets, secrets)]

        refused = await self._until(missing)
        if refused is None:
            return
        kind: ResourceKind = "routes" if routes.keys() & set(refused[0]) else "secrets"
        bad = tuple(sorted(set(refused[0]) & wanted.of(kind).keys()))
        for name in bad:
            await blocking(self._files.remove, kind, name)
            self._held[kind].pop(name, None)
        self._sure = False
        raise _Refusal(Rejected(kind, bad, refused[1]))

    async def _until(
        self, missing: Callable[[Versions], Sequence[str]]
    ) -> tuple[Sequence[str], str] | None:
        """Wait for Envoy's counters. The names it refused and its message, or None."""
        refused: list[tuple[Sequence[str], str]] = []

        async def waiting() -> bool:
            names = missing(await self._admin.versions())
            if not names:
                return False
            messages = await blocking(self._words.refusals)
            if len(messages) >= len(names):
                refused.append((names, messages[-1]))
            return not refused

        await _while(waiting, "Envoy's version counters do not show the configuration")
        return refused[0] if refused else None

    async def _take_back(self, kind: ResourceKind, names: Sequence[str]) -> None:
        """Put back what was there, for an Envoy that is killed now."""
        for name in names:
            former = self._held[kind].get(name)
            if former is None:
                await blocking(self._files.remove, kind, name)
            else:
                await blocking(self._files.write, kind, name, former)

    def _remember(self, kind: ResourceKind, names: Sequence[str], wanted: Snapshot) -> None:
        for name in names:
            self._held[kind][name] = wanted.of(kind)[name]
            self._version[kind, name] = version_of({name: self._held[kind][name]})

    async def _forget(self, wanted: Snapshot) -> None:
        """Files that nothing names go now, clusters that nothing leads to after the drain delay."""
        for kind in ("routes", "secrets"):
            for name in [*self._held[kind].keys() - wanted.of(kind).keys()]:
                await blocking(self._files.remove, kind, name)
                del self._held[kind][name]
                self._version.pop((kind, name), None)
        due = asyncio.get_running_loop().time() + self._drain_s
        idle = self._held["clusters"].keys() - wanted.clusters.keys()
        self._retired = {name: self._retired.get(name, due) for name in idle}
        self._wake.set()

    async def run(self) -> None:
        """Remove drained clusters, until cancelled."""
        while True:
            first = min(self._retired.values(), default=None)
            now = asyncio.get_running_loop().time()
            if first is None or first > now:
                await self._wake.wait(_IDLE_S if first is None else first - now)
                continue
            try:
                await self._sweep(now)
            except (FairwayError, OSError) as error:
                _log.warning("drained clusters cannot be removed yet: %s", error)
                await asyncio.sleep(_RETRY_S)

    async def _sweep(self, now: float) -> None:
        async with self._lock:
            gone = {name for name, due in self._retired.items() if due <= now}
            kept = {n: one for n, one in self._held["clusters"].items() if n not in gone}
            with suppress(_Refusal):  # taken back; another try follows with the next change
                await self._whole("clusters", kept, sorted(gone))
                for name in gone & self._held["endpoints"].keys():
                    await blocking(self._files.remove, "endpoints", name)
                    del self._held["endpoints"][name]
                    self._version.pop(("endpoints", name), None)
            self._retired = {n: due for n, due in self._retired.items() if n not in gone}

    def _name(self) -> str:
        parts = sorted(f"{kind}/{name}={text}" for (kind, name), text in self._version.items())
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _versions(
    kind: ResourceKind, names: Sequence[str], wanted: Snapshot, watched: Mapping[str, str]
) -> dict[str, str]:
    """The versions to wait for, of those that Envoy watches at all."""
    resources = wanted.of(kind)
    return {name: version_of({name: resources[name]}) for name in names if name in watched}


def _missing(seen: Mapping[str, str], expected: Mapping[str, str]) -> Sequence[str]:
    return [name for name, version in expected.items() if seen.get(name) != version]


async def _while(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Ask until it is no longer so. Raises `Unavailable` (code `envoy-unconfirmed`)."""
    delay = _FIRST_S
    end = asyncio.get_running_loop().time() + _CONFIRM_S
    while await condition():
        if asyncio.get_running_loop().time() > end:
            raise Unavailable(what, code="envoy-unconfirmed", remedy="see envoy.log")
        await asyncio.sleep(delay)
        delay = min(delay * 1.5, _LONGEST_S)
