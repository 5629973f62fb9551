"""The names of Drone's variables: none missing, none made up."""

from __future__ import annotations

from fairway.pipeline.compile import (
    BuildFacts,
    Context,
    Netrc,
    RepoFacts,
    StageFacts,
    compile_stage,
)

FILE = """
kind: pipeline
name: first
---
kind: pipeline
name: a
platform: {variant: v7}
depends_on: [first]
steps: [{name: x, image: y}]
"""
REPOSITORY = RepoFacts(link="l", clone_url="https://git.example/a", ssh_url="git@a", scm="git")
FACTS = {
    "action": "a",
    "before": "b",
    "after": "c",
    "link": "l",
    "message": "m",
    "title": "t",
    "author": "a",
    "author_name": "n",
    "author_email": "e",
    "author_avatar": "v",
    "trigger": "@hook",
    "deploy_to": "p",
    "cron": "nightly",
    "failing": True,
    "failed_stages": ("s",),
}
OURS = ("DRONE_SEMVER", "DRONE_CALVER", "DRONE_WORKSPACE")


def _names() -> set[str]:
    """Every name that some build's steps have, with every fact given."""
    found: set[str] = set()
    for event, ref in (
        ("cron", "refs/heads/main"),
        ("tag", "refs/tags/v1.2.3"),
        ("pull_request", "refs/pull/1/head"),
    ):
        context = Context(
            build=BuildFacts(**{**FACTS, "event": event, "ref": ref}),
            repo=REPOSITORY,
            stage=StageFacts(machine="m", failed_steps=("x",)),
            netrc=Netrc(machine="git.example"),
        )
        found |= set(compile_stage(FILE, "a", context).steps[-1].environment)
    return found


def test_there_are_sixty_nine_drone_names_and_twenty_three_ci_names() -> None:
    names = _names()
    drone = {name for name in names if name.startswith("DRONE_") and not name.startswith(OURS)}
    assert len(drone) == 69
    assert len({name for name in names if name.startswith("CI_")}) == 23
