"""The other services of a realistic test environment: at the digests that production runs.

`fairway/environment` names them: `realistic: [webflix/ratings, webflix/storefront]`. What they are
is decided once, when the build is made, and kept with it. An image that neither production runs
nor any build has made a candidate of ends the build before anything of it starts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from fairway.model.build import Companion
from fairway.model.errors import BadFile
from fairway.model.image import CANDIDATE_TAG, parse_name
from fairway.model.repository import Repository
from fairway.model.scope import SYSTEM
from fairway.pipeline.graph import StageGraph, StepGraph
from fairway.pipeline.pinning import Images, familiar, sight

SETTING: Final = "PLUGIN_REALISTIC"
_TAGS: Final = ("", "latest", CANDIDATE_TAG)


class Production(Protocol):
    """What runs in production: the release chapter's answer."""

    async def running(self, names: Sequence[str]) -> Mapping[str, Companion]:
        """The image of each of these names that production runs; others are left out."""
        ...


def asked(graph: StageGraph) -> dict[str, StepGraph]:
    """The names that a stage's environments are to have, each with its step."""
    return {
        name: step for step in graph.steps if step.builtin == "environment" for name in _words(step)
    }


def _words(step: StepGraph) -> list[str]:
    text = step.environment.get(SETTING, "")
    words = text.split(",") if isinstance(text, str) else []
    return [familiar(word.strip()) for word in words if word.strip()]


def _made(graphs: Mapping[str, StageGraph]) -> set[str]:
    """The names under which the build pushes images."""
    return {
        parse_name(repo).repository
        for graph in graphs.values()
        for step in graph.steps
        if step.builtin == "docker" and isinstance(repo := step.environment.get("PLUGIN_REPO"), str)
    }


async def found(
    graphs: Mapping[str, StageGraph],
    production: Production,
    images: Images,
    *,
    repository: Repository,
) -> list[Companion]:
    """What the environments of a build run besides what it makes.

    Raises `BadFile` (`environment-companion`) for the first name that is to be had nowhere.
    """
    steps = {name: step for graph in graphs.values() for name, step in asked(graph).items()}
    if not steps:
        return []
    for name in steps.keys() & _made(graphs):
        raise BadFile(
            f"the step {steps[name].name} wants {name} as production runs it, and this build makes"
            " it: it is the changed one",
            code="environment-companion",
            where=f"{repository.config_path}:{steps[name].line}:1",
            remedy=f"Take {name} out of `realistic`.",
        )
    ours = [name for name in steps if name.startswith(f"{repository.namespace}/")]
    running = await production.running(ours)
    candidates = await _candidates(images, repository, [one for one in steps if one not in running])
    return [_one(name, steps[name], running, candidates, repository) for name in sorted(steps)]


async def _candidates(
    images: Images, repository: Repository, names: Sequence[str]
) -> dict[str, str]:
    """Name:candidate -> path@digest. A build pulls every image of its own organisation."""
    found: dict[str, str] = {}
    for own, scope in ((True, SYSTEM), (False, sight(repository))):
        asked_for = [
            f"{name}:{CANDIDATE_TAG}"
            for name in names
            if name.startswith(f"{repository.namespace}/") is own
        ]
        if asked_for:
            found |= (await images.resolve(asked_for, scope)).found
    return found


def _one(  # noqa: PLR0917 what a name may mean, and where it stands
    name: str,
    step: StepGraph,
    running: Mapping[str, Companion],
    candidates: Mapping[str, str],
    repository: Repository,
) -> Companion:
    if name in running:
        return running[name]
    path, _, digest = candidates.get(f"{name}:{CANDIDATE_TAG}", "").partition("@")
    if not digest:
        raise BadFile(
            f"the step {step.name} wants {name} beside it, which production does not run and"
            " no build has made a candidate of",
            code="environment-companion",
            where=f"{repository.config_path}:{step.line}:1",
            remedy=f"Build {name} on its default branch, or take it out of `realistic`.",
        )
    return Companion(image=path, digest=digest, origin=CANDIDATE_TAG)


def given(graph: StageGraph, companions: Sequence[Companion]) -> dict[str, str]:
    """Image names of this stage's environments -> path@digest: what no tag of a file says."""
    wanted = asked(graph)
    return {
        f"{one.image}:{tag}".removesuffix(":"): f"{one.image}@{one.digest}"
        for one in companions
        if one.image in wanted
        for tag in _TAGS
    }
