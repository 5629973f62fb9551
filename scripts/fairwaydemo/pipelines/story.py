"""The story: three pushes, a push that fails, a retry; and what all of it came to."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.table import Table

from fairway.client.wire.build import Build, RetryRequest
from fairway.client.wire.common import Page
from fairway.client.wire.system import Image
from fairwaydemo.follow import follow, seconds
from fairwaydemo.ground import ORGANISATION
from fairwaydemo.pipelines.ground import Ground
from fairwaydemo.trouble import Trouble

PATIENCE_S = 60.0
FILM = "Metropolis"
ABOUT = {
    "catalogue": "which films there are: Python over PostgreSQL",
    "ratings": "what people think of them: Go, compiled in a multi-stage build",
    "storefront": "the site: its assets built by esbuild, its pages by Python",
}


@dataclass
class Outcome:
    """What became of one build."""

    service: str
    number: int
    status: str
    commit: str
    seconds: float
    skipped: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    carried: list[str] = field(default_factory=list)
    images: list[dict[str, Any]] = field(default_factory=list)
    notification: dict[str, Any] = field(default_factory=dict)
    what: str = ""


def push(ground: Ground, service: str, what: str) -> Outcome:
    """Push a working copy and follow what comes of it."""
    slug = f"{ORGANISATION}/{service}"
    last = max((one.number for one in _builds(ground, slug)), default=0)
    ground.screen.command(f"cd {service} && git push origin main")
    began = time.monotonic()
    ground.copies[service].git("push", "--quiet", "origin", "main")
    ground.screen.note(f"pushed in {time.monotonic() - began:.1f} s")
    commit = ground.copies[service].head()
    return _outcome(ground, service, _wait_build(ground, slug, last, commit), what)


def retry(ground: Ground, service: str, number: int, *, step: str) -> Outcome:
    """Run one step of a build again, on the workspace that was kept."""
    slug = f"{ORGANISATION}/{service}"
    ground.screen.command(f"fairway retry {number} --step {step} --repo {slug}")
    path = f"/repos/{slug}/builds/{number}/retry"
    made = ground.api.post(path, RetryRequest(step=step), Build, key="new")
    return _outcome(ground, service, made.number, f"retry of {step} in #{number}")


def must_pass(ground: Ground, outcome: Outcome) -> Outcome:
    """The later parts stand on this build. Raises Trouble with the logs of what failed."""
    if outcome.status == "passed":
        return outcome
    slug = f"{ORGANISATION}/{outcome.service}"
    words = ("logs", str(outcome.number), "--failed", "--tail", "30", "--repo", slug)
    logs = ground.fairway(*words, check=False)
    why = ground.fairway("describe", "build", f"{slug}#{outcome.number}", check=False)
    raise Trouble(f"{slug}#{outcome.number} should have passed:\n{why}\n{logs}")


def visit(ground: Ground) -> None:
    """Look at the deployed site through the gateway. Raises Trouble."""
    page = ground.site()
    if FILM not in page:
        raise Trouble(f"{ground.address} shows no {FILM}:\n{page[:500]}")
    screen = ground.screen
    screen.say(f"  {screen.mark('passed')} [cyan]6[/] [bold]{ground.address}[/] shows its films")
    pods = ground.fairway("kubectl", "get", "pods", "--namespace", ORGANISATION, "--output", "name")
    screen.note(f"in the namespace {ORGANISATION}: {', '.join(pods.replace('pod/', '').split())}")
    left = ground.fairway("kubectl", "get", "namespaces", "--output", "name").split()
    tests = [name for name in left if name.startswith("namespace/env-")]
    screen.note(f"namespaces of test environments that are left: {len(tests)}")


def break_search(ground: Ground) -> str:
    """A mistake that only the real database shows; returns the commit's title."""
    title = "Search a little faster"
    copy = ground.copies["catalogue"]
    copy.change("catalogue/store.py", "title ILIKE %s AND", "title LIKE %s AND")
    copy.commit(title)
    return title


def _builds(ground: Ground, slug: str) -> list[Build]:
    return ground.api.get("/builds", Page[Build], {"repository": slug}).items


def _wait_build(ground: Ground, slug: str, last: int, commit: str) -> int:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        for one in _builds(ground, slug):
            if one.number > last and one.after == commit:
                return one.number
        time.sleep(0.1)
    raise Trouble(f"no build of {slug} began within {PATIENCE_S:.0f} s of the push")


