"""Images of Fairway's own registry that nobody has and no earlier step builds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from fairway.pipeline.compile import images
from fairway.pipeline.compile.finding import Finding, Scope
from fairway.pipeline.graph import StageGraph, StepGraph

_BUILDERS: Final = ("docker",)


class Built(Struct, frozen=True):
    """What a step builds: a repository's name in full, and its tags (None: any)."""

    name: str
    tags: frozenset[str] | None

    def makes(self, image: images.Reference) -> bool:
        """Whether an image's name is one of those built."""
        return image.name == self.name and (
            self.tags is None or (image.tag or "latest") in self.tags
        )


def built_by(step: StepGraph, registry: str = "") -> list[Built]:
    """What a step with a builder plugin pushes, by its settings; none for a dry run."""
    if step.builtin not in _BUILDERS or _text(step, "PLUGIN_DRY_RUN") == "true":
        return []
    repo, host = _text(step, "PLUGIN_REPO"), _text(step, "PLUGIN_REGISTRY") or registry
    if not repo:
        return []
    tags = _text(step, "PLUGIN_TAGS") or _text(step, "PLUGIN_TAG") or "latest"
    every = _text(step, "PLUGIN_AUTO_TAG") == "true"
    known = None if every else frozenset(tag.strip() for tag in tags.split(","))
    names = {repo, f"{host.split('://')[-1].strip('/')}/{repo}" if host else repo}
    found = [images.parse(name) for name in sorted(names)]
    return [Built(reference.name, known) for reference in found if reference is not None]


def _text(step: StepGraph, key: str) -> str:
    value = step.environment.get(key, "")
    return value if isinstance(value, str) else ""


def unknown_images(
    graphs: Mapping[str, StageGraph],
    depends_on: Mapping[str, Sequence[str]],
    *,
    is_unknown: Callable[[str], bool],
    registry: str = "",
    filename: str = ".drone.yml",
) -> list[Finding]:
    """Every step whose image is in our registry, is not there, and is built by nothing before it.

    `graphs` are the build's stages by name in file order, `depends_on` their (bypassed)
    dependencies; `is_unknown` says of a name in full that it is ours and not there. To be asked
    before anything starts.
    """
    made: dict[str, list[Built]] = {}
    found: list[Finding] = []
    for name, graph in graphs.items():
        before = [built for other in depends_on.get(name, ()) for built in made.get(other, [])]
        by_step = _built_before(graph, before, registry)
        found.extend(
            _finding(step, name, filename)
            for step in graph.steps
            if _is_unknown(step, by_step[step.name], is_unknown)
        )
        made[name] = [*before, *(item for step in graph.steps for item in built_by(step, registry))]
    return found


def _built_before(graph: StageGraph, before: list[Built], registry: str) -> dict[str, list[Built]]:
    """For each step, what is built once all that it waits for has ended."""
    known: dict[str, list[Built]] = {}
    own = {step.name: built_by(step, registry) for step in graph.steps}
    for step in graph.steps:
        items = list(before)
        for other in step.depends_on:
            items += [*known.get(other, []), *own.get(other, [])]
        known[step.name] = list(dict.fromkeys(items))
    return known


def _is_unknown(step: StepGraph, built: Sequence[Built], is_unknown: Callable[[str], bool]) -> bool:
    reference = images.parse(step.image)
    if step.builtin or reference is None:
        return False
    return is_unknown(step.image) and not any(item.makes(reference) for item in built)


def _finding(step: StepGraph, pipeline: str, filename: str) -> Finding:
    return Finding(
        level="error",
        code="unknown-image",
        message=(
            f"the image '{step.image_written}' of step '{step.name}' is not in the registry, "
            "and no step before it builds it"
        ),
        file=filename,
        line=step.line,
        column=1,
        path=f"steps.{step.name}.image",
        remedy="Let the step depend on the one that builds the image, or push the image first.",
        scope=Scope.STAGE,
        pipeline=pipeline,
    )
