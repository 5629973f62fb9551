"""What releases ask of the rest of Fairway: `boot/release.py` supplies it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from msgspec import Struct

from fairway.kube.fleet import Fleet
from fairway.model.commit import CommitFacts
from fairway.native.toolbox import Toolbox
from fairway.release.spec import PipelineCheck
from fairway.store.database import Database

HUB_NAMESPACE = "argocd"


class Place(Struct, frozen=True):
    """A repository of ours."""

    number: int
    slug: str
    branch: str  # its default one


class Code(Protocol):
    """Our repositories. Raises `NotFound`, `Unavailable` (try again)."""

    async def find(self, slug: str) -> Place:
        """A repository. Raises `NotFound` (code `no-repository`)."""
        ...

    async def head(self, place: Place, branch: str) -> str:
        """What a branch is at; "" where there is none."""
        ...

    async def files(self, place: Place, sha: str, path: str) -> dict[str, bytes]:
        """All files of a folder at a commit by their path in it; of a file, itself by name.

        Empty where there is no such path.
        """
        ...

    async def history(self, place: Place, sha: str, *, until: str, limit: int) -> list[CommitFacts]:
        """Commits from `sha` back to `until` (which is not among them), newest first."""
        ...

    async def tags(self, place: Place) -> dict[str, str]:
        """Tag -> commit."""
        ...

    async def commit(
        self,
        place: Place,
        branch: str,
        changes: Mapping[str, bytes | None],
        *,
        message: str,
        expected: str,
    ) -> str:
        """Commit onto a branch as Fairway. Raises `Conflict` (`ref-moved`)."""
        ...

    async def logins(self, emails: Collection[str]) -> dict[str, str]:
        """Which users have these addresses: address -> login."""
        ...


class Shelf(Protocol):
    """Our registry from inside: `image.shelf.Shelf`."""

    async def digest(self, name: str, reference: str) -> str:
        """The digest behind a tag or digest; "" where it is not."""
        ...

    async def chart(self, name: str, version: str) -> bytes:
        """A chart's archive. Raises `NotFound`."""
        ...

    async def put_chart(
        self, name: str, version: str, archive: bytes, config: Mapping[str, Any]
    ) -> str:
        """Push a chart. Raises `Conflict` (`version-exists`)."""
        ...

    async def copy(self, source: str, reference: str, target: str, *, version: str = "") -> str:
        """Have another repository hold the same. Raises `NotFound`, `Conflict`."""
        ...


class Teams(Protocol):
    """Who is in which team."""

    async def members(self, team: str) -> Collection[str]:
        """Logins; empty where there is no such team."""
        ...


class Pipelines(Protocol):
    """Builds that verify a release."""

    async def start(
        self, slug: str, check: PipelineCheck, parameters: Mapping[str, str], *, key: str
    ) -> str:
        """Start one (once for a key); its name `ORG/NAME#NUMBER`."""
        ...

    async def verdict(self, reference: str) -> tuple[str, str]:
        """("" while it goes on, else passed or failed; why)."""
        ...


@dataclass(frozen=True, kw_only=True)
class Deps:
    """Everything that a release needs. `install_s`: how long a chart may take to come up."""

    database: Database
    fleet: Fleet
    code: Code
    shelf: Shelf
    toolbox: Toolbox
    teams: Teams
    pipelines: Pipelines
    registry: str  # host:port as image names show it
    hub_namespace: str = HUB_NAMESPACE
    install_s: float = 120.0
