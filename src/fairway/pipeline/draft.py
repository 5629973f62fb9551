"""A build to be, and what making one asks of other chapters."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct, field

from fairway.model.build import BuildEvent, Retry
from fairway.model.commit import CommitFacts
from fairway.model.repository import Repository


class Sources(Protocol):
    """What builds ask of the source chapter. May raise `Unavailable`: to be tried again."""

    async def config(self, repository_id: int, sha: str, path: str) -> str | None:
        """The text of a file at a commit; None when there is none."""
        ...

    async def commit(self, repository_id: int, rev: str) -> CommitFacts:
        """A commit's facts. Raises `NotFound`."""
        ...

    async def changed(self, repository_id: int, before: str, after: str) -> list[str] | None:
        """Paths that differ between two commits; None when it cannot be said."""
        ...

    async def resolve(self, repository_id: int, ref: str) -> str | None:
        """The commit that a branch, tag or commit name stands for."""
        ...


class Signatures(Protocol):
    """Whether a pipeline file is signed for its repository."""

    async def signed(self, repository_id: int, text: str) -> bool:
        """True only if the file carries a right signature."""
        ...


class Templates(Protocol):
    """The files that `kind: template` documents may load."""

    async def templates(self, repository: Repository, text: str) -> dict[str, str]:
        """File name to text, for what this pipeline file loads."""
        ...


class Draft(Struct, frozen=True, kw_only=True):
    """A build to be, before its file was read. Fields as the build's columns."""

    event: BuildEvent
    after: str
    key: str | None = None  # the same key makes no second build
    trigger: str = ""
    action: str = ""
    ref: str = ""
    before: str = ""
    source: str = ""
    target: str = ""
    source_repo: str = ""
    fork: bool = False
    title: str = ""
    message: str = ""
    author_login: str = ""
    author_name: str = ""
    author_email: str = ""
    sender: str = ""
    link: str = ""
    cron: str = ""
    deploy_to: str = ""
    parent: int = 0
    params: dict[str, str] = field(default_factory=dict)
    debug: bool = False
    config: str | None = None  # the file's text, if it is known: else it is read at `after`
    changed: list[str] | None = None
    retry: Retry | None = None
    required: bool = False  # a person asks: what prevents a build is an error, not silence
