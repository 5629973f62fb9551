"""Repositories that live elsewhere: on another host of ours."""

from __future__ import annotations

import hashlib
import hmac
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fairway.access.identity import SYSTEM
from fairway.access.keyring import open_keyring
from fairway.kit.aio import Wake, background
from fairway.model.errors import Forbidden
from fairway.model.repository import Repository
from fairway.model.token import TokenScope
from fairway.source.hooks import HookDeps, hooks_app
from fairway.source.remotes import Credentials, RemoteController, RemoteDeps, Remotes
from fairway.store import repositories
from fairway.store.database import Database, sqlite_url
from fairway.testing.githost import Git, GitHost
from fairway.testing.http import serving

pytestmark = pytest.mark.client
SLUG = "tide/app"


class Mirror:
    """A Fairway that reads the repository `tide/app` of another."""

    def __init__(self, host: GitHost, elsewhere: GitHost, root: Path) -> None:
        self.host, self.elsewhere = host, elsewhere
        self.wake = Wake()
        keyring = open_keyring(root / "key")
        self.deps = RemoteDeps(
            database=host.database,
            folders=host.folders,
            announcer=host.announcer,
            keyring=keyring,
        )
        self.remotes = Remotes(self.deps)
        self.controller = RemoteController(self.deps, self.wake)
        self.hooks = hooks_app(HookDeps(host.database, keyring, self.wake))
        self.polls = 0

    async def set(self, token: str | None = None) -> Repository:
        await self.host.repositories.create(SYSTEM, SLUG)
        return await self.remotes.set(
            SYSTEM,
            SLUG,
            f"{self.elsewhere.url}/{SLUG}.git",
            Credentials("any", token or self.elsewhere.token),
        )

    async def row(self) -> Repository:
        found = await self.host.database.read(repositories.named, SLUG)
        assert found is not None
        return found


@pytest.fixture
async def mirror(host: GitHost, tmp_path: Path, sqlite_template: Path) -> AsyncIterator[Mirror]:
    shutil.copyfile(sqlite_template, tmp_path / "other.db")
    database = Database(sqlite_url(tmp_path / "other.db"))
    async with GitHost(database, tmp_path / "other").serve() as elsewhere:
        yield Mirror(host, elsewhere, tmp_path)
    database.close()


async def test_a_poll_brings_commits_tags_and_deletions_once_and_not_the_past(
    mirror: Mirror, git: Git
) -> None:
    await git.init()
    first = await git.commit("first")
    remote = mirror.elsewhere.remote(SLUG)
    await git("push", "-q", remote, "main", "main:old", "main:refs/tags/v1")
    row = await mirror.set()
    assert await mirror.controller.poll(row) == ""
    assert await mirror.controller.poll(row) == ""
    second = await git.commit("second")
    await git("push", "-q", "--force", remote, "main", ":old", "main:refs/tags/v2")
    assert await mirror.controller.poll(row) == ""
    events = [(each.ref, each.before, each.after) for each in await mirror.host.events()]
    assert events == [
        ("refs/heads/main", "", first),
        ("refs/heads/main", first, second),
        ("refs/heads/old", first, ""),
        ("refs/tags/v2", "", second),
    ]
    found = await mirror.row()
    assert found.polled
    assert found.poll_error == ""


