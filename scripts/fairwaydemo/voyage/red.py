"""A push straight to `main` with a mistake that only the real database shows."""

from __future__ import annotations

from fairwaydemo.voyage import building, chat, delivering
from fairwaydemo.voyage.world import World

STORE = "catalogue/store.py"
GOOD, BAD = "title ILIKE %s AND", "title LIKE %s AND"


def tell(world: World) -> None:
    """Its tests are red: no candidate, no release, no environment changes; somebody is told."""
    screen, copy = world.screen, world.copies["catalogue"]
    screen.say("Its unit tests pass and its image is built: only the real database shows it.")
    copy.follow()
    copy.change(STORE, GOOD, BAD)
    commit = copy.commit("perf: search a little faster")
    before = [(one.environment, one.service, one.digest) for one in delivering.environments(world)]
    count = len(delivering.promotions(world))
    building.push(world, "catalogue")
    made = building.built(world, "catalogue", commit)
    after = [(one.environment, one.service, one.digest) for one in delivering.environments(world)]
    deployments = len(delivering.promotions(world)) - count
    said = world.wait("the chat says so", lambda: _told(world, made.number))
    unchanged = before == after
    screen.say(f"  {screen.mark('passed' if unchanged else 'failed')} deployments because of it: "
               f"{deployments}; every environment runs what it ran")  # fmt: skip
    screen.say(f"  [magenta]chat[/] {screen.plain(said)}")
    world.facts["red"] = {
        "build": made.plain(),
        "deployments": deployments,
        "unchanged": unchanged,
        "chat": said,
    }


def _told(world: World, number: int) -> str | None:
    start = f"webflix/catalogue #{number} "
    for one in world.chat.messages():
        if chat.title(one).startswith(start):
            return ", ".join([chat.title(one), *chat.lines(one)])
    return None
