"""Charts: from OCI registries (ours and others') and from Helm's HTTP repositories.

A version is believed to stay what it is: its archive is fetched once, until somebody asks for a
hard refresh.
"""

from __future__ import annotations

import asyncio
import urllib.parse
from collections import OrderedDict
from typing import Any, Final, Protocol

import httpx
import yaml

from fairway.gitops import revisions
from fairway.gitops.credentials import Lookup, bare
from fairway.gitops.source import Source, Tree
from fairway.gitops.sources.archives import MemoryTree, unpacked
from fairway.kit import trust
from fairway.kit.aio import blocking
from fairway.kit.outbound import refuse_link_local
from fairway.model.errors import Forbidden, InvalidInput, NotFound, TooLarge, Unavailable
from fairway.oci import digest
from fairway.oci.charts import Charts, Place
from fairway.oci.reference import is_name, split_host

_KEPT: Final = 64  # charts
_FRESH_S: Final = 180.0
_TOGETHER_S: Final = 0.5
_INDEX: Final = 64 * 1024 * 1024
_ARCHIVE: Final = 64 * 1024 * 1024
_SECONDS: Final = 60.0
_OCI: Final = "oci://"
_HERE: Final = "spec.source.repoURL"


class OwnCharts(Protocol):
    """Fairway's own registry, read without HTTP."""

    def name(self, address: str) -> str | None:
        """A repository's name in it, by `HOST/PATH`; None for another registry's."""

    async def versions(self, name: str) -> list[str]:
        """All tags of a repository as versions."""

    async def chart(self, name: str, version: str) -> bytes:
        """A chart's archive. Raises `NotFound`."""


