"""Who may clone, push and create; and what is refused on protected refs."""

from __future__ import annotations

import gzip
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Connection

from fairway.access.identity import SYSTEM
from fairway.model.repository import RefRule, Settings, Visibility
from fairway.model.role import Role
from fairway.model.token import TokenScope
from fairway.source.repositories import RepositoryChange
from fairway.store import organisations, roles, users
from fairway.testing.githost import Git, GitHost

pytestmark = pytest.mark.client


async def filled(host: GitHost, git: Git, slug: str = "tide/app") -> str:
    await git.init()
    sha = await git.commit("first")
    await git("push", host.remote(slug), "main")
    return sha


async def member(host: GitHost, login: str, role: Role, *scopes: TokenScope) -> str:
    token = await host.token_for(login, *scopes)

    def work(db: Connection) -> None:
        user = users.by_login(db, login)
        tide = organisations.by_name(db, "tide")
        assert user is not None
        assert tide is not None
        roles.grant(db, user.id, role, organisation=tide.id)

    await host.database.write(work)
    return token


async def test_without_a_token_git_is_asked_for_one(host: GitHost, git: Git) -> None:
    await filled(host, git)
    async with httpx.AsyncClient(timeout=90) as http:
        answer = await http.get(host.url + "/tide/app.git/info/refs?service=git-upload-pack")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('Basic realm="Fairway"')


async def test_a_wrong_token_is_refused(host: GitHost, git: Git) -> None:
    await filled(host, git)
    said = await git("clone", host.remote("tide/app", "fwy_" + "x" * 43), "c", ok=False)
    assert "Authentication failed" in said


async def test_what_is_not_there_and_what_is_not_seen_look_alike(host: GitHost, git: Git) -> None:
    await filled(host, git)
    token = await host.token_for("non")
    for slug in ("tide/app", "tide/none"):
        for words in (["ls-remote"], ["push", "--all"]):
            said = await git(*words, host.remote(slug, token), ok=False)
            assert f"there is no repository '{slug}' that non may see" in said
            assert "not found" in said


async def test_a_public_repository_is_cloned_by_everybody_and_pushed_by_few(
    host: GitHost, git: Git
) -> None:
    await filled(host, git)
    change = RepositoryChange(visibility=Visibility.PUBLIC)
    await host.repositories.change(SYSTEM, "tide/app", change)
    url = f"{host.url}/tide/app.git"
    await git("clone", "-q", url, "clone")
    assert "could not read Username" in await git("push", url, "main:other", ok=False)
    said = await git(
        "push", host.remote("tide/app", await host.token_for("non")), "main:x", ok=False
    )
    assert "non may not push to this repository" in said


async def test_a_writer_creates_in_the_organisation_and_nobody_else_does(
    host: GitHost, git: Git
) -> None:
    await filled(host, git)
    writer = await member(host, "wim", Role.WRITER)
    reader = await member(host, "rea", Role.READER)
    await git("push", host.remote("tide/new", writer), "main")
    assert "there is no repository" in await git(
        "push", host.remote("tide/newer", reader), "main", ok=False
    )
    assert "there is no repository" in await git(
        "push", host.remote("reef/new", writer), "main", ok=False
    )
    assert {each.slug for each in await host.events()} == {"tide/app", "tide/new"}


async def test_a_token_for_reading_does_not_push(host: GitHost, git: Git) -> None:
    await filled(host, git)
    token = await member(host, "wim", Role.WRITER, TokenScope.REPO_READ)
    await git("ls-remote", host.remote("tide/app", token))
    said = await git("push", host.remote("tide/app", token), "main:other", ok=False)
    assert "the token lacks the scope repo:write" in said


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/tide/../tide/app.git/info/refs?service=git-upload-pack", 200),  # the client folds it
        ("/tide/%2e%2e%2fapp.git/info/refs?service=git-upload-pack", 404),
        ("/%2e%2e/app.git/info/refs?service=git-upload-pack", 422),
        ("/tide/..%00.git/info/refs?service=git-upload-pack", 422),
        ("/tide/APP.git/info/refs?service=git-upload-pack", 422),
        ("/tide/" + "a" * 101 + ".git/info/refs?service=git-upload-pack", 404),
        ("/tide/app.git/config", 404),
        ("/tide/app.git/HEAD", 404),
        ("/tide/app.git/objects/info/packs", 404),
        ("/tide/app.git/../../etc/passwd", 404),
        ("/tide/app.git/info/refs", 403),
        ("/tide/app.git/info/refs?service=git-upload-archive", 403),
        ("/tide/app.git/info/refs?service=git-upload-pack&x=1", 403),
        ("/api/app.git/info/refs?service=git-receive-pack", 422),
        ("/tide/app.lock.git/info/refs?service=git-receive-pack", 422),
    ],
)
async def test_hostile_paths_lead_nowhere(host: GitHost, git: Git, path: str, status: int) -> None:
    await filled(host, git)
    async with httpx.AsyncClient(auth=("any", host.token), timeout=90) as http:
        answer = await http.get(httpx.URL(host.url, raw_path=path.encode()))
        if "/../tide" in path:
            assert answer.status_code in {status, 404}
        else:
            assert answer.status_code == status
    assert host.folders.numbers() == [1]


async def protect(host: GitHost) -> None:
    settings = Settings(
        branches=[
            RefRule(pattern="main"),
            RefRule(pattern="stable"),
            RefRule(pattern="release/**", push="maintainer"),
        ],
        tags=[RefRule(pattern="v*"), RefRule(pattern="frozen", push="nobody")],
    )
    await host.repositories.change(SYSTEM, "tide/app", RepositoryChange(settings=settings))


