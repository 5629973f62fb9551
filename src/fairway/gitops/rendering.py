"""From an application's source to its objects: fetched, rendered, and known again by content.

What was rendered once is not rendered again while the files that it needed, the parameters and what
the cluster told are the same; what is rendered now is rendered once for all who ask.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from fairway.gitops.objects import Destination, Json, Rendered, SourceType
from fairway.gitops.renderer import (
    Files,
    Job,
    Renderer,
    clean,
    discovered,
    explicit,
    overridden,
)
from fairway.gitops.renderers.helm import Chart
from fairway.gitops.renderers.kustomize import Kustomization
from fairway.gitops.renderers.plain import Plain
from fairway.gitops.source import Fetcher, Helm, Source, Tree, is_chart
from fairway.kit.aio import blocking
from fairway.model.commit import TreeEntry
from fairway.model.errors import NotFound
from fairway.native.toolbox import Toolbox

_RESULTS: Final = 4096
_AT_ONCE: Final = 4


class RenderRequest(Struct, frozen=True, kw_only=True):
    """`revision` "" is what the source stands for now; `hard` believes nothing that is kept."""

    app: str  # the application's name
    source: Source
    destination: Destination
    project: str = "default"
    revision: str = ""
    hard: bool = False


class Rendering:
    """The renderer of one process. `fetcher` finds where a source is."""

    def __init__(self, toolbox: Toolbox, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        kinds: tuple[Renderer, ...] = (Plain(), Chart(toolbox), Kustomization(toolbox))
        self._renderers: Mapping[SourceType, Renderer] = {one.kind: one for one in kinds}
        self._known: OrderedDict[bytes, Rendered] = OrderedDict()
        self._glances: OrderedDict[bytes, bytes] = OrderedDict()  # to keys of `_known`
        self._under_way: dict[bytes, asyncio.Event] = {}
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def resolve(self, source: Source, *, fresh: bool = False) -> str:
        """The revision that a source stands for now: a commit, or a chart's version."""
        return await self._fetcher.resolve(source, fresh=fresh)

    async def render(self, asked: RenderRequest) -> Rendered:
        """The objects. Raises `InvalidInput`, `NotFound`, `Forbidden`, `TooLarge` for what somebody
        has to change, and `Unavailable` for what may be tried again.
        """
        revision = asked.revision
        if not revision:
            revision = await self._fetcher.resolve(asked.source, fresh=asked.hard)
        tree = await self._fetcher.tree(asked.source, revision)
        folder = await self._folder(tree, asked, revision)
        glance = _glance(asked, folder, revision)
        known = self._known.get(self._glances.get(glance, b""))
        if known is None or asked.hard:
            known = await self._rendered(tree, asked, revision, glance)
        return replace(known, revision=revision)

    async def _rendered(
        self, tree: Tree, asked: RenderRequest, revision: str, glance: bytes
    ) -> Rendered:
        job = Job(
            app=asked.app,
            source=await overridden(tree, _path(asked.source), asked.app, asked.source),
            path=_path(asked.source),
            destination=asked.destination,
            variables=variables(asked, revision),
        )
        kind = explicit(job.source) or await discovered(tree, job.path)
        if is_chart(asked.source):
            kind = "Helm"
        renderer = self._renderers[kind]
        needed = await renderer.needs(tree, job)
        key = _key(kind, job, [(one.path, one.kind, one.sha) for one in needed])

        async def make() -> Rendered:
            contents = await tree.blobs([one.sha for one in needed])
            files = Files(entries=tuple(needed), contents=contents)
            async with self._room:
                made = await blocking(renderer.render, files, job)
            return _rendered(kind, key, made)

        found = await self._once(key, make, again=asked.hard)
        if job.source == asked.source and _is_closed(kind, job, needed):
            self._glances[glance] = key
            while len(self._glances) > _RESULTS:
                self._glances.popitem(last=False)
        return found

    async def _folder(self, tree: Tree, asked: RenderRequest, revision: str) -> TreeEntry:
        path = _path(asked.source)
        entry = (await tree.entries([path])).get(path)
        if entry is None or entry.kind != "folder":
            said = f"{asked.source.repo_url} has no folder {path!r} at {revision}"
            raise NotFound(said, code="no-path", where="spec.source.path")
        return entry

    async def _once(
        self, key: bytes, make: Callable[[], Awaitable[Rendered]], *, again: bool
    ) -> Rendered:
        """What is known, else what somebody is making, else made here."""
        while key in self._under_way:
            await self._under_way[key].wait()
            again = False
        if key in self._known and not again:
            self._known.move_to_end(key)
            return self._known[key]
        done = self._under_way[key] = asyncio.Event()
        try:
            made = self._known[key] = await make()
        finally:
            del self._under_way[key]
            done.set()
        while len(self._known) > _RESULTS:
            self._known.popitem(last=False)
        return made


def variables(asked: RenderRequest, revision: str) -> dict[str, str]:
    """What parameters may say as `$ARGOCD_APP_NAME` and the like."""
    return {
        "ARGOCD_APP_NAME": asked.app,
        "ARGOCD_APP_NAMESPACE": asked.destination.namespace,
        "ARGOCD_APP_PROJECT_NAME": asked.project,
        "ARGOCD_APP_REVISION": revision,
        "ARGOCD_APP_REVISION_SHORT": revision[:7],
        "ARGOCD_APP_REVISION_SHORT_8": revision[:8],
        "ARGOCD_APP_SOURCE_REPO_URL": asked.source.repo_url,
        "ARGOCD_APP_SOURCE_PATH": asked.source.path,
        "ARGOCD_APP_SOURCE_TARGET_REVISION": asked.source.target_revision,
    }


def _path(source: Source) -> str:
    return "" if is_chart(source) else clean(source.path)


def _glance(asked: RenderRequest, folder: TreeEntry, revision: str) -> bytes:
    """What the objects depend on where nothing outside of the folder is needed."""
    wishes = _wishes(asked.source)
    used = _used(wishes, variables(asked, revision))
    data = msgspec.json.encode([folder.sha, folder.path, used, asked.app, asked.destination])
    return hashlib.blake2b(wishes + data, digest_size=16).digest()


def _is_closed(kind: SourceType, job: Job, needed: Sequence[TreeEntry]) -> bool:
    """Whether the folder's content says all: nothing else is needed, nor could be one day."""
    helm = job.source.helm or Helm()
    named = [*helm.value_files, *(one.path for one in helm.file_parameters)]
    if kind == "Kustomize" or any(path.startswith("/") or ".." in path for path in named):
        return False
    head = f"{job.path}/" if job.path else ""
    return all(one.kind == "file" and one.path.startswith(head) for one in needed)


def _wishes(source: Source) -> bytes:
    """A source without its place."""
    bare = replace(source, repo_url="", path="", target_revision="", chart="", name="")
    return msgspec.json.encode(bare)


def _used(wishes: bytes, known: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in known.items() if name.encode() in wishes}


def _key(kind: SourceType, job: Job, needed: list[tuple[str, str, str]]) -> bytes:
    """What the objects depend on, and nothing else: not which commit the files are of."""
    wishes = _wishes(job.source)
    parts: list[object] = [kind, job.path, _used(wishes, job.variables), needed]
    if kind == "Helm":
        parts += [job.app, job.destination]
    data = wishes + msgspec.json.encode(parts)
    return hashlib.blake2b(data, digest_size=16).digest()


def _rendered(kind: SourceType, key: bytes, objects: list[Json]) -> Rendered:
    return Rendered(revision="", source_type=kind, digest=key.hex(), objects=tuple(objects))
