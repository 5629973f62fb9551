"""From a pipeline file's text to the stages and steps that a new build gets. Pure."""

from __future__ import annotations

from msgspec import Struct, field
from msgspec.structs import replace

from fairway.model.build import Companion
from fairway.model.errors import BadFile, FairwayError
from fairway.model.stage import NewStage, NewStep
from fairway.model.status import Status
from fairway.pipeline import compile as compiler
from fairway.pipeline.compile import Context, PlannedPipeline
from fairway.pipeline.graph import FailurePolicy, RunPolicy, StageGraph, StepGraph


class Prepared(Struct, frozen=True, kw_only=True):
    """What becomes of a file: stages, or the error that the build ends with. Neither: no build."""

    text: str = ""  # templates expanded: what each stage is compiled from
    stages: list[NewStage] = field(default_factory=list)
    error: str = ""
    graphs: dict[str, StageGraph] = field(default_factory=dict)  # of the stages that may run
    companions: list[Companion] = field(default_factory=list)


def prepare(text: str, context: Context) -> Prepared:
    """Plan a build. A file that cannot be right gives the message with its place."""
    plan = compiler.plan(text, context)
    if plan.errors:
        return Prepared(text=plan.text, error="\n".join(str(one.error()) for one in plan.errors))
    graphs: dict[str, StageGraph] = {}
    stages = [_stage(pipeline, plan.text, context, graphs) for pipeline in plan.matched]
    return Prepared(text=plan.text, stages=stages, graphs=graphs)


def _stage(
    pipeline: PlannedPipeline, text: str, context: Context, graphs: dict[str, StageGraph]
) -> NewStage:
    steps: list[NewStep] = []
    error = "\n".join(str(one.error()) for one in pipeline.errors)
    if pipeline.kind == "pipeline" and not error:
        try:
            graph = compiler.compile_stage(text, pipeline.name, context)
            check_trust(graph, context, line=pipeline.line)
        except FairwayError as refused:
            error = str(refused)
        else:
            graphs[pipeline.name] = graph
            steps = [_step(step) for step in graph.steps]
    return NewStage(
        number=pipeline.number,
        name=pipeline.name,
        status=Status.ERRORED if error else Status.WAITING,
        error=error,
        kind=pipeline.kind,
        type=pipeline.type,
        os=pipeline.os,
        arch=pipeline.arch,
        variant=pipeline.variant,
        kernel=pipeline.version,
        labels=pipeline.labels,
        depends_on=list(pipeline.depends_on),
        on_success=pipeline.on_success,
        on_failure=pipeline.on_failure,
        concurrency=pipeline.concurrency,
        line=pipeline.line,
        steps=steps,
    )


def check_trust(graph: StageGraph, context: Context, *, line: int) -> None:
    """Plain processes have the rights of their runner's user: they are for whom one trusts.

    Raises `BadFile` (`untrusted`).
    """
    if graph.type == "exec" and not context.repo.trusted:
        raise BadFile(
            "`type: exec` is for trusted repositories only: it gives whoever pushes the rights of "
            "the runner's user",
            code="untrusted",
            where=f"{context.filename}:{line}:1",
            remedy="Ask an administrator to mark the repository as trusted, or use `type: docker`.",
        )


def _step(step: StepGraph) -> NewStep:
    return NewStep(
        number=step.number,
        name=step.name,
        image=step.image_written or step.image,
        service=step.service,
        detach=step.detach,
        ignored=step.failure is FailurePolicy.IGNORE,
        depends_on=list(step.depends_on),
        judges=step.run not in {RunPolicy.ON_SUCCESS, RunPolicy.NEVER} and not step.clone,
    )


def blocked(prepared: Prepared) -> Prepared:
    """The same build, waiting for a person's word."""
    stages = [
        stage if stage.status.done else replace(stage, status=Status.BLOCKED)
        for stage in prepared.stages
    ]
    return replace(prepared, stages=stages)
