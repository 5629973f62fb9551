"""What a push (or another event) starts: the stages of a build, and why the rest is left out."""

from __future__ import annotations

from msgspec import Struct, field

from fairway.model.errors import BadFile, NotFound
from fairway.pipeline.compile import substitute
from fairway.pipeline.compile.conditions import judge, subject
from fairway.pipeline.compile.config import Pipeline
from fairway.pipeline.compile.context import Context
from fairway.pipeline.compile.documents import KINDS, Document
from fairway.pipeline.compile.edges import bypass
from fairway.pipeline.compile.environ import substitution_variables
from fairway.pipeline.compile.finding import Finding, Findings, Scope
from fairway.pipeline.compile.loading import Loaded, first_error, load
from fairway.pipeline.compile.stage import build_graph
from fairway.pipeline.graph import StageGraph


class PlannedPipeline(Struct, frozen=True, kw_only=True):
    """One pipeline of the file, and what becomes of it in this build."""

    name: str
    number: int  # 1-based among those that match; 0 for one that does not
    kind: str = "pipeline"
    type: str = "docker"
    os: str = "linux"
    arch: str = "amd64"
    variant: str = ""
    version: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    concurrency: int = 0
    depends_on: tuple[str, ...] = ()  # without those that do not match: their ancestors instead
    on_success: bool = True
    on_failure: bool = False
    matched: bool = True
    why: str = ""  # why it does not match
    errors: tuple[Finding, ...] = ()  # the stage ends as errored, with the first of them
    line: int = 0


class Plan(Struct, frozen=True, kw_only=True):
    """What a file means for a build.

    `errors` stop the whole build (Drone's server refuses the file); an error of a pipeline stops
    that pipeline alone. `text` is what `compile_stage` wants: templates expanded once, here.
    """

    text: str
    pipelines: tuple[PlannedPipeline, ...] = ()
    errors: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()

    @property
    def matched(self) -> tuple[PlannedPipeline, ...]:
        """The pipelines that become stages."""
        return tuple(pipeline for pipeline in self.pipelines if pipeline.matched)


def plan(text: str, context: Context) -> Plan:
    """Decide which pipelines of a file run. Never raises for what stands in the file."""
    loaded = load(text, context)
    errors = tuple(
        finding
        for finding in loaded.findings
        if finding.level == "error" and finding.scope == Scope.FILE
    )
    warnings = tuple(finding for finding in loaded.findings if finding.level == "warning")
    if errors:
        return Plan(text=loaded.text, errors=errors, warnings=warnings)
    return Plan(text=loaded.text, pipelines=_pipelines(loaded, context), warnings=warnings)


def _pipelines(loaded: Loaded, context: Context) -> tuple[PlannedPipeline, ...]:
    about = subject(context)
    verdicts = {
        pipeline.name: judge(pipeline.trigger, about, instance=False)
        for pipeline in loaded.pipelines
    }
    edges = {pipeline.name: pipeline.depends_on for pipeline in loaded.pipelines}
    edges = bypass(edges, [name for name, verdict in verdicts.items() if not verdict.matched])
    planned: list[PlannedPipeline] = []
    number = 0
    known = {pipeline.name: pipeline for pipeline in loaded.pipelines}
    for document in loaded.documents:
        if document.kind == "pipeline":
            pipeline = known[document.name]
            verdict = verdicts[pipeline.name]
            number += verdict.matched
            planned.append(
                _planned(
                    pipeline,
                    number if verdict.matched else 0,
                    why=verdict.why,
                    depends_on=edges.get(pipeline.name, ()),
                    errors=_errors(loaded, pipeline, context),
                )
            )
        elif document.kind not in KINDS:
            number += 1
            planned.append(_unknown(document, number))
    return tuple(planned)


def _planned(
    pipeline: Pipeline,
    number: int,
    *,
    why: str,
    depends_on: tuple[str, ...],
    errors: tuple[Finding, ...],
) -> PlannedPipeline:
    status = pipeline.trigger.status
    asked = bool(status.include or status.exclude)
    platform = pipeline.platform
    return PlannedPipeline(
        name=pipeline.name,
        number=number,
        type=pipeline.type,
        os=platform.os,
        arch=platform.arch,
        variant=platform.variant,
        version=platform.version,
        labels=pipeline.labels,
        concurrency=pipeline.concurrency,
        depends_on=depends_on,
        on_success=not asked or status.matches("success"),
        on_failure=asked and status.matches("failure"),
        matched=bool(number),
        why=why,
        errors=errors,
        line=pipeline.node.line,
    )


def _unknown(document: Document, number: int) -> PlannedPipeline:
    """A kind that nobody knows is a stage that no runner will take."""
    return PlannedPipeline(
        name=document.name or document.kind,
        number=number,
        kind=document.kind,
        type=document.type,
        line=document.node.line,
    )


def _errors(loaded: Loaded, pipeline: Pipeline, context: Context) -> tuple[Finding, ...]:
    """What would stop this stage once `${...}` is put in: said now, before anything starts."""
    try:
        put_in = _put_in(loaded, pipeline, context)
    except BadFile as error:
        findings = Findings(context.filename, scope=Scope.STAGE, pipeline=pipeline.name)
        findings.caught(error)
        return tuple(findings.all)
    same = [other for other in put_in.pipelines if other.name == pipeline.name]
    return tuple(put_in.errors_of(same[0] if same else pipeline))


def compile_stage(text: str, pipeline_name: str, context: Context) -> StageGraph:
    """The graph of one pipeline, with `${...}` put in over the raw text first.

    `text` is a plan's. Raises `BadFile` with the place of the first error, and `NotFound` when no
    pipeline has that name once everything is put in.
    """
    loaded = load_substituted(text, pipeline_name, context)
    found = [pipeline for pipeline in loaded.pipelines if pipeline.name == pipeline_name]
    if not found:
        error = first_error([item for item in loaded.findings if item.level == "error"])
        raise error or NotFound(
            f"{context.filename} holds no pipeline named '{pipeline_name}'", code="no-pipeline"
        )
    error = first_error(loaded.errors_of(found[0]))
    if error:
        raise error
    return build_graph(found[0], context)


def load_substituted(text: str, pipeline_name: str, context: Context) -> Loaded:
    """Put `${...}` in for one stage, then read. Raises `BadFile` for a bad substitution."""
    raw = load(text, context)
    named = [pipeline for pipeline in raw.pipelines if pipeline.name == pipeline_name]
    return _put_in(raw, named[0] if named else None, context)


def _put_in(raw: Loaded, pipeline: Pipeline | None, context: Context) -> Loaded:
    variables = substitution_variables(context, pipeline)
    text = substitute.substitute(raw.text, variables, name=context.filename)
    return raw if text == raw.text else load(text, context)
