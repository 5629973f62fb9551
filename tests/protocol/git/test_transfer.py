"""Clones and pushes of all kinds and sizes; what is cut off; what comes at once."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from fairway.model.errors import Unavailable
from fairway.model.events import RefUpdated
from fairway.source.announce import Change
from fairway.testing.githost import Git, GitHost

pytestmark = pytest.mark.client
MB = 1024 * 1024


def chain(events: Sequence[RefUpdated], ref: str) -> list[str]:
    """The values that a ref took, checked to follow from one another."""
    steps = [event for event in events if event.ref == ref]
    for before, after in itertools.pairwise(steps):
        assert before.after == after.before
    return [step.after for step in steps]


async def test_shallow_partial_and_deepened_clones(host: GitHost, git: Git, tmp_path: Path) -> None:
    await git.init()
    for number in range(5):
        await git.commit(f"{number}", {f"f{number}": f"{number}" * 1000})
    await git("push", host.remote("tide/app"), "main")
    shallow = Git(tmp_path / "shallow")
    await shallow("clone", "-q", "--depth", "1", host.remote("tide/app"), ".")
    assert await shallow("rev-list", "--count", "HEAD") == "1"
    await shallow("fetch", "-q", "--deepen", "2")
    assert await shallow("rev-list", "--count", "HEAD") == "3"
    await shallow("fetch", "-q", "--unshallow")
    assert await shallow("rev-list", "--count", "HEAD") == "5"
    partial = Git(tmp_path / "partial")
    await partial(
        "clone", "-q", "--filter=blob:none", "--no-checkout", host.remote("tide/app"), "."
    )
    missing = await partial("rev-list", "--objects", "--all", "--missing=print", "--quiet")
    assert missing.count("?") == 5
    await partial("checkout", "-q", "main")
    assert (tmp_path / "partial/f4").read_text() == "4" * 1000


@pytest.mark.parametrize("version", ["0", "1", "2"])
async def test_every_protocol_version(
    host: GitHost, git: Git, tmp_path: Path, version: str
) -> None:
    await git.init()
    sha = await git.commit("first")
    option = f"protocol.version={version}"
    await git("-c", option, "push", "-q", host.remote("tide/app"), "main")
    clone = Git(tmp_path / "clone")
    await clone("-c", option, "clone", "-q", host.remote("tide/app"), ".")
    assert await clone("rev-parse", "HEAD") == sha


async def test_a_long_negotiation_is_sent_with_gzip(
    host: GitHost, git: Git, tmp_path: Path
) -> None:
    await git.init()
    stream = "".join(
        f"commit refs/heads/b{number}\nmark :{number + 1}\n"
        f"committer A <a@b> {1_600_000_000 + number} +0000\ndata 1\nx\n\n"
        for number in range(600)
    )
    (git.folder / "stream").write_text(stream)
    await git("-c", "alias.load=!git fast-import --quiet <stream", "load")
    await git("push", "-q", host.remote("tide/app"), "--all")
    assert len(await host.events()) == 600
    clone = Git(tmp_path / "clone")
    await clone("clone", "-q", host.remote("tide/app"), ".")
    await git("checkout", "-q", "-b", "new", "b1")
    await git.commit("more")
    await git("push", "-q", host.remote("tide/app"), "new")
    await clone("fetch", "-q")
    assert await clone("rev-parse", "origin/new") == await git("rev-parse", "new")


async def test_an_empty_repository_is_cloned(host: GitHost, git: Git) -> None:
    from fairway.access.identity import SYSTEM

    await host.repositories.create(SYSTEM, "tide/app")
    assert "empty repository" in await git("clone", host.remote("tide/app"), "c")


async def test_the_first_push_decides_the_default_branch(
    host: GitHost, git: Git, tmp_path: Path
) -> None:
    await git.init(branch="trunk")
    await git.commit("first")
    await git("push", "-q", host.remote("tide/app"), "trunk")
    clone = Git(tmp_path / "clone")
    await clone("clone", "-q", host.remote("tide/app"), ".")
    assert await clone("symbolic-ref", "--short", "HEAD") == "trunk"


async def test_concurrent_pushes_to_one_ref_are_announced_in_order(
    host: GitHost, tmp_path: Path
) -> None:
    base = await Git(tmp_path / "base").init()
    first = await base.commit("first")
    await base("push", "-q", host.remote("tide/app"), "main")
    workers = []
    for number in range(6):
        worker = Git(tmp_path / f"w{number}")
        await worker("clone", "-q", host.remote("tide/app"), ".")
        await worker.commit(f"by {number}", {f"f{number}": "x"})
        workers.append(worker)

    async def push(worker: Git) -> None:
        for _ in range(20):
            with contextlib.suppress(AssertionError):
                await worker("push", "-q", "origin", "main")
                return
            await worker("pull", "-q", "--rebase", "origin", "main")
        raise AssertionError("never got through")

    async with asyncio.TaskGroup() as group:
        for worker in workers:
            group.create_task(push(worker))
    values = chain(await host.events(), "refs/heads/main")
    assert values[0] == first
    assert len(values) == 7
    assert values[-1] == host.folders.refs(1)["refs/heads/main"]


async def test_pushes_to_many_refs_at_once_all_become_events(host: GitHost, git: Git) -> None:
    await git.init()
    sha = await git.commit("first")
    await git("push", "-q", host.remote("tide/app"), "main")
    async with asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(git("push", "-q", host.remote("tide/app"), f"main:b{number}"))
    events = await host.events()
    assert sorted(each.ref for each in events) == sorted(
        ["refs/heads/main", *(f"refs/heads/b{number}" for number in range(8))]
    )
    assert {each.after for each in events} == {sha}


async def test_a_push_whose_event_cannot_be_written_fails_and_is_announced_later_once(
    host: GitHost, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    await git.init()
    sha = await git.commit("first")
    await git("push", "-q", host.remote("tide/app"), "main:other")
    write = host.announcer._write

    async def broken(number: int, changes: Sequence[Change]) -> Any:
        raise Unavailable("the disk is full")

    monkeypatch.setattr(host.announcer, "_write", broken)
    await git("push", host.remote("tide/app"), "main", ok=False)
    assert host.folders.refs(1)["refs/heads/main"] == sha
    assert len(await host.events()) == 1
    monkeypatch.setattr(host.announcer, "_write", write)
    assert await host.announcer.reconcile_all() in {0, 1}  # the host's own loop may be first
    assert await host.announcer.reconcile_all() == 0
    assert chain(await host.events(), "refs/heads/main") == [sha]


async def test_a_client_that_goes_away_leaves_no_process(host: GitHost, git: Git) -> None:
    await git.init()
    await git.commit("first")
    await git("push", "-q", host.remote("tide/app"), "main")
    gone = asyncio.Event()
    abandon = host.announcer.abandon

    async def noticed(number: int) -> None:
        await abandon(number)
        gone.set()

    host.announcer.abandon = noticed  # type: ignore[method-assign]
    import base64

    port = int(host.url.rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    secret = base64.b64encode(f"x:{host.token}".encode()).decode()
    line = b"0" * 40 + b" " + b"1" * 40 + b" refs/heads/cut\x00 report-status"
    writer.write(
        b"POST /tide/app.git/git-receive-pack HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
        b"Authorization: Basic " + secret.encode() + b"\r\n\r\n"
    )
    writer.write(b"%04x%s0000PACK\x00\x00\x00\x02" % (len(line) + 4, line))
    await writer.drain()
    await until(lambda: bool(children()))
    writer.close()
    await gone.wait()
    assert not children()
    assert list((host.folders.path(1) / "objects").glob("incoming-*")) == []
    assert "refs/heads/cut" not in host.folders.refs(1)


def children() -> list[psutil.Process]:
    """git processes that this process has started."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "git-http-backend" in child.name() or "receive-pack" in " ".join(child.cmdline()):
                found.append(child)
    return found


async def until(done: Any) -> None:
    """Wait for a condition; the test's own timeout ends it."""
    while not done():
        await asyncio.sleep(0.01)
