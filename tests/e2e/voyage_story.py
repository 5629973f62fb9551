"""The story of a short voyage, and the one end that it has whatever happens on the way."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import voyage_files as files
import yaml
from msgspec import Struct
from voyage import Voyage, found, until

FIRST, SECOND = "0.1.0-rc.1", "0.1.0-rc.2"
ENDS = {"dev": (SECOND, "2"), "staging": (SECOND, "2"), "production": (FIRST, "3")}
"""Version, and the Rollout's revision: how often it was deployed."""
Weather = Callable[[str], AbstractContextManager[object]]


def calm(_chapter: str) -> AbstractContextManager[object]:
    """Nothing happens besides."""
    return contextlib.nullcontext()


def sail(voyage: Voyage, weather: Weather = calm) -> None:
    """Out, out again, and back. `weather` is what happens during each chapter."""
    with weather("first build"):
        voyage.push("amber", "feat: set sail")
        voyage.await_("production", FIRST, "waiting")
    with weather("first approval"):
        voyage.approve(FIRST)
        voyage.await_("production", FIRST)
    with weather("second build"):
        second_out(voyage)
    with weather("second approval"):
        voyage.approve(SECOND)
        voyage.await_("production", SECOND)
    with weather("rollback"):
        back(voyage)


def first_out(voyage: Voyage) -> None:
    """The first release, into production."""
    voyage.push("amber", "feat: set sail")
    voyage.await_("production", FIRST, "waiting")
    voyage.approve(FIRST)
    voyage.await_("production", FIRST)


def second_out(voyage: Voyage) -> None:
    """The second one, which waits for somebody's word."""
    voyage.push("salt", "fix: other cargo")
    voyage.await_("production", SECOND, "waiting")


def back(voyage: Voyage) -> None:
    """By one command."""
    voyage.roll_back()
    voyage.await_("production", FIRST, kind="rollback")


class Logbook(Struct, frozen=True, kw_only=True):
    """What remains of a voyage, without times, numbers and digests: the same for every one."""

    builds: list[str]
    releases: list[str]
    deployments: dict[str, list[str]]
    hull: list[str]
    environments: list[str]
    chat: list[str]


EXPECTED = Logbook(
    builds=["push passed", "push passed"],
    releases=[f"{FIRST} published", f"{SECOND} published"],
    deployments={
        "dev": [f"promotion {FIRST} passed", f"promotion {SECOND} passed"],
        "staging": [f"promotion {FIRST} passed", f"promotion {SECOND} passed"],
        "production": [
            f"promotion {FIRST} passed",
            f"promotion {SECOND} passed",
            f"rollback {FIRST} passed",
        ],
    },
    hull=[
        "feat: set sail",
        f"Release hull {FIRST}",
        "fix: other cargo",
        f"Release hull {SECOND}",
    ],
    environments=[
        "Say what runs where",
        f"Promote hull {FIRST} in staging",
        f"Promote hull {FIRST} in production",
        f"Promote hull {SECOND} in staging",
        f"Promote hull {SECOND} in production",
        f"Roll back to hull {FIRST} in production",
    ],
    chat=sorted(
        [
            "voyage/hull #1 passed",
            "voyage/hull #2 passed",
            f"hull {FIRST} is released",
            f"hull {SECOND} is released",
            *(
                f"hull {version} goes to {name}: passed"
                for version in (FIRST, SECOND)
                for name in files.ENVIRONMENTS
            ),
            f"hull {FIRST} is rolled back to in production: passed",
        ]
    ),
)


def logbook(voyage: Voyage) -> Logbook:
    """As it is now."""
    return Logbook(
        builds=[f"{one.event} {one.status}" for one in voyage.builds()],
        releases=[f"{one.version} {one.state}" for one in voyage.releases()],
        deployments={
            name: [f"{one.kind} {one.version} {one.state}" for one in voyage.lane(name)]
            for name in files.ENVIRONMENTS
        },
        hull=subjects(voyage, files.SLUG),
        environments=subjects(voyage, files.CONFIGURATION),
        chat=sorted(_title(one) for one in voyage.chat.roots("C1")),
    )


def _title(message: Mapping[str, Any]) -> str:
    """Of `<LINK|TITLE>`."""
    return str(message["text"]).partition("|")[2].removesuffix(">")


def subjects(voyage: Voyage, slug: str) -> list[str]:
    """Of a repository's commits, oldest first."""
    _fetch(voyage, slug)
    return _git(voyage, slug, "log", "--reverse", "--format=%s", "origin/main").splitlines()


def _fetch(voyage: Voyage, slug: str) -> None:
    _git(voyage, slug, "fetch", "-q", "origin")


def _git(voyage: Voyage, slug: str, *words: str) -> str:
    folder = voyage.ground.folder / "work" / slug
    done = voyage.ground.program("git", *words, cwd=folder)
    assert done.code == 0, done.all
    return done.out


def arrived_well(voyage: Voyage) -> None:
    """Everything is as after every voyage: nothing lost, nothing twice, one digest everywhere."""
    until("Fairway works", lambda: voyage.ground.run("get", "repos").code == 0)
    digests = {one.version: one.digest for one in voyage.releases()}
    for name, (version, revision) in ENDS.items():
        runs_there(voyage, name, digests[version], revision)
        says_so_in_git(voyage, name, version, digests[version])
    until("all was told", lambda: logbook(voyage) == EXPECTED, lambda: logbook(voyage))
    said = Counter(_key(one) for one in voyage.chat.messages)
    assert [key for key, count in said.items() if count > 1] == [], "it was said twice"


def _key(message: Mapping[str, Any]) -> str:
    """By which Fairway finds what it said: of messages, and of those in their threads."""
    return str(message["metadata"]["event_payload"]["key"])


def runs_there(voyage: Voyage, environment: str, digest: str, revision: str) -> None:
    """One Rollout, and the pods of this digest alone."""

    def settled() -> bool:
        (rollout,) = found(voyage, environment, "rollouts.argoproj.io")
        pods = found(voyage, environment, "pods")
        images = {one["spec"]["containers"][0]["image"].partition("@")[2] for one in pods}
        wanted = rollout["spec"]["replicas"]
        notes = rollout["metadata"]["annotations"]
        return (
            rollout["status"]["phase"] == "Healthy"
            and (images, len(pods)) == ({digest}, wanted)
            and notes["rollout.argoproj.io/revision"] == revision
            and len(found(voyage, environment, "replicasets")) == len(voyage.releases())
        )

    until(f"{environment} runs {digest} and nothing else", settled, voyage.told)


def says_so_in_git(voyage: Voyage, environment: str, version: str, digest: str) -> None:
    """Git says what runs."""
    _fetch(voyage, files.CONFIGURATION)
    text = _git(voyage, files.CONFIGURATION, "show", f"origin/main:{environment}/hull.yaml")
    source = yaml.safe_load(text)["spec"]["source"]
    if environment == "dev":
        assert source["targetRevision"] == ">=0.0.0-0", "it follows"
        return
    assert source["targetRevision"] == version
    assert source["helm"]["valuesObject"]["image"]["digest"] == digest
