"""Protected repositories: whatever begins a build, an unsigned file waits for a person."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.access.keyring import Keyring
from fairway.kit.secret import Secret
from fairway.model.build import Retry
from fairway.model.errors import Conflict
from fairway.model.status import Status
from fairway.pipeline.compile import signature
from fairway.pipeline.files import FileSignatures

FILE = """
kind: pipeline
type: docker
name: default
steps:
- {name: test, image: busybox, commands: ["true"]}
"""


async def protected(chapter: Any) -> None:
    await chapter.set(protected=True)


async def test_an_unsigned_file_blocks_the_build_until_it_is_approved(chapter: Any) -> None:
    await protected(chapter)
    build = await chapter.push(FILE)
    assert (build.status, "signature" in build.reason) == (Status.BLOCKED, True)
    assert await chapter.dispatch.lease(_runner(), wait_s=0) is None
    await chapter.builds.decide(chapter.repository, 1, actor="ada", approved=True)
    await chapter.run(await chapter.lease())
    assert (await chapter.build(1)).status is Status.PASSED


async def test_a_declined_build_ends_so_with_all_its_stages(chapter: Any) -> None:
    await protected(chapter)
    await chapter.push(FILE)
    await chapter.builds.decide(chapter.repository, 1, actor="ada", approved=False)
    assert (await chapter.build(1)).status is Status.DECLINED
    assert [stage.status for stage in await chapter.stages(1)] == [Status.DECLINED]
    assert len(await chapter.events("build-finished")) == 1


async def test_a_signed_file_is_not_blocked(chapter: Any) -> None:
    await protected(chapter)
    chapter.signatures.good.add(FILE)
    assert (await chapter.push(FILE)).status is Status.PENDING


async def test_an_approved_build_that_is_retried_is_blocked_again(chapter: Any) -> None:
    await protected(chapter)
    await chapter.push(FILE)
    await chapter.builds.decide(chapter.repository, 1, actor="ada", approved=True)
    await chapter.run(await chapter.lease(), Status.FAILED)
    again = await chapter.builds.retry(chapter.repository, 1, retry=Retry(), actor="eve")
    assert again.status is Status.BLOCKED


async def test_a_call_and_a_promotion_are_blocked_as_well(chapter: Any) -> None:
    await chapter.push(FILE)
    await chapter.run(await chapter.lease())
    await protected(chapter)
    custom = await chapter.builds.custom(chapter.repository, actor="eve")
    promoted = await chapter.builds.promote(chapter.repository, 1, target="prod", actor="eve")
    assert (custom.status, promoted.status) == (Status.BLOCKED, Status.BLOCKED)


async def test_a_build_that_is_not_blocked_cannot_be_approved(chapter: Any) -> None:
    await chapter.push(FILE)
    with pytest.raises(Conflict, match="waits for nobody"):
        await chapter.builds.decide(chapter.repository, 1, actor="ada", approved=True)


async def test_a_signature_holds_only_with_the_repositorys_own_key(chapter: Any) -> None:
    signatures = FileSignatures(chapter.database, Keyring({"k1": bytes(32)}, "k1"))
    text = signature.sign(FILE, b"right")
    assert not await signatures.signed(chapter.repository, text)
    await signatures.set_key(chapter.repository, Secret("wrong"))
    assert not await signatures.signed(chapter.repository, text)
    await signatures.set_key(chapter.repository, Secret("right"))
    assert await signatures.signed(chapter.repository, text)
    assert not await signatures.signed(chapter.repository, FILE)


def _runner() -> Any:
    from fairway.pipeline.dispatch import Runner

    return Runner(name="bob", instance="b1")
