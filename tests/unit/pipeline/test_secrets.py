"""Secrets: sealed, bound, near before far, and what began a build decides, not who repeats it."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.access.keyring import Keyring
from fairway.access.rotation import reseal
from fairway.kit.secret import Secret
from fairway.model.build import Build, Retry
from fairway.model.errors import InvalidInput, NotFound
from fairway.model.secret import Binding, SecretFacts
from fairway.model.status import Status
from fairway.pipeline import bindings
from fairway.pipeline.dispatch import Runner
from fairway.pipeline.secrets import Secrets
from fairway.pipeline.triggers import PullRequest

FILE = """
kind: pipeline
type: docker
name: default
steps:
- name: one
  image: busybox:1
  commands: ["true"]
  environment: {TOKEN: {from_secret: Token}}
- name: two
  image: acme/deploy
  settings: {token: {from_secret: token}}
"""


async def put(chapter: Any, value: str = "s3cret", **more: Any) -> None:
    binding = Binding(**more.pop("binding", {}))
    place = more or {"repository_id": chapter.repository}
    await chapter.secrets.put("TOKEN", Secret(value), binding=binding, actor="ada", **place)


def build(**facts: Any) -> Build:
    return Build(id=1, repository=1, number=1, status=Status.PASSED, **{"event": "push", **facts})


async def test_a_stage_gets_only_the_secrets_that_it_names(chapter: Any) -> None:
    await put(chapter)
    await chapter.secrets.put("other", Secret("x"), repository_id=chapter.repository, actor="ada")
    await chapter.push(FILE)
    assert (await chapter.lease()).secrets == {"token": "s3cret"}


async def test_the_nearest_secret_of_a_name_counts(chapter: Any) -> None:
    for value, place in (
        ("global", {"repository_id": None}),
        ("organisation", {"organisation": chapter.organisation}),
        ("repository", {"repository_id": chapter.repository}),
    ):
        await put(chapter, value, **place)
        await chapter.push(FILE)
        lease = await chapter.lease()
        assert lease.secrets == {"token": value}
        await chapter.run(lease)


async def test_a_wider_secret_does_not_stand_in_for_a_withheld_one(chapter: Any) -> None:
    await put(chapter, "global", repository_id=None)
    await put(chapter, "mine", binding={"events": ["tag"]})
    await chapter.push(FILE)
    assert (await chapter.lease()).secrets == {}


async def test_pull_requests_get_secrets_only_where_that_is_allowed(chapter: Any) -> None:
    for allowed in (False, True):
        await put(chapter, binding={"pull_request": allowed})
        sha = chapter.sources.push(chapter.repository, "refs/pull/7/head", FILE)
        pull = PullRequest(number=7, sha=sha, source="fix", target="main")
        await chapter.builds.pull_request(chapter.repository, pull, actor="ada")
        lease = await chapter.lease()
        assert bool(lease.secrets) is allowed
        await chapter.run(lease)


async def test_a_pull_request_pushes_images_only_with_a_leave_of_its_own(chapter: Any) -> None:
    file = (
        "kind: pipeline\ntype: docker\nname: default\nsteps:\n"
        "- {name: push, image: plugins/docker,"
        " settings: {repo: a/b, password: {from_secret: token}}}\n"
    )
    for leave in (False, True):
        await put(chapter, binding={"pull_request": True, "pull_request_push": leave})
        sha = chapter.sources.push(chapter.repository, "refs/pull/7/head", file)
        pull = PullRequest(number=7, sha=sha, source="fix", target="main")
        await chapter.builds.pull_request(chapter.repository, pull, actor="ada")
        lease = await chapter.lease()
        assert bool(lease.secrets) is leave
        await chapter.run(lease)


async def test_neither_retry_nor_promotion_unlocks_a_pull_requests_secrets(chapter: Any) -> None:
    await put(chapter)
    sha = chapter.sources.push(chapter.repository, "refs/pull/7/head", FILE)
    pull = PullRequest(number=7, sha=sha, source="fix", target="main", source_repo="eve/site")
    await chapter.builds.pull_request(chapter.repository, pull, actor="eve")
    await chapter.run(await chapter.lease())
    await chapter.builds.promote(chapter.repository, 1, target="prod", actor="eve")
    promoted = await chapter.lease()
    assert promoted.secrets == {}
    await chapter.run(promoted)
    await chapter.builds.retry(chapter.repository, 2, retry=Retry(), actor="eve")
    assert (await chapter.lease()).secrets == {}


async def test_a_secret_bound_to_images_is_given_to_their_steps_only(chapter: Any) -> None:
    await put(chapter, binding={"images": ["acme/*"]})
    await chapter.push(FILE)
    lease = await chapter.lease()
    assert lease.secrets == {"token": "s3cret"}
    one, two = lease.graph.steps[1:]
    assert one.environment["TOKEN"] == ""
    assert two.environment["PLUGIN_TOKEN"].from_secret.lower() == "token"


@pytest.mark.parametrize(
    ("binding", "builds", "given"),
    [
        ({}, [build()], True),
        ({"events": ["push"]}, [build()], True),
        ({"events": ["tag"]}, [build()], False),
        ({"events": ["promote"]}, [build(event="promote"), build()], True),
        ({"events": ["push"]}, [build(event="promote"), build()], True),
        ({}, [build(event="promote"), build(event="pull_request")], False),
        (
            {"pull_request": True, "events": ["promote"]},
            [build(event="promote"), build(event="pull_request")],
            False,
        ),
        ({"branches": ["main"]}, [build(target="main")], True),
        ({"branches": ["release/*"]}, [build(target="release/1")], True),
        ({"branches": ["main"]}, [build(event="promote", target="main"), build(target="x")], False),
        ({"environments": ["prod"]}, [build()], False),
        ({"environments": ["prod"]}, [build(event="promote", deploy_to="prod"), build()], True),
        ({"environments": ["prod"]}, [build(event="promote", deploy_to="test"), build()], False),
    ],
)
def test_a_binding_is_held_against_the_build_and_its_origin(
    binding: dict[str, Any], builds: list[Build], given: bool
) -> None:
    secret = SecretFacts(id=1, name="token", **binding)
    assert bindings.allowed(secret, bindings.facts_of(builds)) is given


async def test_a_value_cannot_be_read_back_and_lies_sealed(chapter: Any) -> None:
    await put(chapter, "very-secret-value")
    listed = await chapter.secrets.listing(repository_id=chapter.repository)
    assert "very-secret-value" not in repr(listed)
    await chapter.secrets.remove("Token", repository_id=chapter.repository, actor="ada")
    assert await chapter.secrets.listing(repository_id=chapter.repository) == []
    with pytest.raises(NotFound):
        await chapter.secrets.remove("Token", repository_id=chapter.repository, actor="ada")


async def test_after_a_rotation_secrets_and_running_stages_credentials_still_open(
    chapter: Any,
) -> None:
    await put(chapter)
    await chapter.push(FILE)
    first = await chapter.lease()
    both = Keyring({"k1": bytes(32), "k2": bytes(31) + b"2"}, "k2")
    assert await chapter.database.write(reseal, both, actor="ada") == 2
    assert await chapter.database.write(reseal, both, actor="ada") == 0
    chapter.dispatch._leases._secrets = Secrets(
        chapter.database, Keyring({"k2": bytes(31) + b"2"}, "k2")
    )
    again = await chapter.lease(Runner(name="alice", instance="a2"))
    assert (again.secrets, again.clone_password) == ({"token": "s3cret"}, first.clone_password)


@pytest.mark.parametrize("name", ["", "a b", "fairway:netrc-password", "x" * 300])
async def test_a_bad_name_is_refused(chapter: Any, name: str) -> None:
    with pytest.raises(InvalidInput):
        await chapter.secrets.put(name, Secret("x"), repository_id=chapter.repository, actor="ada")
