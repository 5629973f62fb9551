"""A lease's content: the graph compiled now, secrets, credentials, and what has run already."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from msgspec.structs import replace

from fairway.kit.aio import blocking
from fairway.model.stage import Stage
from fairway.model.status import Status
from fairway.model.step import Step
from fairway.pipeline import bindings, companions, pinning
from fairway.pipeline import compile as compiler
from fairway.pipeline.compile import Context
from fairway.pipeline.compile.environ import build_variables
from fairway.pipeline.dispatch import Lease, StepState
from fairway.pipeline.facts import Installation, clone_url, context_of, reached
from fairway.pipeline.graph import StageGraph
from fairway.pipeline.leasing import Taken
from fairway.pipeline.pinning import Images
from fairway.pipeline.planning import check_trust
from fairway.pipeline.secrets import Sealer, Secrets

CLONE_USER: Final = "fairway-build"


class Leases:
    """Composes leases."""

    def __init__(
        self,
        secrets: Secrets,
        installation: Installation,
        *,
        registry: str,
        images: Images | None = None,
    ) -> None:
        """`registry` is our registry's host:port as engines reach it; `images` knows its names."""
        self._images = images
        self._secrets = secrets
        self._installation = installation
        self._registry = registry

    @property
    def max_timeout_s(self) -> int:
        """The longest that a build may take."""
        return self._installation.max_timeout_s

    @property
    def sealer(self) -> Sealer:
        """The keyring."""
        return self._secrets.sealer

    async def compose(self, taken: Taken, token: str, *, reach: str = "") -> Lease:
        """All that the runner needs, which reaches us at `reach` ("": on this machine).

        Raises `BadFile` when the file cannot be right after all, `NotFound` when its pipeline has
        gone, `Unavailable` when a secret cannot be opened.
        """
        installation, registry = self._installation, self._registry
        if reach:
            installation = reached(installation, reach)
            registry = installation.operator.registry
        context = context_of(
            installation, taken.repository, taken.build, stage=taken.stage, stages=taken.stages
        )
        text, name = taken.build.text, taken.stage.name
        graph = await blocking(compiler.compile_stage, text, name, context)
        check_trust(graph, context, line=taken.stage.line)
        if self._images is not None:
            graph = await pinning.pinned(graph, self._images, registry, repository=taken.repository)
        graph, secrets = await self._secrets.for_stage(taken.ancestry, graph)
        graph, fallback = _runs(graph, taken.steps)
        return Lease(
            stage=taken.stage.id,
            build=taken.build.id,
            key=key_of(taken.stage, self._installation.name),
            token=token,
            graph=graph,
            steps=[_state(step, taken) for step in taken.steps if _told(step)],
            secrets=secrets,
            environment=_environment(context, taken.stage),
            clone_url=clone_url(installation, taken.repository),
            clone_user=CLONE_USER,
            clone_password=taken.credential,
            registry=registry,
            registry_token=taken.credential,
            built={**companions.given(graph, taken.build.companions), **_built(taken.images)},
            workspace=taken.stage.workspace,
            fallback=fallback,
            log_limit=self._installation.log_limit_bytes,
            deadline=taken.build.deadline or 0,
            limit_s=((taken.build.deadline or 0) - (taken.build.started or 0)) // 1000,
            attempt=taken.stage.attempt,
            trusted=context.repo.trusted,
            repository=taken.repository.slug,
            deploys=not bindings.is_pull_request(bindings.facts_of(taken.ancestry)),
        )


def key_of(stage: Stage, installation: str) -> str:
    """The engine's key of a stage: others may use the same engine, so it names the installation."""
    own = f"b{stage.build}-s{stage.id}"
    return f"{installation}-{own}" if installation else own


def _told(step: Step) -> bool:
    return step.status is not Status.PENDING or step.attempt > 1


def _state(step: Step, taken: Taken) -> StepState:
    raw, done = taken.log_ends.get(step.number, (0, False))
    return StepState(
        number=step.number,
        name=step.name,
        status=step.status,
        attempt=step.attempt,
        exit_code=step.exit_code,
        error=step.error,
        started=step.started,
        stopped=step.stopped,
        log_raw=raw,
        log_done=done,
    )


def _built(images: list[dict[str, str]]) -> dict[str, str]:
    return {
        image["name"]: f"{image['repository']}@{image['digest']}"
        for image in images
        if image.get("repository")
    }


def _environment(context: Context, stage: Stage) -> dict[str, str]:
    """Variables that only the leased stage knows."""
    return {
        **build_variables(context),
        "DRONE_STAGE_MACHINE": stage.machine,
        "DRONE_STAGE_NUMBER": str(stage.number),
        "DRONE_STAGE_STARTED": str(context.stage.started),
        "DRONE_STAGE_VERSION": str(stage.version),
    }


def _runs(graph: StageGraph, steps: list[Step]) -> tuple[StageGraph, StageGraph | None]:
    """What runs, and for a retry what runs when the kept workspace is gone.

    A retry runs its own steps alone; without the workspace also all that they hang on.
    """
    carried = {step.name for step in steps if step.carried}
    if not carried:
        return graph, None
    own = {step.name for step in steps} - carried
    needed = _with_ancestors(own, graph) | {step.name for step in graph.steps if step.clone}
    return _cut(graph, own), _cut(graph, needed)


def _cut(graph: StageGraph, names: Collection[str]) -> StageGraph:
    """Only these steps. What a step waited for through others it waits for itself: a service that
    begins again must be ready for it, though the step between them is carried.
    """
    edges = {step.name: step.depends_on for step in graph.steps}
    steps = [
        replace(step, depends_on=tuple(_nearest(step.depends_on, edges, names)))
        for step in graph.steps
        if step.name in names
    ]
    return replace(graph, steps=tuple(steps))


def _nearest(
    wanted: Collection[str], edges: Mapping[str, Collection[str]], names: Collection[str]
) -> dict[str, None]:
    """Those of `names` that are met first on the way back from `wanted`, in order."""
    found: dict[str, None] = {}
    for name in wanted:
        if name in names:
            found[name] = None
        else:
            found.update(_nearest(edges.get(name, ()), edges, names))
    return found


def _with_ancestors(names: Collection[str], graph: StageGraph) -> set[str]:
    edges = {step.name: step.depends_on for step in graph.steps}
    found: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo.extend(edges.get(name, ()))
    return found
