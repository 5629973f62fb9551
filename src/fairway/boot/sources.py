"""Where applications' manifests are: what rendering asks of the other chapters."""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import unquote, urlsplit

from sqlalchemy import Connection

from fairway.boot.opening import Opened
from fairway.git.folders import Folders
from fairway.gitops.credentials import Credentials, HubCredentials, Lookup
from fairway.gitops.sources.charts import ChartSources
from fairway.gitops.sources.choosing import Sources
from fairway.gitops.sources.git import OwnGit, RemoteGit
from fairway.image.shelf import Shelf
from fairway.kube import Kube
from fairway.kube.fleet import Fleet, home
from fairway.model.errors import Unavailable
from fairway.model.scope import SYSTEM
from fairway.settings import Settings, network_environment
from fairway.store import manifests, registry, repositories
from fairway.store.database import Database

_KEPT_S: Final = 1.0  # a repository's number is believed
_PAGE: Final = 1000
_PORTS: Final = {"http": 80, "https": 443}


def sources(settings: Settings, opened: Opened, credentials: Lookup) -> Sources:
    """Every kind of source; remote repositories are fetched into the data folder. Blocks."""
    remote = Folders(settings.data / "remote-git")
    remote.prepare()
    own = OwnRepositories(opened.database, settings.external_url, settings.local_url)
    return Sources(
        OwnGit(opened.reads, opened.folders, own.find),
        RemoteGit(remote, credentials, network_environment()),
        ChartSources(
            credentials,
            OwnRegistry(opened.database, Shelf(opened.database, opened.blobs), settings),
        ),
    )


class FleetCredentials:
    """The Secrets of the hub, once there is a way into it."""

    def __init__(self, fleet: Fleet, namespace: str) -> None:
        self._fleet, self._namespace = fleet, namespace
        self._kube: Kube | None = None
        self._known: HubCredentials | None = None

    async def __call__(self, url: str) -> Credentials:
        """What to use for an address. Raises `Unavailable` without a way into the hub."""
        hub = home(self._fleet)
        if hub is None:
            raise Unavailable("there is no home cluster yet", code="cluster-unavailable")
        kube = hub.client()
        if self._known is None or kube is not self._kube:
            self._kube, self._known = kube, HubCredentials(kube, self._namespace)
        return await self._known(url)


class OwnRepositories:
    """Which addresses are ours: those that we show, and those of this machine."""

    def __init__(self, database: Database, *addresses: str) -> None:
        self._database = database
        self._places = {place for one in addresses for place in _places(one)}
        self._found: dict[str, tuple[float, int | None]] = {}

    async def find(self, url: str) -> int | None:
        """A repository's number; None for somebody else's, and for one that is not there."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not _places(url) & self._places:
            return None
        slug = unquote(parts.path).strip("/").removesuffix(".git")
        now = asyncio.get_running_loop().time()
        at, number = self._found.get(slug, (float("-inf"), None))
        if now - at > _KEPT_S:
            found = await self._database.read(repositories.by_slug, SYSTEM, slug)
            number = found.id if found else None
            self._found[slug] = (now, number)
        return number


def _places(url: str) -> set[tuple[str, int]]:
    """Host and port of an address; the names of this machine are one."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or _PORTS.get(parts.scheme, 0)
    return {("127.0.0.1" if host in {"localhost", "::1"} else host, port)}


class OwnRegistry:
    """`gitops.sources.charts.OwnCharts` over our own shelf."""

    def __init__(self, database: Database, shelf: Shelf, settings: Settings) -> None:
        self._database, self._shelf = database, shelf
        local = urlsplit(settings.local_url).netloc
        port = local.rpartition(":")[2]
        self._hosts = {settings.registry_name, local, f"localhost:{port}"}

    def name(self, address: str) -> str | None:
        """A repository's name in the registry, by `HOST/PATH`; None for another registry's."""
        host, _, path = address.partition("/")
        return path if host in self._hosts else None

    async def versions(self, name: str) -> list[str]:
        """All tags of a repository as versions."""
        return [one.replace("_", "+") for one in await self._database.read(_tags, name)]

    async def chart(self, name: str, version: str) -> bytes:
        """A chart's archive. Raises `NotFound`."""
        return await self._shelf.chart(name, version)


def _tags(db: Connection, name: str) -> list[str]:
    repo = registry.find_repository(db, name)
    found: list[str] = []
    while repo is not None:
        page = manifests.tags(db, repo, last=found[-1] if found else "", limit=_PAGE)
        found += page
        if len(page) < _PAGE:
            break
    return found
