"""What the pipeline chapter does when something happened: `story.py` names these functions.

Each may be called again with the same event: builds are made once for each key.
"""

from __future__ import annotations

from fairway.model.errors import NotFound
from fairway.model.events import CronDue, Event, RefUpdated
from fairway.model.repository import Repository
from fairway.pipeline import triggers
from fairway.pipeline.builds import Builds
from fairway.pipeline.draft import Sources
from fairway.store import builds as rows
from fairway.store import quiet_commits
from fairway.store.database import Database


class Reactions:
    """Handlers of events. `key` is the event's own, unique for ever."""

    def __init__(self, database: Database, sources: Sources, builds: Builds) -> None:
        self._database = database
        self._sources = sources
        self._builds = builds

    async def build_ref(self, event: Event, key: str) -> None:
        """A branch or tag moved: build it."""
        if not isinstance(event, RefUpdated):
            return
        repository = await self._repository(event.repository)
        if repository is None or await self._quiet(event):
            return
        try:
            draft = await triggers.of_push(self._sources, repository, event, key=key)
        except NotFound:
            return  # the commit has gone again: force-pushed over and pruned
        if draft is not None:
            await self._builds.make(repository.id, draft)

    async def build_cron(self, event: Event, key: str) -> None:
        """A cron job's minute came: build its branch. Its minute is its key, not the event."""
        del key
        if not isinstance(event, CronDue):
            return
        repository = await self._repository(event.repository)
        if repository is None:
            return
        draft = await triggers.of_cron(self._sources, repository, event)
        if draft is not None:
            await self._builds.make(repository.id, draft)

    async def _quiet(self, event: RefUpdated) -> bool:
        """Whether Fairway itself wrote that commit, for a delivery: it starts no pipeline."""
        return await self._database.read(quiet_commits.has, event.repository, event.after)

    async def _repository(self, number: int) -> Repository | None:
        """The repository, None when it was deleted meanwhile."""
        try:
            return await self._database.read(rows.repository_of, number)
        except NotFound:
            return None
