"""Pushes, and the builds that come of them."""

from __future__ import annotations

import time
from typing import Any

from fairway.client.wire.build import Build
from fairway.client.wire.common import Page
from fairway.client.wire.system import Image
from fairwaydemo.follow import follow, seconds
from fairwaydemo.ground import ORGANISATION
from fairwaydemo.trouble import Trouble
from fairwaydemo.voyage.outcome import Outcome
from fairwaydemo.voyage.world import World


def push(world: World, service: str) -> None:
    """Push `main`."""
    world.screen.command(f"cd {service} && git push origin main")
    began = time.monotonic()
    world.copies[service].git("push", "--quiet", "origin", "main")
    world.screen.note(f"pushed in {time.monotonic() - began:.1f} s")


def built(world: World, service: str, commit: str, *, event: str = "push") -> Outcome:
    """Follow the build of a commit to its end. Raises Trouble where none begins."""
    slug = f"{ORGANISATION}/{service}"

    def look() -> int | None:
        query = {"repository": slug}
        for one in world.ground.api.get("/builds", Page[Build], query).items:
            if one.event == event and one.after == commit and not one.parent:
                return one.number
        return None

    number = world.wait(f"{slug}: its build begins", look)
    return outcome(world, service, number)


def outcome(world: World, service: str, number: int, *, what: str = "") -> Outcome:
    """Follow a build by its number, and tell what came of it; `what` it is, if not its event."""
    slug = f"{ORGANISATION}/{service}"
    build = follow(world.ground, slug, number)
    steps = [step for stage in build.stages for step in stage.steps if step.name != "clone"]
    made = Outcome(
        service=service,
        number=number,
        event=build.event,
        status=build.status,
        commit=build.after,
        seconds=seconds(build.started, build.finished),
        passed=[step.name for step in steps if step.status == "passed"],
        failed=[step.name for step in steps if step.status in ("failed", "errored")],
        skipped=[step.name for step in steps if step.status == "skipped"],
        carried=[step.name for step in steps if step.carried],
        images=_judged(world, slug, number),
        companions=[
            {"image": one.image, "digest": one.digest, "origin": one.origin}
            for one in build.companions
        ],
        notification=world.receiver.said(service, number),
        what=what or build.event.replace("_", " "),
    )
    world.outcomes.append(made)
    _sum_up(world, made)
    return made


def must_pass(world: World, made: Outcome) -> Outcome:
    """The later parts stand on this build. Raises Trouble with the logs of what failed."""
    if made.status == "passed":
        return made
    slug = f"{ORGANISATION}/{made.service}"
    words = ("logs", str(made.number), "--failed", "--tail", "30", "--repo", slug)
    logs = world.ground.fairway(*words, check=False)
    why = world.ground.fairway("describe", "build", f"{slug}#{made.number}", check=False)
    raise Trouble(f"{slug}#{made.number} should have passed:\n{why}\n{logs}")


def _judged(world: World, slug: str, number: int) -> list[dict[str, Any]]:
    """The build's images, once every one of them has been judged."""

    def look() -> list[Image] | None:
        query: dict[str, str | int] = {"repository": slug, "build": number}
        found = world.ground.api.get("/images", Page[Image], query).items
        return found if all(one.candidate for one in found) else None

    names = ("repository_name", "digest", "name", "target", "candidate", "reason", "tags")
    found = world.wait(f"{slug}#{number}: its images are judged", look)
    return [{name: getattr(one, name) for name in names} for one in found]


def _sum_up(world: World, made: Outcome) -> None:
    screen = world.screen
    name = f"{ORGANISATION}/{made.service}#{made.number}"
    for one in made.companions:
        screen.note(f"beside it ran {one['image']} {one['digest'][:19]}: that of {one['origin']}")
    screen.say(
        f"  {screen.mark(made.status)} [bold]{name} {made.status}[/] in {made.seconds:.1f} s"
    )
    said = made.notification
    if said:
        words = f"{said['service']} #{said['build']}: {said['status']}"
        screen.say(f"    the receiver got: [bold]{words}[/]")
    image = made.image
    if image:
        good = image["candidate"] == "yes"
        words = "[green]is a candidate[/]" if good else "[red]is no candidate[/]"
        screen.say(f"    {image['repository_name']}@{image['digest'][:19]} {words}")
        if image["reason"]:
            screen.note(f"  because {image['reason']}")
