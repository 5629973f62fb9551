"""A change request: tested as what `main` would become, and nothing of it is deployed."""

from __future__ import annotations

from fairwaydemo.voyage import building, delivering
from fairwaydemo.voyage.world import World

BRANCH = "count-films"
TITLE = "feat: say how many films were found"
WEB = "catalogue/web.py"
API_TEST = "tests/api/test_api.py"
FOUND = 'return 200, {"films": [film.as_json() for film in films]}'
COUNTED = 'return 200, {"count": len(films), "films": [film.as_json() for film in films]}'
TEST = """

def test_how_many_were_found():
    _, body = answer(MemoryStore(), "GET", "/films?genre=comedy")
    assert body["count"] == len(body["films"]) == 3
"""


def write(world: World) -> str:
    """The change with its tests, on a branch; returns the commit."""
    copy = world.copies["catalogue"]
    copy.follow()
    copy.git("checkout", "--quiet", "-b", BRANCH)
    copy.change(WEB, FOUND, COUNTED)
    copy.change(API_TEST, '[1] == {"films": []}', '[1] == {"count": 0, "films": []}')
    copy.add("tests/unit/test_web.py", TEST)
    return copy.commit(TITLE)


def tell(world: World) -> None:
    """Ada asks; Fairway tests; nothing else happens."""
    screen, copy = world.screen, world.copies["catalogue"]
    screen.say(
        "She wants the catalogue to say how many films it found. Her branch is tested as what\n"
        "`main` would become with it, and none of it is deployed, whatever its files say."
    )
    write(world)
    before = len(delivering.promotions(world))
    screen.command(f"git push -o change-request origin {BRANCH}")
    said = copy.git("push", "-o", "change-request", "origin", BRANCH)
    for line in said.splitlines():
        if "Change request #" in line:
            screen.note(line.strip())
    screen.command("fairway change-request merge 1 --squash --when-green")
    world.people.ada.must(
        "change-request", "merge", "1", "--squash", "--when-green", "--repo", copy.slug
    )
    found = world.wait(
        "the build of the change request",
        lambda: made if (made := delivering.change(world, copy.slug, 1)).build else None,
    )
    made = building.must_pass(world, building.outcome(world, "catalogue", found.build))
    merged = world.wait(
        "the merge",
        lambda: one if (one := delivering.change(world, copy.slug, 1)).state != "open" else None,
    )
    after = len(delivering.promotions(world))
    screen.say(
        f"  {screen.mark('passed')} change request #1 is {merged.state}, as {merged.merged[:8]}; "
        f"deployments because of it: {after - before}"
    )
    world.facts["change"] = {
        "request": delivering.plain(merged),
        "build": made.plain(),
        "deployments": after - before,
    }
