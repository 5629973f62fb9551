"""From an application's source to its objects: fetched, rendered, and known again by content.

What was rendered once is not rendered again while the files that it needed, the parameters and what
the cluster told are the same; what is rendered now is rendered once for all who ask.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
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
from fairway.gitops.source import Fetcher, Source, Tree, is_chart
from fairway.kit.aio import blocking
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
        job = await self._job(tree, asked, revision)
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
        return replace(found, revision=revision)

    async def _job(self, tree: Tree, asked: RenderRequest, revision: str) -> Job:
        path = "" if is_chart(asked.source) else clean(asked.source.path)
        entry = (await tree.entries([path])).get(path)
        if entry is None or entry.kind != "folder":
            said = f"{asked.source.repo_url} has no folder {path!r} at {revision}"
            raise NotFound(said, code="no-path", where="spec.source.path")
        return Job(
            app=asked.app,
            source=await overridden(tree, path, asked.app, asked.source),
            path=path,
            destination=asked.destination,
            variables=variables(asked, revision),
        )

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


def _key(kind: SourceType, job: Job, needed: list[tuple[str, str, str]]) -> bytes:
    """What the objects depend on, and nothing else: not which commit the files are of."""
    source = replace(job.source, repo_url="", target_revision="", chart="", name="")
    wishes = msgspec.json.encode(source)
    used = {n: one for n, one in job.variables.items() if n.encode() in wishes}
    parts: list[object] = [kind, job.path, used, needed]
    if kind == "Helm":
        parts += [job.app, job.destination]
    data = wishes + msgspec.json.encode(parts)
    return hashlib.blake2b(data, digest_size=16).digest()


def _rendered(kind: SourceType, key: bytes, objects: list[Json]) -> Rendered:
    return Rendered(revision="", source_type=kind, digest=key.hex(), objects=tuple(objects))