async def test_a_poll_that_fails_says_why_and_never_shows_the_password(
    mirror: Mirror, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = "fwy_" + "s" * 43
    row = await mirror.set(wrong)
    error = await mirror.controller.poll(row)
    assert "Authentication failed" in error
    assert (await mirror.row()).poll_error == error
    assert wrong not in error + caplog.text
    for path in mirror.host.folders.root.rglob("*"):
        if path.is_file():
            assert wrong.encode() not in path.read_bytes()


async def test_nobody_pushes_to_a_repository_that_lives_elsewhere(mirror: Mirror, git: Git) -> None:
    await mirror.set()
    await git.init()
    await git.commit("first")
    assert "lives elsewhere" in await git("push", mirror.host.remote(SLUG), "main", ok=False)


async def test_only_an_admin_sets_an_address(mirror: Mirror) -> None:
    await mirror.host.repositories.create(SYSTEM, SLUG)
    identity = await mirror.host.tokens.identify(
        "Bearer " + await mirror.host.token_for("wim", TokenScope.ADMIN)
    )
    with pytest.raises(Forbidden):
        await mirror.remotes.set(identity, SLUG, "http://127.0.0.1/x.git")


def signed(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("header", ["X-Hub-Signature-256", "X-Fairway-Signature"])
async def test_a_signed_hook_wakes_and_a_commit_is_announced_once(
    mirror: Mirror, git: Git, header: str
) -> None:
    await git.init()
    sha = await git.commit("first")
    await mirror.set()
    secret = (await mirror.remotes.new_hook_secret(SYSTEM, SLUG)).reveal()
    polled = watch(mirror)
    async with (
        background(mirror.controller.run()),
        serving(mirror.hooks) as url,
        httpx.AsyncClient(timeout=90) as http,
    ):
        await polled.wait(90)
        await git("push", "-q", mirror.elsewhere.remote(SLUG), "main")
        body = b'{"ref": "refs/heads/main"}'
        for _ in range(2):
            answer = await http.post(
                f"{url}/hooks/{SLUG}", content=body, headers={header: signed(secret, body)}
            )
            assert answer.status_code == 202
        while not await mirror.host.events():
            await polled.wait(90)
    assert await mirror.controller.poll(await mirror.row()) == ""
    assert [(each.ref, each.after) for each in await mirror.host.events()] == [
        ("refs/heads/main", sha)
    ]


def watch(mirror: Mirror) -> Wake:
    """A hint after each poll."""
    done = Wake()
    poll = mirror.controller.poll

    async def watched(repository: Repository) -> str:
        error = await poll(repository)
        mirror.polls += 1
        done.set()
        return error

    mirror.controller.poll = watched  # type: ignore[method-assign]
    return done


@pytest.mark.parametrize(
    ("slug", "headers", "status"),
    [
        (SLUG, {}, 401),
        (SLUG, {"X-Hub-Signature-256": "sha256=" + "0" * 64}, 401),
        (SLUG, {"X-Hub-Signature-256": "ü".encode("latin-1").decode("latin-1")}, 401),
        ("tide/none", {"X-Hub-Signature-256": "sha256=" + "0" * 64}, 401),
        ("tide", {}, 404),
        ("tide/app/x", {}, 404),
    ],
)
async def test_a_hook_that_is_not_signed_wakes_nobody(
    mirror: Mirror, slug: str, headers: dict[str, Any], status: int
) -> None:
    await mirror.set()
    await mirror.remotes.new_hook_secret(SYSTEM, SLUG)
    await mirror.controller.poll(await mirror.row())
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}
    async with serving(mirror.hooks) as url, httpx.AsyncClient(timeout=90) as http:
        answer = await http.post(f"{url}/hooks/{slug}", content=b"{}", headers=encoded)
    assert answer.status_code == status
    assert (await mirror.row()).polled is not None


async def test_a_hook_signed_for_another_body_is_refused(mirror: Mirror) -> None:
    await mirror.set()
    secret = (await mirror.remotes.new_hook_secret(SYSTEM, SLUG)).reveal()
    async with serving(mirror.hooks) as url, httpx.AsyncClient(timeout=90) as http:
        headers = {"X-Hub-Signature-256": signed(secret, b"{}")}
        answer = await http.post(f"{url}/hooks/{SLUG}", content=b"{} ", headers=headers)
        assert answer.status_code == 401
        large = b"x" * (1024 * 1024 + 1)
        answer = await http.post(f"{url}/hooks/{SLUG}", content=large)
        assert answer.status_code == 413