def _outcome(ground: Ground, service: str, number: int, what: str) -> Outcome:
    slug = f"{ORGANISATION}/{service}"
    known = len(ground.notifications())
    build = follow(ground, slug, number)
    steps = [step for stage in build.stages for step in stage.steps if step.name != "clone"]
    told = [one for one in steps if one.name == "tell" and not one.carried]
    outcome = Outcome(
        service=service,
        number=number,
        status=build.status,
        commit=build.after,
        seconds=seconds(build.started, build.finished),
        skipped=[step.name for step in steps if step.status == "skipped"],
        failed=[step.name for step in steps if step.status in ("failed", "errored")],
        carried=[step.name for step in steps if step.carried],
        images=_judged(ground, slug, number),
        notification=_notified(ground, known, service, number=number) if told else {},
        what=what,
    )
    _sum_up(ground, outcome)
    return outcome


def _judged(ground: Ground, slug: str, number: int) -> list[dict[str, Any]]:
    """The build's images, once every one of them has been judged."""
    until = time.monotonic() + PATIENCE_S
    while True:
        query: dict[str, str | int] = {"repository": slug, "build": number}
        found = ground.api.get("/images", Page[Image], query).items
        if all(one.candidate for one in found):
            names = ("repository_name", "digest", "name", "target", "candidate", "reason", "tags")
            return [{name: getattr(one, name) for name in names} for one in found]
        if time.monotonic() > until:
            raise Trouble(f"the images of {slug}#{number} were not judged")
        time.sleep(0.1)


def _notified(ground: Ground, known: int, service: str, *, number: int) -> dict[str, Any]:
    for said in ground.notifications()[max(0, known - 1) :]:
        if (said["service"], said["build"]) == (service, number):
            return said
    return {}


def _sum_up(ground: Ground, outcome: Outcome) -> None:
    screen = ground.screen
    mark = screen.mark(outcome.status)
    name = f"{ORGANISATION}/{outcome.service}#{outcome.number}"
    screen.say(f"  {mark} [bold]{name} {outcome.status}[/] in {outcome.seconds:.1f} s")
    if outcome.notification:
        said = outcome.notification
        screen.say(
            f"    the receiver got: [bold]{said['service']} #{said['build']}: {said['status']}[/]"
        )
    for one in outcome.images:
        if one["target"]:
            continue
        good = one["candidate"] == "yes"
        words = "[green]is a candidate[/]" if good else "[red]is no candidate[/]"
        screen.say(f"    {one['repository_name']}@{one['digest'][:19]} {words}")
        if one["reason"]:
            screen.say(f"    because {one['reason']}")


def check(outcomes: list[Outcome]) -> list[str]:
    """What is not as it should be. The demo is a test as well."""
    *pushes, broken, again = outcomes
    wrong = [f"{one.service}#{one.number} {one.status}" for one in pushes if one.status != "passed"]
    wrong += [
        f"{one.service}#{one.number} has images that are no candidates"
        for one in [*pushes, again]
        if _candidates(one) != {"yes"}
    ]
    wrong += [
        f"nobody was told of the success of {one.service}#{one.number}"
        for one in pushes
        if one.notification.get("status") != "success"
    ]
    if again.status != "passed" or "site" not in again.carried or "load" in again.carried:
        wrong.append(f"the retry ended {again.status}, carried {again.carried}")
    return wrong + _check_broken(broken)


def _candidates(one: Outcome) -> set[str]:
    return {image["candidate"] for image in one.images}


def _check_broken(broken: Outcome) -> list[str]:
    wrong = []
    if broken.status != "failed" or broken.failed != ["api"] or "load" not in broken.skipped:
        wrong.append(f"the broken push ended {broken.status}: {broken.failed}, {broken.skipped}")
    if _candidates(broken) != {"no"}:
        wrong.append("the broken push has images, and none of them may be a candidate")
    if broken.notification.get("status") != "failure":
        wrong.append("nobody was told of the failure")
    return wrong


def summary_table(outcomes: list[Outcome]) -> Table:
    """All of it in one table."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("COMMIT", "BUILD", "WHAT", "STATUS", "TIME", "DIGEST", "CANDIDATE"):
        table.add_column(column, justify="right" if column == "TIME" else "left", no_wrap=True)
    colours = {"passed": "green", "failed": "red"}
    for one in outcomes:
        image = next((each for each in one.images if not each["target"]), None)
        colour = colours.get(one.status, "yellow")
        table.add_row(
            one.commit[:8],
            f"{one.service}#{one.number}",
            one.what,
            f"[{colour}]{one.status}[/]",
            f"{one.seconds:.1f} s",
            image["digest"][7:19] if image else "",
            image["candidate"] if image else "",
        )
    return table


def plain(outcomes: list[Outcome]) -> list[dict[str, Any]]:
    """For the summary file."""
    return [asdict(one) for one in outcomes]
