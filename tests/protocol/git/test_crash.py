"""A server of its own: memory, and kill -9 at any moment of a push."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from fairway.model.events import RefUpdated
from fairway.testing.githost import Git
from fairway.testing.gitserver import GitServer

pytestmark = [pytest.mark.client, pytest.mark.timeout(180)]
MB = 1024 * 1024


async def test_a_push_and_a_clone_of_200_mb_need_constant_memory(
    server: GitServer, git: Git, tmp_path: Path
) -> None:
    await git.init()
    await git.commit("small")
    await git("push", "-q", server.remote("tide/small"), "main")
    before = server.peak()
    await git("config", "core.compression", "0")
    await git("config", "core.bigFileThreshold", "32m")  # the client looks for no deltas
    for number in range(4):
        (git.folder / f"big{number}").write_bytes(os.urandom(50 * MB))
    sha = await git.commit("big", {"x": "y"})
    await git("push", "-q", server.remote("tide/big"), "main")
    clone = Git(tmp_path / "clone")
    await clone("clone", "-q", "--bare", server.remote("tide/big"), ".")
    assert await clone("rev-parse", "main") == sha
    assert server.peak() - before < 24 * MB
    shutil.rmtree(tmp_path / "clone")
    shutil.rmtree(git.folder)


async def killed_while_pushing(server: GitServer, git: Git, seed: int) -> list[tuple[str, str]]:
    """Four pushes, each killed at a random moment. Returns what clients were promised."""
    moments = random.Random(seed)
    promised: list[tuple[str, str]] = []
    for number in range(4):
        sha = await git.commit(f"{number}")
        if moments.random() < 0.4:
            await git("push", "-q", "--force", server.remote("tide/app"), "main")
            promised.append(("refs/heads/main", sha))
        words = ("push", "-q", "--force", server.remote("tide/app"), "main", f"main:b{number}")
        push = asyncio.ensure_future(git(*words))
        await asyncio.sleep(moments.uniform(0.01, 0.15))
        await server.kill()
        with contextlib.suppress(AssertionError):
            await push
            promised += [("refs/heads/main", sha), (f"refs/heads/b{number}", sha)]
        await server.start()
    return promised


def announced(events: Sequence[RefUpdated], number: int) -> dict[str, str]:
    """What the events of one repository say that its refs are; each step follows the former."""
    mine = [event for event in events if event.repository == number]
    for ref in {event.ref for event in mine}:
        steps = [event for event in mine if event.ref == ref]
        assert steps[0].before == ""
        for one, next_one in itertools.pairwise(steps):
            assert one.after == next_one.before
    return {event.ref: event.after for event in mine if event.after}


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_is_lost_or_told_twice_when_the_server_is_killed(
    server: GitServer, git: Git, seed: int
) -> None:
    await git.init()
    promised = await killed_while_pushing(server, git, seed)
    # the server compares at start-up and soon after: a git that outlived it may write still
    while True:
        events, disk = await server.events(), server.refs()
        if all(announced(events, number) == refs for number, refs in disk.items()):
            break
        await asyncio.sleep(0.05)
    assert set(promised) <= {(event.ref, event.after) for event in events}
    keys = [(each.repository, each.ref, each.before, each.after) for each in events]
    assert len(keys) == len(set(keys))
