"""Git over HTTP with the real client."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from fairway.testing.githost import Git, GitHost

pytestmark = pytest.mark.client


async def test_a_push_creates_the_repository_and_its_event_is_there_when_it_returns(
    host: GitHost, git: Git, tmp_path: Path
) -> None:
    await git.init()
    sha = await git.commit("first", {"a/b.txt": "hello", ".drone.yml": "kind: pipeline"})
    await git("push", "-o", "note=1", host.remote("tide/app"), "main", "v1:refs/tags/v1", ok=False)
    assert await host.events() == []
    await git("tag", "v1")
    await git("push", "-o", "note=1", host.remote("tide/app"), "main", "v1")
    events = await host.events()
    assert sorted((each.slug, each.ref, each.before, each.after) for each in events) == [
        ("tide/app", "refs/heads/main", "", sha),
        ("tide/app", "refs/tags/v1", "", sha),
    ]
    assert {each.actor for each in events} == {"ada"}
    assert events[0].options == ["note=1"]
    clone = Git(tmp_path / "clone")
    await clone("clone", "-q", host.remote("tide/app"), ".")
    assert (tmp_path / "clone/a/b.txt").read_text() == "hello"
    assert await clone("rev-parse", "HEAD") == sha


async def test_moves_and_deletions_are_events(host: GitHost, git: Git) -> None:
    await git.init()
    first = await git.commit("first")
    await git("push", host.remote("tide/app"), "main", "main:other")
    second = await git.commit("second")
    await git("push", host.remote("tide/app"), "main", ":other")
    events = await host.events()
    assert [(each.ref, each.before, each.after) for each in events[2:]] == [
        ("refs/heads/main", first, second),
        ("refs/heads/other", first, ""),
    ]


async def test_the_greeting_is_kept_and_says_nothing_to_whoever_may_not_see_the_repository(
    host: GitHost, git: Git
) -> None:
    await git.init()
    sha = await git.commit("first")
    await git("push", host.remote("tide/app"), "main")
    where = "/tide/{}.git/info/refs?service=git-upload-pack"
    me, second = ("any", host.token), {"Git-Protocol": "version=2"}
    async with httpx.AsyncClient(base_url=host.url, timeout=90) as http:
        made, kept = [
            await http.get(where.format("app"), auth=me, headers=second) for _ in range(2)
        ]
        assert b"version 2" in made.content
        assert (made.content, made.headers["content-type"]) == (
            kept.content,
            kept.headers["content-type"],
        )
        assert (await http.get(where.format("app"), headers=second)).status_code == 401
        assert (await http.get(where.format("no"), auth=me, headers=second)).status_code == 404
        assert sha in (await http.get(where.format("app"), auth=me)).text


async def test_only_a_push_that_makes_its_repository_gets_the_greeting_without_refs(
    host: GitHost, git: Git
) -> None:
    await git.init()
    where = "/tide/{}.git/info/refs?service=git-receive-pack"
    me, second = ("any", host.token), {"Git-Protocol": "version=2"}
    async with httpx.AsyncClient(base_url=host.url, timeout=90) as http:
        made = await http.get(where.format("new"), auth=me, headers=second)
        assert b"capabilities^{}" in made.content
        for name in ("one", "two"):
            sha = await git.commit(name)
            await git("push", host.remote(f"tide/{name}"), "main")
            kept = await http.get(where.format("newer"), auth=me, headers=second)
            assert kept.content == made.content
            now = await http.get(where.format(name), auth=me, headers=second)
            assert sha in now.text
        assert (await http.get(where.format("newer"), headers=second)).status_code == 401
