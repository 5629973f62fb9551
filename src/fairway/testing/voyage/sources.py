"""What Git has, and a toolbox that answers without a program: for voyages."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec

from fairway.gitops import merging
from fairway.gitops.objects import Json, Rendered
from fairway.gitops.rendering import RenderRequest
from fairway.kube import objects
from fairway.model.errors import NotFound
from fairway.native.objects import Defaults, Filled, Merge, Merged, ThreeWay

REPO: Final = "https://git.invalid/fleet.git"


class SimulatedManifests:
    """`Manifests`: every path's commits."""

    def __init__(self) -> None:
        self._commits: dict[str, list[tuple[str, list[Json]]]] = {}

    def commit(self, path: str, *wanted: Json) -> str:
        """A new revision of a path; returns it."""
        commits = self._commits.setdefault(path, [])
        revision = hashlib.sha256(msgspec.json.encode([path, len(commits), wanted])).hexdigest()[
            :40
        ]
        commits.append((revision, [objects.copy(one) for one in wanted]))
        return revision

    def newest(self, path: str) -> list[Json]:
        """What is wanted now."""
        return self._commits[path][-1][1]

    async def manifests(self, asked: RenderRequest, *, fresh: bool) -> Rendered:
        """The newest revision, or the one that is asked for."""
        del fresh
        commits = self._commits.get(asked.source.path)
        if not commits:
            raise NotFound(f"{asked.source.path}: app path does not exist", code="no-path")
        found = next((one for one in commits if one[0] == asked.revision), commits[-1])
        return Rendered(
            revision=found[0],
            source_type="Directory",
            digest=found[0],
            objects=tuple(objects.copy(one) for one in found[1]),
        )


class PlainToolbox:
    """Merges by RFC 7386 and no defaults, for every kind: as the real toolbox does for custom ones.

    What voyages apply is written so that Kubernetes' own rules would come to the same.
    """

    async def ask(self, request: Any, **_: Any) -> Any:
        """See `Toolbox`."""
        return self.ask_now(request)

    def ask_now(self, request: Any, **_: Any) -> Any:
        """See `Toolbox`. Raises `TypeError` for what voyages do not need."""
        match request:
            case Defaults():
                return [
                    Filled(object=objects.copy(dict(one)), known=False, strange=[], error="")
                    for one in request.objects
                ]
            case ThreeWay():
                last = request.last if request.last is not None else request.wanted
                patch = merging.three_way(last, request.wanted, request.live)
                return Merged(
                    object=merging.merged(request.live, patch), patch=patch, strategy="merge"
                )
            case Merge():
                made = merging.merged(request.object, request.patch)
                return Merged(object=made, patch=request.patch, strategy="merge")
            case _:
                raise TypeError(f"voyages have no {type(request).__name__}")
