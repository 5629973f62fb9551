"""A release whose fault passes every test, is caught at the canary's first step, and reverted."""

from __future__ import annotations

from fairway.client.wire.release import Promotion, Release
from fairwaydemo.follow import seconds
from fairwaydemo.voyage import building, canary, delivering
from fairwaydemo.voyage.change import COUNTED, WEB
from fairwaydemo.voyage.red import BAD, GOOD, STORE
from fairwaydemo.voyage.world import World

TITLE = "feat: say what a genre is about"
ABOUT = """

ABOUT = {
    "animation": "drawn",
    "comedy": "to laugh",
    "drama": "to weep",
    "fantasy": "to dream",
    "horror": "to shudder",
}


class Handler("""
ANSWER = """genre = query.get("genre", "")
        found = {"count": len(films), "films": [film.as_json() for film in films]}
        return 200, {**found, "about": ABOUT[genre] if genre else ""}"""


def write(world: World) -> str:
    """What each genre is about; for one of them nobody wrote it down, and no test asks."""
    copy = world.copies["catalogue"]
    copy.follow()
    copy.change(STORE, BAD, GOOD)
    copy.commit("fix: search without minding the case again")
    copy.change(WEB, "\n\nclass Handler(", ABOUT)
    copy.change(WEB, COUNTED, ANSWER)
    copy.change(
        "tests/api/test_api.py",
        '{"count": 0, "films": []}',
        '{"count": 0, "films": [], "about": ""}',
    )
    return copy.commit(TITLE)


def tell(world: World) -> None:
    """Through all tests into the canary; there the gateway's counters speak."""
    screen = world.screen
    screen.say(
        "The next release mends that, and says what each genre is about. For documentaries nobody\n"
        "wrote it down: it fails for who looks for one. No test does; visitors do."
    )
    commit = write(world)
    building.push(world, "catalogue")
    made = building.must_pass(world, building.built(world, "catalogue", commit))
    release = delivering.released(world, "catalogue", made.number)
    for environment in ("dev", "staging"):
        delivering.tell_arrival(
            world, delivering.arrived(world, release, environment), "nothing seems wrong"
        )
    waits = delivering.asks(world, release)
    began = delivering.moment()
    world.listen(f"deployment/{waits.id}")
    screen.command(f"fairway approve catalogue@{release.version} --env production")
    world.people.grace.must("approve", f"catalogue@{release.version}", "--env", "production")
    failed = delivering.on_its_way(world, release, "production")
    revert = _reverted(world, failed)
    ended = delivering.moment()
    world.listen()
    _say(world, release, failed, revert=revert, between=(began, ended))


def _reverted(world: World, failed: Promotion) -> Promotion:
    """The way back that Fairway takes by itself."""

    def look() -> Promotion | None:
        for one in delivering.promotions(world, "catalogue", "production"):
            if (
                one.id > failed.id
                and one.kind == "revert"
                and one.state not in ("waiting", "running")
            ):
                return one
        return None

    return world.wait("the way back", look)


def _say(
    world: World,
    release: Release,
    failed: Promotion,
    *,
    revert: Promotion,
    between: tuple[float, float],
) -> None:
    screen = world.screen
    tally = world.visitors.between(*between)
    lasted = tally.last_failed - tally.first_failed
    screen.say(
        f"  {screen.mark('failed')} [bold]production refused catalogue {release.version}[/]: "
        f"{screen.plain(failed.message)}"
    )
    screen.say(
        f"  {screen.mark('passed')} back at {revert.version} in "
        f"{seconds(revert.started, revert.ended):.1f} s, in Git as well ({revert.commit[:8]})"
    )
    screen.say(
        f"    what visitors saw: {tally.requests} answers, {tally.by.get('genres', 0)} of the new "
        f"version, [bold]{tally.failed} failed[/], all within {lasted:.1f} s"
    )
    world.facts["fault"] = {
        "release": delivering.plain(release),
        "production": delivering.plain(failed),
        "revert": delivering.plain(revert),
        "visitors": tally._asdict(),
        "verdicts": canary.verdicts(world, release.digest),
    }
