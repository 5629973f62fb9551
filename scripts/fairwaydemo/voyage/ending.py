"""What runs where in the end, how deliveries went, and what to try next."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rich.table import Table

from fairway.client.wire.release import Dora, Environment
from fairwaydemo.ground import ROOT
from fairwaydemo.voyage import chat, delivering, outcome
from fairwaydemo.voyage.world import World

AT_ONCE = 3
SETTLED_S = 120.0  # a version that was left stays some 30 s, for who may come back
TOUCHED = (
    ("get", "change-requests", "--status", "all", "--repo", "webflix/catalogue"),
    ("get", "builds", "--repo", "webflix/catalogue"),
    ("get", "releases"),
    ("get", "deployments"),
    ("get", "approvals"),
    ("get", "apps"),
    ("get", "rollouts"),
    ("get", "analysisruns"),
)


def tell(world: World) -> None:
    """The tables, and that everybody who is asked says the same."""
    screen = world.screen
    screen.table(outcome.table(world.outcomes))
    screen.say("")
    found = delivering.environments(world)
    screen.table(table(found))
    screen.command("fairway dora --env production --days 1")
    screen.quote(world.people.ada.must("dora", "--env", "production", "--days", "1"))
    dora = world.ground.api.get("/dora", Dora, {"environment": "production", "days": 1})
    with ThreadPoolExecutor(AT_ONCE) as pool:
        counts = pool.map(lambda words: _count(world, words), TOUCHED)
    lists = {" ".join(words[:2]): count for words, count in zip(TOUCHED, counts, strict=True)}
    screen.note("what `fairway get` has to show: " + ", ".join(f"{n} {_kind(k)}" for k, n in
                                                              lists.items()))  # fmt: skip
    agree = agreement(world, found)
    screen.say(
        f"  {screen.mark('passed' if all(agree.values()) else 'failed')} the table, `fairway get` "
        f"and `describe`, Git and the cluster agree: {sum(agree.values())} of {len(agree)}"
    )
    world.facts["end"] = {
        "environments": [delivering.plain(one) for one in found],
        "dora": delivering.plain(dora),
        "lists": lists,
        "agree": agree,
        "chat": [_plain(one) for one in world.chat.messages()],
        "site": f"http://www.webflix.localhost:{world.ground.gateway}/",
    }


def _plain(said: dict[str, Any]) -> dict[str, str]:
    return {"key": chat.key(said), "title": chat.title(said)}


def _kind(words: str) -> str:
    return words.partition(" ")[2]


def _count(world: World, words: tuple[str, ...]) -> int:
    """How many a command lists."""
    said = world.ground.fairway(*words, "-o", "json")
    return len(json.loads(said)["items"])


def table(found: list[Environment]) -> Table:
    """What runs where, since when, by whom."""
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("ENVIRONMENT", "SERVICE", "VERSION", "DIGEST", "COMMIT", "SINCE", "BY"):
        made.add_column(column, no_wrap=True)
    for one in found:
        since = (one.since or "")[11:19]
        made.add_row(
            one.environment, one.service, one.version, one.digest[7:19], one.revision[:8],
            since, one.by or "fairway",
        )  # fmt: skip
    return made


def agreement(world: World, found: list[Environment]) -> dict[str, bool]:
    """Whether command line, Git and cluster say of each service what the table says."""
    ground = world.ground
    shown = {
        (one["environment"], one["service"]): one
        for one in json.loads(ground.fairway("get", "envs", "-o", "json"))["items"]
    }
    copy = world.copies["environments"]
    copy.follow()

    def held(one: Environment) -> dict[str, bool]:
        name = f"{one.environment}/{one.service}"
        same = shown[one.environment, one.service]
        described = ground.fairway("describe", "app", one.application)
        text = (copy.folder / one.environment / f"{one.service}.yaml").read_text()
        result = {
            f"get {name}": (same["version"], same["digest"]) == (one.version, one.digest),
            f"describe {one.application}": one.digest in described,
            f"cluster {name}": settled(world, one),
        }
        if one.environment != "dev":  # that one follows a range
            result[f"Git {name}"] = one.digest in text and one.version in text
        return result

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return {name: same for part in pool.map(held, found) for name, same in part.items()}


def settled(world: World, one: Environment) -> bool:
    """Whether its pods run its digest alone, once those of before had their time to go."""
    until = time.monotonic() + SETTLED_S
    while (found := running(world, one)) != {one.digest} and time.monotonic() < until:
        time.sleep(1.0)
    return found == {one.digest}


def running(world: World, one: Environment) -> set[str]:
    """The digests that a service's pods run."""
    words = ("kubectl", "get", "pods", "-n", f"webflix-{one.environment}", "-l")
    said = world.ground.fairway(*words, f"app={one.service}", "-o", "json")
    return {
        container["image"].rpartition("@")[2]
        for pod in json.loads(said)["items"]
        if "deletionTimestamp" not in pod["metadata"]
        for container in pod["spec"]["containers"]
    }


def close(world: World, *, leave: bool) -> None:
    """How long it took, and what to do next."""
    screen, ground = world.screen, world.ground
    took = world.facts["seconds"]
    screen.say(
        f"\n{took['set_up']:.0f} s of set-up, {took['begin']:.0f} s until the site stood, "
        f"[bold]{took['story']:.0f} s of story[/]."
    )
    if leave:
        screen.say("Stopping Fairway and removing what it kept.")
        return
    screen.say("Fairway goes on running. Look around:")
    screen.command(f"export FAIRWAY_CONTEXTS={ground.contexts} PATH=$PATH:{ROOT}/.venv/bin")
    for words in (
        "fairway get builds",
        "fairway get images --candidates",
        "fairway get envs",
        "fairway get deployments --env production",
        "fairway describe app catalogue-production",
        f"xdg-open {world.facts['end']['site']}",
        "fairway promote catalogue --env production --wait   # the faulty one again, if you like",
        "fairway rollback --env production",
        "fairway scan import all.zip   # advisories, as osv.dev publishes them",
        f"fairway down --data {ground.data} --purge --yes && rm -r {ground.folder}",
    ):
        screen.command(words)
