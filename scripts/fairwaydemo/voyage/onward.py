"""After the merge: built once, tested whole, a candidate, a release; dev, then staging."""

from __future__ import annotations

import re

from fairway.client.wire.build import Build
from fairway.client.wire.common import Page
from fairwaydemo.follow import seconds
from fairwaydemo.voyage import building, delivering
from fairwaydemo.voyage.outcome import Outcome
from fairwaydemo.voyage.world import World


def tell(world: World) -> None:
    """From the merged commit to staging, while the storefront's own change begins its way."""
    screen, copy = world.screen, world.copies["catalogue"]
    commit = world.facts["change"]["request"]["merged"]
    screen.say(
        "The same row once more on what was merged, and this time the image counts: only a digest\n"
        "whose whole build passed is a candidate."
    )
    made = building.must_pass(world, building.built(world, "catalogue", commit))
    _scanned(world, made)
    release = delivering.released(world, "catalogue", made.number)
    took = seconds(release.created, release.published)
    screen.say(
        f"  {screen.mark('passed')} [bold]catalogue {release.version}[/] is a release: its chart "
        f"was linted, its templates tested,"
    )
    screen.say(
        f"    the chart tried in a namespace of its own, and published ({took:.1f} s). The version "
        f"comes of the commits:"
    )
    for one in release.changes:
        screen.note(f"  {one.sha[:8]} {one.subject} ({one.author})")
    copy.follow()
    trailers = copy.git("log", "-1", "--format=%(trailers)", release.commit)
    builds = _builds_of(world, release.commit)
    screen.note(f"  the commit that says so, {release.commit[:8]}, started {builds} builds")
    dev = delivering.arrived(world, release, "dev")
    delivering.tell_arrival(world, dev, "it follows every release")
    staging = delivering.arrived(world, release, "staging")
    delivering.tell_arrival(world, staging, "after 5 s without trouble in dev; a test there passed")
    world.facts["candidate"] = {
        "build": made.plain(),
        "release": delivering.plain(release),
        "trailers": trailers.splitlines(),
        "builds_of_its_commit": builds,
        "dev": delivering.plain(dev),
        "staging": delivering.plain(staging),
    }


def _builds_of(world: World, commit: str) -> int:
    query = {"repository": "webflix/catalogue"}
    found = world.ground.api.get("/builds", Page[Build], query).items
    return sum(one.after == commit for one in found)


def _scanned(world: World, made: Outcome) -> None:
    """The report on the candidate: shown, never a verdict."""
    screen = world.screen
    name = f"{made.image['repository_name']}@{made.image['digest']}"
    screen.command(f"fairway scan {name[:40]}...")
    said = world.people.ada.must("scan", name)
    screen.quote(said, most=6)
    found = re.search(r"(\d+) packages; vulnerabilities: ([a-z ]+)", said)
    world.facts["scan"] = {
        "digest": made.image["digest"],
        "packages": int(found.group(1)) if found else 0,
        "knowledge": found.group(2).strip() if found else "",
    }
