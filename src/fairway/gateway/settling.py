"""Brings Envoy to what the observed objects say, and finds who is to blame where it refuses.

What is held back, and the routes that were accepted, are kept in files of the gateway's folder: a
Fairway that was killed goes on with the same objects held back, and nothing that Envoy has is given
up to find them again.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

from fairway.gateway.envoy.programmer import Confirmed, Rejected
from fairway.gateway.refusals import (
    Held,
    as_served,
    as_told,
    content_of,
    culprits,
    index,
    still_held,
    suspects,
)
from fairway.gateway.snapshot import Composed, Object, Ref, Resource, Snapshot, World
from fairway.kit.aio import blocking
from fairway.kit.files import replace_private
from fairway.model.errors import Internal

_log = logging.getLogger(__name__)
_KEPT: Final = ("HTTPRoute", "GRPCRoute", "Ingress", "Gateway")  # what is remembered over a restart
_ROUNDS: Final = 4

Compose = Callable[[World], Composed]


class Envoy(Protocol):
    """What takes snapshots: `envoy.programmer.Programmer`."""

    @property
    def routes(self) -> Mapping[str, Resource]:
        """The confirmed routes."""
        ...

    async def apply(self, wanted: Snapshot) -> Confirmed | Rejected:
        """Bring it about, or say what is refused. Raises `Unavailable`."""
        ...


class Settled(Struct, frozen=True):
    """What Envoy has, and what is to be told of it."""

    confirmed: Confirmed
    served: Composed
    told: Composed
    held: Mapping[Ref, Held]


class Settler:
    """One Envoy's memory of which objects were good."""

    def __init__(self, compose: Compose, envoy: Envoy, memory: Path) -> None:
        self._compose, self._envoy, self._memory = compose, envoy, memory
        self._good: dict[Ref, Object] | None = None
        self._held: dict[Ref, Held] = {}
        self._former: Mapping[Ref, Object] = {}
        self._kept: bytes = b""

    async def load(self) -> None:
        """Take up what a former Fairway remembered."""
        self._kept = await blocking(_read, self._memory)
        remembered = _decode(self._kept)
        self._held = remembered.refused()
        self._former = remembered.accepted()

    def release(self) -> None:
        """Try everything again that is held back: what was in the way may have gone."""
        self._held = {}

    @property
    def holds(self) -> bool:
        """Whether anything is held back."""
        return bool(self._held)

    async def settle(self, world: World) -> Settled:
        """Bring Envoy to `world`, as far as it takes it. Raises `Unavailable`; may be repeated."""
        objects = index(world)
        good = self._good if self._good is not None else self._assumed(objects)
        held = still_held(self._held, objects)
        served = self._compose(as_served(world, held))
        done = await self._envoy.apply(served.snapshot)
        for number in range(_ROUNDS):
            if isinstance(done, Confirmed):
                break
            found = await self._blame(world, (served, done), good, held, wide=number > 0)
            held |= {
                ref: Held(said, content_of(objects[ref]) if ref in objects else "", good.get(ref))
                for ref, said in found.items()
            }
            served = self._compose(as_served(world, held))
            done = await self._envoy.apply(served.snapshot)
        if isinstance(done, Rejected):
            raise Internal(f"Envoy refuses {done.names[0]} whatever is left out: {done.message}")
        formers = {ref: one.former for ref, one in held.items() if one.former}
        self._good = {**{ref: objects[ref] for ref in objects.keys() - held.keys()}, **formers}
        self._held = held
        told = self._compose(as_told(world, held)) if held else served
        return Settled(confirmed=done, served=served, told=told, held=held)

    def _assumed(self, objects: Mapping[Ref, Object]) -> dict[Ref, Object]:
        """After a restart: remembered routes were accepted as they are remembered, others as they
        are now."""
        plain = {ref: one for ref, one in objects.items() if ref.kind not in _KEPT}
        return {**plain, **self._former}

    async def _blame(
        self,
        world: World,
        refused: tuple[Composed, Rejected],
        good: Mapping[Ref, Object],
        held: Mapping[Ref, Held],
        *,
        wide: bool,
    ) -> dict[Ref, str]:
        composed, rejected = refused
        _log.warning("Envoy refuses %s: %s", ", ".join(rejected.names), rejected.message)
        names = [f"{rejected.kind}/{name}" for name in rejected.names]
        known: Mapping[Ref, Object] = {} if wide else good
        found = [ref for ref in suspects(composed, names, index(world), known) if ref not in held]

        async def attempt(without: frozenset[Ref]) -> str | None:
            out = {ref: Held("", "", good.get(ref)) for ref in without}
            tried = self._compose(as_served(world, {**held, **out}))
            done = await self._envoy.apply(tried.snapshot)
            return done.message if isinstance(done, Rejected) else None

        return await culprits(found, attempt, rejected.message, whole=wide) if found else {}

    async def save(self) -> None:
        """Write down what is held back and what was accepted, where that has changed."""
        if self._good is None:
            return
        content = _Memory.of(self._held, self._good)
        if content != self._kept:
            await blocking(replace_private, self._memory, content)
            self._kept = content


class _Memory(Struct, frozen=True):
    held: list[tuple[Ref, Held]] = []
    good: list[tuple[Ref, dict[str, Any]]] = []

    def refused(self) -> dict[Ref, Held]:
        return dict(self.held)

    def accepted(self) -> dict[Ref, Object]:
        return dict(self.good)

    @staticmethod
    def of(held: Mapping[Ref, Held], good: Mapping[Ref, Object]) -> bytes:
        """Without statuses, which change for other reasons."""
        kept = [
            (ref, {key: value for key, value in one.items() if key != "status"})
            for ref, one in sorted(good.items())
            if ref.kind in _KEPT
        ]
        return msgspec.json.encode(_Memory(held=sorted(held.items(), key=_first), good=kept))


def _first(item: tuple[Ref, Held]) -> Ref:
    return item[0]


def _decode(content: bytes) -> _Memory:
    with contextlib.suppress(msgspec.MsgspecError):
        return msgspec.json.decode(content, type=_Memory)
    return _Memory()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
