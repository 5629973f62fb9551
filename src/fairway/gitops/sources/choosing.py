"""Which kind of source an application's is."""

from __future__ import annotations

from fairway.gitops.source import Fetcher, Source, Tree, is_chart
from fairway.gitops.sources.charts import ChartSources
from fairway.gitops.sources.git import OwnGit, RemoteGit


class Sources:
    """All kinds as one `Fetcher`."""

    def __init__(self, own: OwnGit, remote: RemoteGit, charts: ChartSources) -> None:
        self._own, self._remote, self._charts = own, remote, charts

    async def resolve(self, source: Source, *, fresh: bool = False) -> str:
        """As `Fetcher.resolve`."""
        return await (await self._of(source)).resolve(source, fresh=fresh)

    async def tree(self, source: Source, revision: str) -> Tree:
        """As `Fetcher.tree`."""
        return await (await self._of(source)).tree(source, revision)

    async def is_own(self, source: Source) -> bool:
        """Whether it is a repository that Fairway holds: its pushes are heard, not polled for."""
        return not is_chart(source) and await self._own.find(source.repo_url) is not None

    async def _of(self, source: Source) -> Fetcher:
        if is_chart(source):
            return self._charts
        return self._own if await self._own.find(source.repo_url) is not None else self._remote
