"""Folders are packed beside pushes and reads."""

from __future__ import annotations

import pytest

from fairway.git.reads import Reads
from fairway.source.tending import Tender
from fairway.testing.githost import Git, GitHost

pytestmark = pytest.mark.client


async def test_a_folder_is_packed_while_it_is_read(host: GitHost, git: Git) -> None:
    await git.init()
    first = await git.commit("first")
    await git("push", "-q", host.remote("tide/app"), "main")
    reads = Reads(host.folders)
    assert await reads.resolve(1, "main") == first
    config = host.folders.config
    config.write_text(config.read_text() + "[receive]\nunpackLimit = 1\n[gc]\nautoPackLimit = 2\n")
    for number in range(4):
        await git.commit(f"{number}")
        await git("push", "-q", host.remote("tide/app"), "main")
    last = await git.commit("last")
    await git("push", "-q", host.remote("tide/app"), "main", "main:refs/tags/v1")
    folder = host.folders.path(1)
    assert len(list((folder / "objects/pack").glob("*.pack"))) > 2
    assert await Tender(host.database, host.folders).once() == 0
    assert len(list((folder / "objects/pack").glob("*.pack"))) == 1
    assert host.folders.refs(1) == {"refs/heads/main": last, "refs/tags/v1": last}
    assert (await reads.commit(1, "main")).sha == last
    assert (await reads.commit(1, first)).sha == first
    assert await host.announcer.reconcile_all() == 0
    reads.close()