async def test_a_protected_branch_only_moves_forward(host: GitHost, git: Git) -> None:
    first = await filled(host, git)
    await git("push", host.remote("tide/app"), "main:feature")
    await protect(host)
    second = await git.commit("second")
    await git("push", host.remote("tide/app"), "main")
    await git("reset", "-q", "--hard", first)
    third = await git.commit("another")
    said = await git("push", "--force", host.remote("tide/app"), "main", "main:feature", ok=False)
    assert "refs/heads/main is protected: its history may not be rewritten" in said
    assert host.folders.refs(1) == {"refs/heads/main": second, "refs/heads/feature": third}
    events = [(each.ref, each.after) for each in await host.events()]
    assert events == [
        ("refs/heads/main", first),
        ("refs/heads/feature", first),
        ("refs/heads/main", second),
        ("refs/heads/feature", third),
    ]
    await git("push", host.remote("tide/app"), f"{first}:refs/heads/stable")
    said = await git("push", host.remote("tide/app"), ":stable", ok=False)
    assert "refs/heads/stable is protected: it may not be deleted" in said
    said = await git("push", host.remote("tide/app"), ":main", ok=False)
    assert "refusing to delete the current branch" in said


async def test_a_protected_tag_neither_moves_nor_goes(host: GitHost, git: Git) -> None:
    first = await filled(host, git)
    await protect(host)
    await git("tag", "v1")
    await git("push", host.remote("tide/app"), "v1", "main:refs/tags/free")
    await git.commit("second")
    await git("tag", "-f", "v1")
    said = await git("push", "-f", host.remote("tide/app"), "v1", "main:refs/tags/free", ok=False)
    assert "refs/tags/v1 is protected: it may not be moved" in said
    assert "may not be deleted" in await git("push", host.remote("tide/app"), ":v1", ok=False)
    assert "nobody may push it" in await git(
        "push", host.remote("tide/app"), "main:refs/tags/frozen", ok=False
    )
    assert host.folders.refs(1)["refs/tags/v1"] == first


async def test_a_rule_names_the_role_that_may_push(host: GitHost, git: Git) -> None:
    await filled(host, git)
    await protect(host)
    writer = await member(host, "wim", Role.WRITER)
    maintainer = await member(host, "max", Role.MAINTAINER)
    branch = "main:release/1/x"
    said = await git("push", host.remote("tide/app", writer), branch, ok=False)
    assert "only a maintainer may push it" in said
    await git("push", host.remote("tide/app", maintainer), branch)


async def test_an_atomic_push_is_refused_as_a_whole(host: GitHost, git: Git) -> None:
    await filled(host, git)
    await protect(host)
    remote = host.remote("tide/app")
    await git("push", "--atomic", remote, "main:a", "main:refs/tags/frozen", ok=False)
    assert list(host.folders.refs(1)) == ["refs/heads/main"]


async def test_refs_of_fairways_own_are_not_pushed(host: GitHost, git: Git) -> None:
    await filled(host, git)
    said = await git("push", host.remote("tide/app"), "main:refs/fairway/x", ok=False)
    assert "Fairway's own" in said or "deny updating a hidden ref" in said


def push_body(*lines: bytes) -> bytes:
    return b"".join(b"%04x%s" % (len(line) + 4, line) for line in lines) + b"0000"


ZERO, ONE = b"0" * 40, b"1" * 40
CAPABLE = b"\x00 report-status side-band-64k"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"zzzz",
        b"0003",
        b"0001",
        push_body(b"push-cert\x00 report-status\n", b"x"),
        push_body(ZERO + b" " + ONE + b" refs/heads/../../x" + CAPABLE),
        push_body(ZERO + b" " + ONE + b" refs/heads/a b" + CAPABLE),
        push_body(ZERO + b" " + ONE + b" HEAD" + CAPABLE),
        push_body(ZERO + b" " + ONE + b" refs/heads/" + b"a" * 600 + CAPABLE),
        push_body(ZERO + b"  " + ONE + b" refs/heads/a" + CAPABLE),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
async def test_a_push_that_cannot_be_read_never_reaches_git(
    host: GitHost, body: bytes, packed: bool
) -> None:
    headers = {"content-encoding": "gzip"} if packed else {}
    async with httpx.AsyncClient(auth=("any", host.token), timeout=90) as http:
        answer = await http.post(
            host.url + "/tide/app.git/git-receive-pack",
            content=gzip.compress(body) if packed else body,
            headers=headers,
        )
    assert answer.status_code == 422
    assert "this push cannot be read" in answer.text
    assert host.folders.numbers() == []


async def test_a_gzip_push_is_judged_like_any_other(host: GitHost, git: Git) -> None:
    first = await filled(host, git)
    await git("push", host.remote("tide/app"), "main:stable")
    await protect(host)
    body = push_body(first.encode() + b" " + ZERO + b" refs/heads/stable" + CAPABLE)
    async with httpx.AsyncClient(auth=("any", host.token), timeout=90) as http:
        answer = await http.post(
            host.url + "/tide/app.git/git-receive-pack",
            content=gzip.compress(body),
            headers={"content-encoding": "gzip"},
        )
    assert answer.status_code == 200
    assert "it may not be deleted" in answer.text
    assert host.folders.refs(1) == {"refs/heads/main": first, "refs/heads/stable": first}


async def test_a_hook_in_a_pushed_tree_is_never_run(
    host: GitHost, git: Git, tmp_path: Path
) -> None:
    await git.init()
    await git.commit("evil", {"hooks/post-receive": f"#!/bin/sh\ntouch {tmp_path}/ran\n"})
    await git("push", host.remote("tide/app"), "main")
    hooks = host.folders.path(1) / "hooks"
    assert not hooks.exists()
    assert not (tmp_path / "ran").exists()
