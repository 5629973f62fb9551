"""A realistic environment: what runs beside the changed service is decided with the build."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from fairway.kit.aio import Wake
from fairway.model.build import Companion
from fairway.model.scope import Scope
from fairway.model.status import Status
from fairway.pipeline.builds import Builds
from fairway.pipeline.facts import Installation
from fairway.pipeline.triggers import PullRequest
from fairway.store import builds as rows
from fairway.testing.pipeline import MemorySignatures, NoTemplates

FILE = """
kind: pipeline
type: docker
name: try
steps:
- name: image
  image: plugins/docker
  settings: {repo: acme/catalogue, tags: new}
- name: environment
  image: fairway/environment
  settings: {compose: compose.yml, realistic: [acme/ratings, acme/storefront]}
- {name: api, image: busybox, commands: ["true"]}
"""
R, S, C = ("sha256:" + letter * 64 for letter in "123")


class Delivered:
    """Production runs ratings."""

    def __init__(self) -> None:
        self.digest = R

    async def running(self, names: Sequence[str]) -> dict[str, Companion]:
        name = "acme/ratings"
        one = Companion(image=name, digest=self.digest, origin="production 1.4.0")
        return {name: one} if name in names else {}


class Registry:
    """Our registry, with these candidates."""

    unknown: Sequence[str] = ()

    def __init__(self, **candidates: str) -> None:
        self.candidates = {f"acme/{name}:candidate": f"acme/{name}@{digest}"
                           for name, digest in candidates.items()}  # fmt: skip
        self.found: dict[str, str] = {}
        self.asked: list[tuple[str, bool]] = []

    async def resolve(self, names: Sequence[str], scope: Scope) -> Registry:
        self.asked += [(name, scope.everything) for name in names]
        self.found = {name: self.candidates[name] for name in names if name in self.candidates}
        return self


def builds_of(chapter: Any, registry: Registry, delivered: Delivered) -> Builds:
    made = Builds(
        chapter.database,
        chapter.sources,
        signatures=MemorySignatures(),
        templates=NoTemplates(),
        installation=Installation(),
        wake=Wake(),
        images=registry,
        production=delivered,
    )
    chapter.builds = made
    chapter.reactions._builds = made
    return made


async def test_the_others_run_as_production_does_else_as_their_newest_candidate(
    chapter: Any,
) -> None:
    delivered = Delivered()
    builds_of(chapter, Registry(ratings=C, storefront=S), delivered)
    build = await chapter.push(FILE)
    expected = [
        Companion(image="acme/ratings", digest=R, origin="production 1.4.0"),
        Companion(image="acme/storefront", digest=S, origin="candidate"),
    ]
    assert build.companions == expected
    delivered.digest = C  # a promotion goes on meanwhile
    lease = await chapter.lease()
    for tag in ("", ":candidate", ":latest"):
        assert lease.built[f"acme/ratings{tag}"] == f"acme/ratings@{R}"
        assert lease.built[f"acme/storefront{tag}"] == f"acme/storefront@{S}"
    kept = await chapter.database.read(rows.find, build.id)
    assert kept.companions == expected


async def test_one_that_is_to_be_had_nowhere_ends_the_build_errored_and_named(
    chapter: Any,
) -> None:
    builds_of(chapter, Registry(), Delivered())
    build = await chapter.push(FILE)
    assert build.status is Status.ERRORED
    assert ".drone.yml:9:1: the step environment wants acme/storefront beside it" in build.error
    assert build.finished is not None


async def test_another_organisation_s_images_are_those_that_it_shows(chapter: Any) -> None:
    registry = Registry(storefront=S)
    builds_of(chapter, registry, Delivered())
    build = await chapter.push(FILE.replace("acme/ratings,", "other/ratings,"))
    assert "wants other/ratings beside it" in build.error
    assert ("other/ratings:candidate", False) in registry.asked
    assert ("acme/storefront:candidate", True) in registry.asked


async def test_the_changed_service_itself_is_not_taken_from_production(chapter: Any) -> None:
    builds_of(chapter, Registry(storefront=S), Delivered())
    build = await chapter.push(FILE.replace("acme/ratings,", "acme/catalogue,"))
    assert build.status is Status.ERRORED
    assert "this build makes it: it is the changed one" in build.error


async def test_without_the_setting_nothing_is_asked(chapter: Any) -> None:
    builds_of(chapter, Registry(), Delivered())
    text = FILE.replace(", realistic: [acme/ratings, acme/storefront]", "")
    build = await chapter.push(text)
    assert (build.status, build.companions) == (Status.PENDING, [])


DEPLOYS = """
kind: pipeline
type: docker
name: all
steps:
- {name: test, image: busybox, commands: ["true"]}
- {name: deploy, image: fairway/apply, settings: {manifests: x, namespace: n}}
- {name: tell, image: busybox, commands: ["true"]}
"""


@pytest.mark.parametrize(
    ("event", "steps"),
    [("push", ["clone", "test", "deploy", "tell"]), ("pull_request", ["clone", "test", "tell"])],
)
async def test_a_build_of_a_pull_request_leaves_deployment_out(
    chapter: Any, event: str, steps: list[str]
) -> None:

    build = await chapter.push(DEPLOYS)
    if event == "pull_request":
        pull = PullRequest(number=3, sha=build.after, source="x", target="main")
        await chapter.builds.cancel(chapter.repository, build.number, actor="ada")
        build = await chapter.builds.pull_request(chapter.repository, pull, actor="ada")
    lease = await chapter.lease()
    assert [step.name for step in lease.graph.steps] == steps
    assert lease.deploys is (event == "push")
