"""What other chapters may ask about a repository's content: the answers of real Git folders.

`testing/git.py` has the simulated twin; `testing/contracts/sources.py` holds both to one contract.
"""

from __future__ import annotations

import re
from typing import Final

from fairway.git.reads import Reads
from fairway.model.commit import CommitFacts
from fairway.model.errors import FairwayError, NotFound
from fairway.model.repository import Repository, Visibility
from fairway.model.scope import SYSTEM
from fairway.store import repositories
from fairway.store.database import Database

TEMPLATES: Final = ".drone/templates"  # in the repository itself
TEMPLATE_REPOSITORY: Final = "templates"  # of the organisation, files at its top
_LOAD: Final = re.compile(
    r"^load:[ \t]*(['\"]?)([A-Za-z0-9._/-]{1,200})\1[ \t]*(?:#.*)?$", re.MULTILINE
)


class Sources:
    """In-process answers. Raises `Unavailable` where a folder cannot be read."""

    def __init__(self, database: Database, reads: Reads) -> None:
        self._database = database
        self._reads = reads

    async def config(self, repository_id: int, sha: str, path: str) -> str | None:
        """The text of a file at a commit; None when there is none. Raises `BadFile`."""
        return await self._reads.config(repository_id, sha, path)

    async def commit(self, repository_id: int, rev: str) -> CommitFacts:
        """A commit's facts. Raises `NotFound`."""
        return await self._reads.commit(repository_id, rev)

    async def changed(self, repository_id: int, before: str, after: str) -> list[str] | None:
        """Paths that differ between two commits; None when it cannot be said."""
        return await self._reads.changed(repository_id, before, after)

    async def resolve(self, repository_id: int, ref: str) -> str | None:
        """The commit that a branch, tag or commit name stands for."""
        return await self._reads.resolve(repository_id, ref)

    async def templates(self, repository: Repository, text: str) -> dict[str, str]:
        """File name to text, of the templates that a pipeline file loads.

        A template is `.drone/templates/NAME` on the repository's default branch (never on the
        branch that is built: a change request cannot bring its own), else `NAME` on the default
        branch of the organisation's repository `templates`, or of the one that the settings name.
        """
        found: dict[str, str] = {}
        for name in template_names(text):
            data = await self._template(repository, name)
            if data is not None:
                found[name] = data
        return found

    async def _template(self, repository: Repository, name: str) -> str | None:
        own = await self._text(repository, f"{TEMPLATES}/{name}")
        if own is not None:
            return own
        slug = (
            repository.settings.template_repository
            or f"{repository.namespace}/{TEMPLATE_REPOSITORY}"
        )
        other = await self._database.read(repositories.by_slug, SYSTEM, slug)
        if other is None or not _may_use(repository, other):
            return None
        return await self._text(other, name)

    async def _text(self, repository: Repository, path: str) -> str | None:
        try:
            head = f"refs/heads/{repository.default_branch}"
            return await self._reads.config(repository.id, head, path)
        except NotFound:
            return None
        except FairwayError as error:
            error.where = f"{repository.slug}:{path}"
            raise


def template_names(text: str) -> list[str]:
    """The names that a pipeline file's `kind: template` documents load, in order."""
    names = [name for _, name in _LOAD.findall(text)]
    return [name for name in dict.fromkeys(names) if ".." not in name.split("/")]


def _may_use(repository: Repository, other: Repository) -> bool:
    same = other.organisation == repository.organisation
    return same or other.visibility is not Visibility.PRIVATE
