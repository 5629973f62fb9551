"""Git repositories: Fairway's own, read where they are, and remote ones, fetched first."""

from __future__ import annotations

import asyncio
import hashlib
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from fairway.git.fetching import fetch, listed
from fairway.git.folders import Folders
from fairway.git.reads import Reads
from fairway.gitops import revisions
from fairway.gitops.credentials import Lookup, bare
from fairway.gitops.source import Source, Tree
from fairway.kit.aio import blocking
from fairway.kit.net import is_link_local
from fairway.model.commit import TreeEntry
from fairway.model.errors import InvalidInput, NotFound, Unavailable

_FRESH_S: Final = 180.0  # a remote's refs are believed, unless somebody asks for fresh ones
_TOGETHER_S: Final = 1.0  # who asks for fresh ones within this time shares them
_FETCH_S: Final = 300.0
_AT_ONCE: Final = 4
_NUMBERS: Final = 2**53
Find = Callable[[str], Awaitable[int | None]]


class CommitTree:
    """A commit of a repository on this machine."""

    def __init__(self, reads: Reads, number: int, sha: str) -> None:
        self._reads, self._number, self._sha = reads, number, sha

    async def entries(self, paths: Sequence[str]) -> dict[str, TreeEntry]:
        """As `Tree.entries`."""
        return await self._reads.entries(self._number, self._sha, paths)

    async def below(self, path: str) -> list[TreeEntry]:
        """As `Tree.below`."""
        return await self._reads.below(self._number, self._sha, path)

    async def blobs(self, ids: Sequence[str]) -> dict[str, bytes]:
        """As `Tree.blobs`."""
        return await self._reads.blobs(self._number, ids)


class OwnGit:
    """Repositories that Fairway holds: nothing is fetched, and a push is there at once.

    `find` gives a repository's number by its clone address, None for somebody else's.
    """

    def __init__(self, reads: Reads, folders: Folders, find: Find) -> None:
        self._reads, self._folders, self.find = reads, folders, find

    async def resolve(self, source: Source, *, fresh: bool = False) -> str:
        """As `Fetcher.resolve`; what it says is always fresh."""
        del fresh
        number = await self._number(source)
        wanted = source.target_revision
        if revisions.is_commit(wanted):
            return wanted
        if revisions.is_range(wanted):
            refs = await blocking(self._folders.refs, number)
            wanted = revisions.commit(wanted, refs)
        found = await self._reads.resolve(number, wanted or revisions.HEAD)
        return found or revisions.commit(source.target_revision, {})

    async def tree(self, source: Source, revision: str) -> Tree:
        """As `Fetcher.tree`."""
        number = await self._number(source)
        found = await self._reads.resolve(number, revision)
        if found is None:
            raise _no_commit(source, revision)
        return CommitTree(self._reads, number, found)

    async def _number(self, source: Source) -> int:
        number = await self.find(source.repo_url)
        if number is None:
            raise NotFound(
                f"there is no repository {source.repo_url}", code="no-repository", where=_WHERE
            )
        return number


_WHERE: Final = "spec.source.repoURL"


def _no_commit(source: Source, revision: str) -> NotFound:
    said = f"{source.repo_url} has no commit {revision}"
    return NotFound(said, code="no-revision", where="spec.source.targetRevision")


class RemoteGit:
    """Repositories elsewhere, over HTTPS. Their refs are asked for whenever the controller polls;
    a commit is fetched once, with everything that the remote has then.
    """

    def __init__(
        self, folders: Folders, credentials: Lookup, environment: Mapping[str, str]
    ) -> None:
        self._folders, self._credentials = folders, credentials
        self._reads = Reads(folders)
        self._environment = environment  # the machine's proxy and CA settings
        self._refs: dict[str, tuple[float, dict[str, str]]] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._room = asyncio.Semaphore(_AT_ONCE)

    def close(self) -> None:
        """Close every open repository."""
        self._reads.close()

    async def resolve(self, source: Source, *, fresh: bool = False) -> str:
        """As `Fetcher.resolve`. A commit's first digits are looked up in what was fetched."""
        wanted = source.target_revision
        if revisions.is_commit(wanted):
            return wanted
        found = revisions.commit(wanted, await self._remote_refs(source, fresh=fresh))
        if revisions.is_commit(found):
            return found
        number = await self._fetched(source, found)
        whole = await self._reads.resolve(number, found)
        if whole is None:
            raise _no_commit(source, found)
        return whole

    async def tree(self, source: Source, revision: str) -> Tree:
        """As `Fetcher.tree`."""
        number = await self._fetched(source, revision)
        found = await self._reads.resolve(number, revision)
        if found is None:
            raise _no_commit(source, revision)
        return CommitTree(self._reads, number, found)

    async def _remote_refs(self, source: Source, *, fresh: bool) -> dict[str, str]:
        key = bare(source.repo_url)
        async with self._lock(f"refs {key}"):
            now = asyncio.get_running_loop().time()
            at, refs = self._refs.get(key, (float("-inf"), {}))
            if now - at < (_TOGETHER_S if fresh else _FRESH_S):
                return refs
            await blocking(_check, source.repo_url)
            known = await self._credentials(source.repo_url)
            async with self._room:
                refs = await listed(
                    self._folders,
                    source.repo_url,
                    user=known.user,
                    password=known.password,
                    extra=self._environment,
                )
            self._refs[key] = (asyncio.get_running_loop().time(), refs)
            return refs

    async def _fetched(self, source: Source, revision: str) -> int:
        """The number of a folder that has a commit, if the remote has it."""
        key = bare(source.repo_url)
        number = _number(key)
        async with self._lock(f"fetch {key}"):
            await blocking(self._folders.ensure, number, key, "main")
            if await self._reads.resolve(number, revision) is not None:
                return number
            await blocking(_check, source.repo_url)
            known = await self._credentials(source.repo_url)
            async with self._room:
                await fetch(
                    self._folders,
                    number,
                    source.repo_url,
                    user=known.user,
                    password=known.password,
                    extra=self._environment,
                    deadline_s=_FETCH_S,
                )
            self._reads.forget(number)
        return number

    def _lock(self, key: str) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())


def _number(key: str) -> int:
    """A repository's folder; `Folders.ensure` stamps it with the address."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % _NUMBERS


def _check(url: str) -> None:
    """Refuse what is not to be fetched from. Blocks; raises `InvalidInput` (`bad-remote-url`,
    `remote-link-local`), `Unavailable` (`remote-unknown-host`).
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidInput(
            f"{url} is not supported yet: a Git repository is read over https:// or http://",
            code="bad-remote-url",
            where=_WHERE,
        )
    if parts.username or parts.password:
        raise InvalidInput(
            "credentials are not part of the address",
            code="bad-remote-url",
            where=_WHERE,
            remedy="put them into a Secret labelled argocd.argoproj.io/secret-type: repository",
        )
    try:
        near = is_link_local(parts.hostname, parts.port or 443)
    except OSError as error:
        said = f"the host {parts.hostname} is not known: {error.strerror}"
        raise Unavailable(said, code="remote-unknown-host") from None
    if near:
        said = f"the host {parts.hostname} has a link-local address, where clouds keep keys"
        raise InvalidInput(said, code="remote-link-local", where=_WHERE)
