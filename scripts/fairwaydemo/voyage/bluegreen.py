"""The storefront has no approval gate: blue/green into production, its preview tested first."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from itertools import pairwise

from fairwaydemo.ground import Ground
from fairwaydemo.voyage import building, catalogue, delivering
from fairwaydemo.voyage.world import World

HOST = "www.webflix.localhost"
BEFORE, AFTER = "films that are out of copyright", "films for everybody, for ever"
READ_ON = 10  # of the new page: endpoints reach the gateway a moment after the switch
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Reader(threading.Thread):
    """Somebody who reads the front page again and again, and notes which version it was."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._enough = threading.Event()
        self.seen: list[tuple[float, str]] = []

    def run(self) -> None:
        """Read until told otherwise."""
        while not self._enough.wait(0.1):
            self.seen.append((time.monotonic(), self._look()))

    def _look(self) -> str:
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}/", headers={"Host": HOST})
        try:
            with _direct.open(request, timeout=10) as reply:
                page = reply.read().decode()
        except OSError:
            return "failed"
        return "new" if AFTER in page else "old" if BEFORE in page else "failed"

    def times(self, word: str) -> int:
        """How often it was that version so far."""
        return sum(what == word for _, what in self.seen)

    def end(self) -> list[str]:
        """What was seen, in order."""
        self._enough.set()
        self.join()
        return [what for _, what in self.seen]


def write(world: World) -> str:
    """A word on the front page."""
    copy = world.copies["storefront"]
    copy.follow()
    copy.change("storefront/pages.py", BEFORE, AFTER)
    return copy.commit("feat: say whom the films are for")


def tell(world: World) -> None:
    """It overtakes the catalogue, which waits."""
    screen = world.screen
    waiting = _waits(world)
    commit = write(world)
    reader = Reader(world.ground.gateway)
    reader.start()
    try:
        building.push(world, "storefront")
        made = building.must_pass(world, building.built(world, "storefront", commit))
        release = delivering.released(world, "storefront", made.number)
        for before in ("dev", "staging"):
            delivering.arrived(world, release, before)
        found = delivering.arrived(world, release, "production")
        world.wait("the visitor reads on", lambda: reader.times("new") >= READ_ON or None)
    finally:
        seen = reader.end()
    delivering.tell_arrival(world, found, "blue/green, nobody was asked")
    tests = previews(world.ground, release.digest)
    for one in tests:
        screen.note(f"the preview's own test, before the switch: {one['name']} {one['phase']}")
    switches = sum(a != b for a, b in pairwise(seen))
    screen.say(
        f"  {screen.mark('passed')} a visitor read the front page {len(seen)} times: "
        f"{seen.count('old')} times the old one, then {seen.count('new')} times the new one, "
        f"failed: {seen.count('failed')}"
    )
    still = _waits(world)
    world.facts["bluegreen"] = {
        "build": made.plain(),
        "release": delivering.plain(release),
        "production": delivering.plain(found),
        "previews": tests,
        "seen": {word: seen.count(word) for word in ("old", "new", "failed")},
        "switches": switches,
        "waited_before": waiting,
        "waited_after": still,
    }


def _waits(world: World) -> dict[str, object]:
    """How the catalogue waits for production."""
    found = delivering.asks(world, catalogue.release(world, "candidate"))
    screen = world.screen
    screen.say(
        f"  {screen.mark('waiting')} production: catalogue {found.version} waits for "
        f"{', '.join(found.waits)}"
    )
    return {"id": found.id, "state": found.state, "waits": found.waits}


def previews(ground: Ground, digest: str) -> list[dict[str, str]]:
    """The tests of the preview that ran in production with an image."""
    said = ground.fairway(
        "kubectl", "get", "analysisruns", "-n", "webflix-production", "-o", "json"
    )
    found = []
    for one in json.loads(said)["items"]:
        if digest in json.dumps(one["spec"]):
            phase = one.get("status", {}).get("phase", "")
            found.append({"name": one["metadata"]["name"], "phase": phase})
    return found
