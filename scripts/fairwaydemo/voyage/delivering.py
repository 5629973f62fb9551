"""Follows releases and promotions, and says in a line what became of each."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from fairway.client.wire.change import Change
from fairway.client.wire.common import Page
from fairway.client.wire.release import Environment, Promotion, Release
from fairwaydemo.follow import seconds
from fairwaydemo.ground import ORGANISATION
from fairwaydemo.trouble import Trouble
from fairwaydemo.voyage.world import World

BAD = frozenset({"failed", "rejected", "superseded", "cancelled"})


def plain(item: Any) -> Any:
    """For the summary."""
    return msgspec.to_builtins(item)


def released(world: World, service: str, build: int) -> Release:
    """The release that came of a build's candidate, once it is published. Raises Trouble."""

    def look() -> Release | None:
        query = {"service": service, "delivery": ORGANISATION}
        for one in world.ground.api.get("/releases", Page[Release], query).items:
            if one.build == build and one.state != "pending":
                return one
        return None

    found = world.wait(f"{service}: its chart is tried", look)
    if found.state != "published":
        raise Trouble(f"{service} {found.version} was not released: {found.problem}")
    return found


def promotions(world: World, service: str = "", environment: str = "") -> list[Promotion]:
    """Every way of a release into an environment, the newest first."""
    query = {"service": service, "environment": environment, "delivery": ORGANISATION}
    return list(world.ground.api.pages("/promotions", Promotion, query))


def on_its_way(
    world: World, release: Release, environment: str, *, until: str = "", kind: str = "promotion"
) -> Promotion:
    """The promotion of a release: as soon as it is in a state, or has ended. Never raises for how
    it ends."""

    def look() -> Promotion | None:
        for one in promotions(world, release.service, environment):
            if (one.version, one.kind) == (release.version, kind):
                if one.state == until or one.state in BAD or one.state == "passed":
                    return one
                world.screen.now(f"{environment}: {one.state} {one.step} {', '.join(one.waits)}")
        return None

    return world.wait(f"{release.service} {release.version} goes to {environment}", look)


def asks(world: World, release: Release, environment: str = "production") -> Promotion:
    """The promotion of a release once it waits for nothing but an approval, or is further."""

    def look() -> Promotion | None:
        for one in promotions(world, release.service, environment):
            if one.version == release.version:
                alone = len(one.waits) == 1 and "approval" in one.waits[0]
                if one.state != "waiting" or alone:
                    return one
                world.screen.now(f"{environment}: waits for {', '.join(one.waits)}")
        return None

    return world.wait(f"{release.service} {release.version} comes up to {environment}", look)


def arrived(world: World, release: Release, environment: str) -> Promotion:
    """The promotion of a release that comes well into an environment. Raises Trouble."""
    found = on_its_way(world, release, environment)
    if found.state != "passed":
        raise Trouble(
            f"{release.service} {release.version} in {environment}: {found.state}: {found.message}"
        )
    return found


def tell_arrival(world: World, found: Promotion, how: str) -> None:
    """A line for it."""
    screen = world.screen
    took = seconds(found.started, found.ended)
    screen.say(
        f"  {screen.mark('passed')} [bold]{found.environment}[/] runs {found.service} "
        f"{found.version}, after {took:.1f} s: {how}"
    )


def environments(world: World) -> list[Environment]:
    """What runs where."""
    return world.ground.api.get("/environments", Page[Environment]).items


def change(world: World, slug: str, number: int) -> Change:
    """A change request as it is."""
    return world.ground.api.get(f"/repos/{slug}/changes/{number}", Change)


def moment() -> float:
    """Now, to measure from."""
    return time.monotonic()
