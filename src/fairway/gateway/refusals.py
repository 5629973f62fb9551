"""Objects whose configuration Envoy has refused: found among many, held back, tried again. Pure.

What is held back is served as it was: the object's last version that Envoy took stands in for it,
or nothing where there was none. Its status says what Envoy said about the new one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from fairway.gateway.snapshot import Composed, Object, Ref, World

_KEPT: Final = ("spec", "data", "stringData", "type", "endpoints", "ports", "addressType")
# What is to blame rather than what it is used by, where both have changed.
_ORDER: Final = ("Secret", "ConfigMap", "HTTPRoute", "GRPCRoute", "Ingress", "Service", "Gateway")

Attempt = Callable[[frozenset[Ref]], Awaitable[str | None]]
"""Bring about everything but these; Envoy's message if it refuses, else None."""


class Held(Struct, frozen=True):
    """An object that is held back."""

    message: str
    content: str  # of which version: another one is tried at once
    former: Object | None = None  # what Envoy has of it


def ref_of(kind: str, found: Object) -> Ref:
    """Which object it is."""
    meta = found["metadata"]
    return Ref(kind, str(meta.get("namespace", "")), str(meta["name"]))


def index(world: World) -> dict[Ref, Object]:
    """Every observed object by its name."""
    return {ref_of(kind, one): one for kind, found in world.objects.items() for one in found}


def content_of(found: Object) -> str:
    """A name for what counts of an object: not its status, nor what the API server adds."""
    meta: Mapping[str, Any] = found["metadata"]
    named = {key: meta.get(key) for key in ("uid", "labels", "annotations", "deletionTimestamp")}
    parts = [named, {key: found[key] for key in _KEPT if key in found}]
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()[:16]


def still_held(held: Mapping[Ref, Held], objects: Mapping[Ref, Object]) -> dict[Ref, Held]:
    """Those that are as they were when Envoy refused them; others get another try."""
    return {
        ref: one
        for ref, one in held.items()
        if ref in objects and content_of(objects[ref]) == one.content
    }


def as_served(world: World, held: Mapping[Ref, Held]) -> World:
    """What is given to Envoy while some objects are held back."""
    if not held:
        return world
    objects = {
        kind: [served for one in found if (served := _served(held, kind, one)) is not None]
        for kind, found in world.objects.items()
    }
    return replace(world, objects=objects)


def _served(held: Mapping[Ref, Held], kind: str, found: Object) -> Object | None:
    known = held.get(ref_of(kind, found))
    return found if known is None else known.former


def as_told(world: World, held: Mapping[Ref, Held]) -> World:
    """What statuses are made from while some objects are held back."""
    refused = {ref: one.message for ref, one in held.items()}
    return replace(world, refused={**world.refused, **refused})


def suspects(
    composed: Composed,
    refused: Iterable[str],
    objects: Mapping[Ref, Object],
    good: Mapping[Ref, Object],
) -> list[Ref]:
    """Objects that may be why Envoy refused the resources `refused` (`routes/fw-80`).

    Those that have changed since Envoy took everything; without such, all that the resources came
    from. An object that has not changed was accepted before.
    """
    origin = {ref for name in refused for ref in composed.origin.get(name, frozenset())}
    changed = {ref for ref in origin if _changed(objects.get(ref), good.get(ref))}
    order = {kind: place for place, kind in enumerate(_ORDER)}
    return sorted(changed or origin, key=lambda ref: (order.get(ref.kind, len(order)), ref))


def _changed(now: Object | None, before: Object | None) -> bool:
    if now is None or before is None:
        return now is not before
    return now is not before and content_of(now) != content_of(before)


async def culprits(
    found: Sequence[Ref], attempt: Attempt, message: str, *, whole: bool = True
) -> dict[Ref, str]:
    """Which of `found` Envoy refuses, with its words.

    First all are held back, then they are added in halves: at no time is anything given up that
    Envoy had. `attempt` is asked about 2 log2(n) times for each that is bad. Where Envoy refuses
    even without any of them, it is none of theirs alone: all are held back if `found` is the
    `whole` origin of what was refused, none otherwise.
    """
    everything = frozenset(found)
    if len(everything) == 1 and whole:
        return {found[0]: message}
    if (said := await attempt(everything)) is not None:
        return dict.fromkeys(found, said) if whole else {}
    if len(everything) == 1:
        return {found[0]: message}
    bad: dict[Ref, str] = {}
    waiting = set(found)
    stack = [list(found)[len(found) // 2 :], list(found)[: len(found) // 2]]
    while stack:
        group = stack.pop()
        said = await attempt(frozenset(bad) | (waiting - set(group)))
        if said is None:
            waiting -= set(group)
        elif len(group) == 1:
            bad[group[0]] = said
            waiting -= set(group)
        else:
            stack += [group[len(group) // 2 :], group[: len(group) // 2]]
    return bad
