"""Images of steps that lie in our own registry: checked before a build starts, pinned at its lease.

Which names are ours is the image chapter's answer. A name that an earlier step of the build makes
needs no answer: the runner uses what was built, by its digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec.structs import replace

from fairway.model.repository import Repository
from fairway.model.scope import Scope
from fairway.pipeline.compile import Finding, unknown_images
from fairway.pipeline.graph import StageGraph, StepGraph

_HUB_PREFIXES = ("docker.io/", "library/")


class Resolved(Protocol):
    """What names mean in our registry."""

    @property
    def found(self) -> Mapping[str, str]:
        """Name as asked -> path@digest, without a host."""
        ...

    @property
    def unknown(self) -> Sequence[str]:
        """Names that are ours, and not there."""
        ...


class Images(Protocol):
    """What builds ask of the image chapter."""

    async def resolve(self, names: Sequence[str], scope: Scope) -> Resolved:
        """Which names are in our registry, as far as `scope` may pull. Raises `Unavailable`."""
        ...


def sight(repository: Repository) -> Scope:
    """What a build's own credentials may pull."""
    return Scope(
        actor="build",
        build_repository=repository.id,
        build_organisation=repository.organisation,
    )


def familiar(image: str) -> str:
    """An image's full name as people write it: without the public hub's host."""
    for prefix in _HUB_PREFIXES:
        image = image.removeprefix(prefix)
    return image


def names(graphs: Sequence[StageGraph]) -> list[str]:
    """Every image that would be pulled, once."""
    found = [familiar(step.image) for graph in graphs for step in graph.steps if _is_pulled(step)]
    return list(dict.fromkeys(found))


async def missing(
    graphs: Mapping[str, StageGraph],
    depends_on: Mapping[str, Sequence[str]],
    images: Images,
    *,
    repository: Repository,
) -> list[Finding]:
    """Steps whose image is ours, is not there, and is built by nothing before it."""
    wanted = names(list(graphs.values()))
    resolved = await images.resolve(wanted, sight(repository)) if wanted else None
    if resolved is None or not resolved.unknown:
        return []
    unknown = set(resolved.unknown)
    return unknown_images(
        graphs,
        depends_on,
        is_unknown=lambda image: familiar(image) in unknown,
        filename=repository.config_path,
    )


async def pinned(
    graph: StageGraph, images: Images, registry: str, *, repository: Repository
) -> StageGraph:
    """The graph with every image of ours by its digest, pulled from `registry` (host:port)."""
    wanted = names([graph])
    resolved = await images.resolve(wanted, sight(repository)) if wanted else None
    if resolved is None or not resolved.found:
        return graph
    steps = tuple(_pin(step, resolved.found, registry) for step in graph.steps)
    return replace(graph, steps=steps)


def _pin(step: StepGraph, found: Mapping[str, str], registry: str) -> StepGraph:
    path = found.get(familiar(step.image)) if _is_pulled(step) else None
    return replace(step, image=f"{registry}/{path}") if path else step


def _is_pulled(step: StepGraph) -> bool:
    return bool(step.image) and not step.builtin
