"""A pipeline of the config, and the facts of a build, as the graph that an engine runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fairway.pipeline.compile.check import CLONE
from fairway.pipeline.compile.conditions import judge, subject
from fairway.pipeline.compile.config import Pipeline, Step, VolumeConfig
from fairway.pipeline.compile.containers import (
    WORKSPACE_VOLUME,
    Place,
    clone_step,
    container_step,
    exec_step,
    is_device_path,
    place_of,
)
from fairway.pipeline.compile.context import Context
from fairway.pipeline.compile.edges import bypass, step_edges
from fairway.pipeline.compile.privilege import builtin
from fairway.pipeline.compile.workspace import Workspace, workspace
from fairway.pipeline.graph import SecretRef, StageGraph, StepGraph, Volume

EXEC_WORKSPACE: Final = Workspace("/drone/src", "", "/drone/src")


def build_graph(pipeline: Pipeline, context: Context) -> StageGraph:
    """The graph of a pipeline that has passed every check. Raises `BadFile`."""
    docker = pipeline.type != "exec"
    space = (
        workspace(pipeline.workspace_base, pipeline.workspace_path) if docker else EXEC_WORKSPACE
    )
    place = place_of(pipeline, context, space)
    steps = _steps(place, (*pipeline.services, *pipeline.steps) if docker else pipeline.steps)
    platform = pipeline.platform
    return StageGraph(
        name=pipeline.name,
        type=pipeline.type,
        os=platform.os,
        arch=platform.arch,
        variant=platform.variant,
        version=platform.version,
        labels=pipeline.labels,
        steps=steps,
        volumes=_volumes(pipeline) if docker else (Volume(WORKSPACE_VOLUME, "workspace"),),
        workspace_path=space.full,
        workspace_base=space.base,
        pull_secrets=tuple(name.lower() for name in pipeline.pull_secrets),
        secrets=_secrets(steps, pipeline.pull_secrets),
        timeout_s=pipeline.timeout_s or context.repo.timeout_s,
    )


def _steps(place: Place, steps: Sequence[Step]) -> tuple[StepGraph, ...]:
    """Clone, services and steps, numbered in file order, without those that never match."""
    clone = "" if place.pipeline.clone.disable else CLONE
    order = [*([clone] if clone else []), *(step.name for step in steps)]
    edges = step_edges(order, {step.name: step.depends_on for step in steps}, clone=clone)
    about = subject(place.context)
    matched = [
        step
        for step in steps
        if judge(step.when, about, instance=True).matched and not left_out(step, place.context)
    ]
    gone = {step.name for step in steps} - {step.name for step in matched}
    edges = bypass(edges, gone)
    make = exec_step if place.pipeline.type == "exec" else container_step
    first = [clone_step(place)] if clone else []
    rest = [
        make(place, step, number, edges[step.name])
        for number, step in enumerate(matched, len(first) + 1)
    ]
    return (*first, *rest)


def left_out(step: Step, context: Context) -> bool:
    """Whether a step deploys, in a build of a pull request: no file's word lets it.

    What enforces it is that such a build has no rights to deploy; this spares it the refusal.
    """
    return context.build.event == "pull_request" and builtin(step, context) == "apply"


def _volumes(pipeline: Pipeline) -> tuple[Volume, ...]:
    return (
        Volume(WORKSPACE_VOLUME, "workspace"),
        *(_volume(volume) for volume in pipeline.volumes if volume.kind and volume.name),
    )


def _volume(volume: VolumeConfig) -> Volume:
    kind = "device" if volume.kind == "host" and is_device_path(volume.path) else volume.kind
    return Volume(volume.name, kind, volume.path, volume.size_bytes)


def _secrets(steps: Sequence[StepGraph], pull: Sequence[str]) -> tuple[str, ...]:
    """Every user's secret that the stage asks for; names of our own hold a colon."""
    found = {name.lower() for name in pull}
    for step in steps:
        for value in step.environment.values():
            if isinstance(value, SecretRef) and ":" not in value.from_secret:
                found.add(value.from_secret)
    return tuple(sorted(found))
