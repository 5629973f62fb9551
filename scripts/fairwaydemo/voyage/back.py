"""A person goes back to the release before, by one command."""

from __future__ import annotations

from fairwaydemo.follow import seconds
from fairwaydemo.trouble import Trouble
from fairwaydemo.voyage import delivering
from fairwaydemo.voyage.world import World

WHY = "the count is wrong for films in two genres"


def tell(world: World) -> None:
    """From the command to the last answer of the version that was left."""
    screen = world.screen
    words = ("rollback", "catalogue", "--env", "production", "--why", WHY, "--wait")
    screen.command(f"fairway rollback catalogue --env production --why '{WHY}' --wait")
    began = delivering.moment()
    screen.quote(world.people.grace.must(*words))
    ended = delivering.moment()
    found = next(
        one
        for one in delivering.promotions(world, "catalogue", "production")
        if one.kind == "rollback"
    )
    if found.state != "passed":
        raise Trouble(f"the way back {found.state}: {found.message}")
    last = world.visitors.last_of("counting") - began
    tally = world.visitors.between(began, delivering.moment())
    screen.say(
        f"  {screen.mark('passed')} visitors got the last answer of {found.previous} {last:.1f} s "
        f"after the command; failed: {tally.failed}. It is a commit in Git ({found.commit[:8]}),"
    )
    screen.say(f"    by {found.actor}, because: {found.why}")
    world.facts["rollback"] = {
        "production": delivering.plain(found),
        "last_answer_s": round(last, 2),
        "command_s": round(ended - began, 2),
        "server_s": seconds(found.created, found.ended),
        "visitors": tally._asdict(),
    }
