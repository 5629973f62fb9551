"""Mistakes put into the controllers on purpose: voyages must find each within a few seeds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from msgspec.structs import replace

from fairway.gitops import automation, plan
from fairway.queue.shards import Shards
from fairway.rollout import bluegreen, controller, services, traffic
from fairway.rollout.decide import decide as decided
from fairway.rollout.objects import ReplicaSet
from fairway.rollout.telling import Telling

WITHIN = 30
"""Every mistake is found in so many voyages."""


@contextlib.contextmanager
def _moves_traffic_to_nothing() -> Iterator[None]:
    """A canary that gets requests, and its Service, whether it has pods or not."""

    def offer(draft: Any, name: str, one: ReplicaSet | None) -> bool:
        return one is not None and services.switch(draft, name, one.hash)

    with (
        mock.patch.object(traffic, "_wanted", return_value=50),
        mock.patch.object(services, "offer", offer),
    ):
        yield


def _switches_unready() -> Any:
    """A blue/green switch that does not wait for the new version."""

    def switch(draft: Any, active: str) -> str:
        if draft.new is None:
            return str(draft.selects(active))
        services.switch(draft, active, draft.new.hash)
        return str(draft.new.hash)

    return mock.patch.object(bluegreen, "_switch", switch)


def _never_heals() -> Any:
    """Automation that syncs what is pushed and leaves what is edited by hand."""
    return mock.patch.object(automation, "_again", return_value=automation.NOTHING)


def _never_prunes() -> Any:
    """What Git no longer has stays in the cluster."""
    return mock.patch.object(plan, "prune_refusal", return_value="not pruned")


def _forgets_gained_shards() -> Any:
    """A process that takes over another's shards and does not look at what is in them."""

    def on_gain(_self: Shards, _handler: Any) -> Callable[[], None]:
        return lambda: None

    return mock.patch.object(Shards, "on_gain", on_gain)


def _sleeps_through() -> Any:
    """Rollouts that are not looked at again when a pause is over."""

    def decide(*given: Any) -> Any:
        return replace(decided(*given), again=None)

    return mock.patch.object(controller, "decide", decide)


def _tells_nobody() -> Any:
    """Rollouts of which no event is written."""

    async def told(*_: Any) -> None:
        """Nobody hears."""

    return mock.patch.object(Telling, "__call__", told)


ALL: dict[str, Callable[[], Any]] = {
    "moves-traffic-to-nothing": _moves_traffic_to_nothing,
    "switches-unready": _switches_unready,
    "never-heals": _never_heals,
    "never-prunes": _never_prunes,
    "forgets-gained-shards": _forgets_gained_shards,
    "sleeps-through": _sleeps_through,
    "tells-nobody": _tells_nobody,
}

SIGNS: dict[str, str] = {
    "moves-traffic-to-nothing": "which has no pods",
    "switches-unready": "which has no pods",
    "never-heals": "not Synced",
    "never-prunes": "not Synced",
    "forgets-gained-shards": "not within",
    "sleeps-through": "though every pause has an end",
    "tells-nobody": "people were told",
}
"""By what each is found: not by just any failure."""


@contextlib.contextmanager
def bitten(name: str | None) -> Iterator[None]:
    """The product with one mistake, or as it is."""
    with ALL[name]() if name else contextlib.nullcontext():
        yield