class ChartSources:
    """Every chart's repository. `own` is Fairway's own registry, where there is one."""

    def __init__(self, credentials: Lookup, own: OwnCharts | None = None) -> None:
        self._credentials, self._own = credentials, own
        self._versions: dict[str, tuple[float, list[str]]] = {}
        self._trees: OrderedDict[tuple[str, str], MemoryTree] = OrderedDict()
        self._locks: dict[str, asyncio.Lock] = {}

    async def resolve(self, source: Source, *, fresh: bool = False) -> str:
        """As `Fetcher.resolve`."""
        if revisions.is_range(source.target_revision):
            return revisions.version(source.target_revision, await self._all(source, fresh=fresh))
        if fresh:
            self._trees.pop((where(source), source.target_revision), None)
        if digest.is_digest(source.target_revision):
            return source.target_revision
        return revisions.version(source.target_revision, [])

    async def tree(self, source: Source, revision: str) -> Tree:
        """As `Fetcher.tree`."""
        key = where(source), revision
        async with self._lock(":".join(key)):
            if key not in self._trees:
                archive = await self._archive(source, revision)
                self._trees[key] = await blocking(unpacked, archive, f"{key[0]}:{revision}")
            self._trees.move_to_end(key)
            while len(self._trees) > _KEPT:
                self._trees.popitem(last=False)
            return self._trees[key]

    async def _all(self, source: Source, *, fresh: bool) -> list[str]:
        name = self._own_name(source)
        if self._own is not None and name is not None:
            return await self._own.versions(name)
        key = where(source)
        async with self._lock(key):
            now = asyncio.get_running_loop().time()
            at, found = self._versions.get(key, (float("-inf"), []))
            if now - at < (_TOGETHER_S if fresh else _FRESH_S):
                return found
            found = await self._listed(source)
            self._versions[key] = (asyncio.get_running_loop().time(), found)
            return found

    async def _listed(self, source: Source) -> list[str]:
        if await self._is_oci(source):
            async with Charts(await self._place(source)) as charts:
                return await charts.versions()
        return [str(one.get("version")) for one in await self._index(source)]

    def _own_name(self, source: Source) -> str | None:
        return self._own.name(where(source)) if self._own else None

    async def _archive(self, source: Source, revision: str) -> bytes:
        name = self._own_name(source)
        if self._own is not None and name is not None:
            return await self._own.chart(name, revision)
        if await self._is_oci(source):
            async with Charts(await self._place(source)) as charts:
                return (await charts.pull(revision)).archive
        for one in await self._index(source):
            if one.get("version") == revision and one.get("urls"):
                return await self._download(source, str(one["urls"][0]), one.get("digest"))
        said = f"{source.repo_url} has no version {revision} of {source.chart}"
        raise NotFound(said, code="no-chart-version", where="spec.source.targetRevision")

    async def _is_oci(self, source: Source) -> bool:
        """An address without a scheme is a registry's, as in Argo CD."""
        if source.repo_url.startswith(_OCI) or "://" not in source.repo_url:
            return True
        return (await self._credentials(source.repo_url)).oci

    async def _place(self, source: Source) -> Place:
        host, path = split_host(where(source))
        if not host or not is_name(path):
            raise InvalidInput(
                f"{source.repo_url} is no registry's address with a chart's name",
                code="bad-chart-address",
                where=_HERE,
                remedy="write HOST/PATH and the chart's name in spec.source.chart",
            )
        known = await self._credentials(source.repo_url)
        return Place(host=host, path=path, auth=known.auth, insecure=known.plain)

    async def _index(self, source: Source) -> list[dict[str, Any]]:
        """All versions that a Helm repository tells of a chart."""
        data = await self._fetch(source, f"{source.repo_url.rstrip('/')}/index.yaml", _INDEX)
        try:
            found = await blocking(yaml.load, data, Loader=yaml.CSafeLoader)
            entries = found["entries"].get(source.chart) or []
        except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
            said = f"{source.repo_url} has no index of charts: {error}"
            raise InvalidInput(said, code="bad-chart", where=_HERE) from None
        return [one for one in entries if isinstance(one, dict)]

    async def _download(self, source: Source, url: str, wanted: Any) -> bytes:
        place = urllib.parse.urljoin(f"{source.repo_url.rstrip('/')}/", url)
        data = await self._fetch(source, place, _ARCHIVE)
        made = digest.of(data).removeprefix("sha256:")
        if wanted and made != str(wanted).removeprefix("sha256:"):
            raise InvalidInput(f"{place} has other bytes than its index says", code="bad-chart")
        return data

    async def _fetch(self, source: Source, url: str, limit: int) -> bytes:
        """A file of a Helm repository; credentials go to its own host alone."""
        parts, own = urllib.parse.urlsplit(url), urllib.parse.urlsplit(source.repo_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            said = f"{url} is not supported yet: a chart is read over https:// or http://"
            raise InvalidInput(said, code="bad-chart-address", where=_HERE)
        known = await self._credentials(source.repo_url)
        auth = None
        if known.password is not None and parts[:2] == own[:2]:
            auth = httpx.BasicAuth(known.user, known.password.reveal())
        try:
            async with httpx.AsyncClient(
                auth=auth,
                timeout=_SECONDS,
                verify=False if known.insecure else await blocking(trust.authorities),
                follow_redirects=True,
                event_hooks={"request": [refuse_link_local]},
            ) as http:
                return await _limited(http, url, limit)
        except httpx.HTTPError as error:
            said = str(error) or type(error).__name__
            raise Unavailable(
                f"{url} cannot be read: {said}",
                code="chart-unavailable",
                remedy="it is tried again by itself; look at the repository",
            ) from error

    def _lock(self, key: str) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())


def where(source: Source) -> str:
    """The address of a chart's repository: the registry's, then the chart's name."""
    base = source.repo_url if "://" in source.repo_url else bare(source.repo_url)
    base = base.removeprefix(_OCI).rstrip("/")
    return f"{base}/{source.chart}" if source.chart else base


async def _limited(http: httpx.AsyncClient, url: str, limit: int) -> bytes:
    data = bytearray()
    async with http.stream("GET", url) as answer:
        if answer.status_code in {401, 403}:
            raise Forbidden(f"{url} may not be read", code="chart-forbidden", where=_HERE)
        if answer.status_code == 404:
            raise NotFound(f"{url} is not there", code="no-chart-version", where=_HERE)
        answer.raise_for_status()
        async for piece in answer.aiter_bytes():
            data += piece
            if len(data) > limit:
                raise TooLarge(f"{url} has more than {limit} bytes", code="chart-too-large")
    return bytes(data)
