"""Git repositories as sources: our own in place, a remote one fetched over HTTP."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from fairway.git.folders import Folders, environment
from fairway.gitops.credentials import Credentials
from fairway.gitops.source import Source
from fairway.gitops.sources.charts import ChartSources
from fairway.gitops.sources.choosing import Sources
from fairway.gitops.sources.git import OwnGit, RemoteGit
from fairway.kit.secret import Secret
from fairway.model.errors import FairwayError
from fairway.testing.gitwriter import write_commit
from fairway.testing.http import serving

URL = "https://fairway.example.org/shop/config.git"


class Host:
    """A Git host for one repository, with a password."""

    def __init__(self, folders: Folders) -> None:
        self.folders = folders
        self.path = folders.path(7)
        self.asked: list[str] = []
        self.down = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        status, kind, body = HTTPStatus.OK, b"text/plain", b""
        given = headers.get(b"authorization", b"").removeprefix(b"Basic ")
        if self.down:
            status = HTTPStatus.SERVICE_UNAVAILABLE
        elif base64.b64decode(given) != b"ada:secret":
            status = HTTPStatus.UNAUTHORIZED
        else:
            kind, body = await self._answer(scope, receive)
        shown = [(b"content-type", kind), (b"www-authenticate", b"Basic realm=git")]
        await send({"type": "http.response.start", "status": int(status), "headers": shown})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Any, receive: Any) -> tuple[bytes, bytes]:
        data, more = b"", True
        while more:
            part = await receive()
            data, more = data + part.get("body", b""), part.get("more_body", False)
        path = scope["path"]
        self.asked.append(path.rpartition("/")[2])
        first = path.endswith("/info/refs")
        words = ("--advertise-refs",) if first else ()
        version = dict(scope["headers"]).get(b"git-protocol", b"").decode()
        child = await asyncio.create_subprocess_exec(
            *("git", "upload-pack", "--stateless-rpc", *words, str(self.path)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**environment(self.folders), "GIT_PROTOCOL": version},
        )
        out, _ = await child.communicate(data)
        if first:
            head = b"" if version else b"001e# service=git-upload-pack\n0000"
            return b"application/x-git-upload-pack-advertisement", head + out
        return b"application/x-git-upload-pack-result", out


@pytest.fixture
async def host(folders: Folders) -> AsyncIterator[tuple[Host, str]]:
    made = Host(folders)
    write_commit(made.path, {"app/a.yaml": "one"})
    async with serving(made) as url:
        yield made, f"{url}/shop.git"


def remote(tmp_path: Path, password: str = "secret") -> RemoteGit:
    folders = Folders(tmp_path / "remote")
    folders.prepare()

    async def known(_url: str) -> Credentials:
        return Credentials(user="ada", password=Secret(password))

    return RemoteGit(folders, known, {})


def source(url: str, revision: str = "") -> Source:
    return Source(repo_url=url, target_revision=revision)


async def test_our_own_repository_is_read_as_it_is_pushed(own: OwnGit, folders: Folders) -> None:
    first = write_commit(folders.path(7), {"app/a.yaml": "one"})
    assert await own.resolve(source(URL)) == first
    second = write_commit(folders.path(7), {"app/a.yaml": "two"})
    assert await own.resolve(source(URL, "main")) == second
    assert await own.resolve(source(URL, first[:9])) == first
    tree = await own.tree(source(URL), second)
    (entry,) = await tree.below("app")
    assert await tree.blobs([entry.sha]) == {entry.sha: b"two"}


async def test_a_range_of_versions_is_the_highest_tag(own: OwnGit, folders: Folders) -> None:
    path = folders.path(7)
    first = write_commit(path, {"a": "1"})
    second = write_commit(path, {"a": "2"})
    for name, sha in (("v1.0.0", first), ("v1.10.0", second), ("v2.0.0", first)):
        (path / "refs/tags" / name).write_text(sha + "\n")
    assert await own.resolve(source(URL, "1.x")) == second
    assert await own.resolve(source(URL, "v1.0.0")) == first


@pytest.mark.parametrize("revision", ["nothing", "a" * 40])
async def test_what_our_repository_does_not_have_is_named(own: OwnGit, revision: str) -> None:
    with pytest.raises(FairwayError, match=revision) as caught:
        await own.tree(source(URL), await own.resolve(source(URL, revision)))
    assert caught.value.code == "no-revision"


async def test_a_remote_repository_is_fetched_once_and_followed(
    host: tuple[Host, str], tmp_path: Path
) -> None:
    there, url = host
    git = remote(tmp_path)
    sha = await git.resolve(source(url))
    tree = await git.tree(source(url), sha)
    assert [one.path for one in await tree.below("")] == ["app/a.yaml"]
    asked = len(there.asked)
    assert await git.resolve(source(url, "main")) == sha
    await git.tree(source(url), sha)
    assert len(there.asked) == asked
    new = write_commit(there.path, {"app/a.yaml": "two"})
    assert await git.resolve(source(url)) == sha  # what it said before is believed a while
    late = remote(tmp_path)
    assert await late.resolve(source(url), fresh=True) == new
    (entry,) = await (await late.tree(source(url), new)).below("")
    assert entry.path == "app/a.yaml"
    for one in (git, late):
        one.close()


async def test_a_commits_first_digits_are_found_at_the_remote(
    host: tuple[Host, str], tmp_path: Path
) -> None:
    there, url = host
    first = await remote(tmp_path / "a").resolve(source(url))
    write_commit(there.path, {"app/a.yaml": "two"})
    git = remote(tmp_path / "b")
    assert await git.resolve(source(url, first[:8])) == first
    git.close()


async def test_a_wrong_password_is_told_and_never_shown(
    host: tuple[Host, str], tmp_path: Path
) -> None:
    with pytest.raises(FairwayError) as caught:
        await remote(tmp_path, password="wr0ng").resolve(source(host[1]))
    assert (caught.value.code, caught.value.retriable) == ("fetch-failed", True)
    assert "wr0ng" not in str(caught.value)


async def test_a_remote_that_is_away_may_be_tried_again(
    host: tuple[Host, str], tmp_path: Path
) -> None:
    there, url = host
    there.down = True
    git = remote(tmp_path)
    with pytest.raises(FairwayError) as caught:
        await git.resolve(source(url))
    assert caught.value.retriable
    there.down = False
    assert await git.resolve(source(url))
    git.close()


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("git@example.org:shop/config.git", "bad-remote-url"),
        ("ssh://git@example.org/shop.git", "bad-remote-url"),
        ("file:///etc", "bad-remote-url"),
        ("https://ada:secret@example.org/shop.git", "bad-remote-url"),
        ("http://169.254.169.254/shop.git", "remote-link-local"),
    ],
)
async def test_an_address_that_is_not_to_be_fetched_from_is_refused(
    tmp_path: Path, url: str, code: str
) -> None:
    with pytest.raises(FairwayError) as caught:
        await remote(tmp_path).resolve(source(url))
    assert caught.value.code == code


async def test_each_source_goes_to_its_kind(
    own: OwnGit, folders: Folders, host: tuple[Host, str], tmp_path: Path
) -> None:
    async def known(_url: str) -> Credentials:
        return Credentials(user="ada", password=Secret("secret"))

    git = remote(tmp_path)
    all_ = Sources(own, git, ChartSources(known))
    sha = write_commit(folders.path(7), {"a": "1"})
    assert await all_.resolve(source(URL)) == sha
    assert await all_.is_own(source(URL))
    assert await all_.resolve(source(host[1])) == sha
    assert not await all_.is_own(source(host[1]))
    chart = Source(repo_url="registry.example.org", chart="web", target_revision="1.2.3")
    assert await all_.resolve(chart) == "1.2.3"
    assert not await all_.is_own(chart)
    git.close()
