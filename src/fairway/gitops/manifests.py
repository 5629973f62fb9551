"""What applications want, by their sources: the controller's question to rendering."""

from __future__ import annotations

from msgspec.structs import replace

from fairway.gitops.objects import Rendered
from fairway.gitops.rendering import Rendering, RenderRequest


class SourceManifests:
    """`state.Manifests` by what Git and registries have."""

    def __init__(self, rendering: Rendering) -> None:
        self._rendering = rendering

    async def manifests(self, asked: RenderRequest, *, fresh: bool) -> Rendered:
        """See `state.Manifests`. A revision that is asked for may be a name, such as a branch."""
        source = asked.source
        if asked.revision:
            source = replace(source, target_revision=asked.revision)
        revision = await self._rendering.resolve(source, fresh=fresh or asked.hard)
        return await self._rendering.render(replace(asked, revision=revision))
