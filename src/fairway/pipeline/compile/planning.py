"""What a push (or another event) starts: the stages of a build, and why the rest is left out."""

from __future__ import annotations

import itertools

from msgspec import Struct, field
from msgspec.structs import replace

from fairway.model.errors import BadFile, NotFound
from fairway.pipeline.compile import substitute
from fairway.pipeline.compile.conditions import Verdict, judge, subject
from fairway.pipeline.compile.config import Pipeline
from fairway.pipeline.compile.context import Context
from fairway.pipeline.compile.documents import KINDS, Document, Part, read_part
from fairway.pipeline.compile.edges import bypass
from fairway.pipeline.compile.environ import substitution_variables
from fairway.pipeline.compile.finding import Finding, Findings, Scope
from fairway.pipeline.compile.loading import Loaded, file_name, first_error, load, read_checked
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
    verdicts = _verdicts(loaded, context)
    edges = _edges(loaded, verdicts)
    known = {pipeline.name: pipeline for pipeline in loaded.pipelines}
    shared = _shared_errors(loaded, context)
    planned: list[PlannedPipeline] = []
    numbers = itertools.count(1)
    for document in loaded.documents:
        if document.kind == "pipeline":
            pipeline = known[document.name]
            verdict = verdicts[pipeline.name]
            number = next(numbers) if verdict.matched else 0
            before = edges.get(pipeline.name, ())
            pipeline = replace(pipeline, depends_on=before)
            errors = _errors(loaded, pipeline, context, shared) if number else ()
            planned.append(
                _planned(pipeline, number, why=verdict.why, depends_on=before, errors=errors)
            )
        elif document.kind not in KINDS:
            planned.append(_unknown(document, next(numbers)))
    return tuple(planned)


def _verdicts(loaded: Loaded, context: Context) -> dict[str, Verdict]:
    about = subject(context)
    return {
        pipeline.name: judge(pipeline.trigger, about, instance=False)
        for pipeline in loaded.pipelines
    }


def _edges(loaded: Loaded, verdicts: dict[str, Verdict]) -> dict[str, tuple[str, ...]]:
    """Who waits for whom once the pipelines that do not match are bypassed."""
    edges = {pipeline.name: pipeline.depends_on for pipeline in loaded.pipelines}
    return bypass(edges, [name for name, verdict in verdicts.items() if not verdict.matched])


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


def _shared_errors(loaded: Loaded, context: Context) -> list[Finding]:
    """What would stop every stage of a type once `${...}` is put in, by the first one's values."""
    name = file_name(loaded.text, context)
    first = loaded.pipelines[0] if loaded.pipelines else None
    try:
        variables = substitution_variables(context, first)
        text = substitute.substitute(loaded.text, variables, name=name)
    except BadFile as error:
        findings = Findings(name)
        findings.caught(error)
        return findings.all
    put_in = loaded if text == loaded.text else load(text, context)
    unread = not put_in.documents
    return [
        finding
        for finding in put_in.findings
        if finding.level == "error" and (finding.scope == Scope.TYPE or unread)
    ]


def _errors(
    loaded: Loaded, pipeline: Pipeline, context: Context, shared: list[Finding]
) -> tuple[Finding, ...]:
    """What would stop this stage: said now, before anything starts."""
    everyone = [finding for finding in shared if loaded.stops(finding, pipeline)]
    if any(finding.scope == Scope.FILE for finding in everyone):
        return tuple(everyone)
    own = _read_one(loaded, pipeline, context).errors_of(pipeline)
    found = dict.fromkeys([*everyone, *own])
    return tuple(sorted(found, key=lambda finding: (finding.line, finding.column)))


def compile_stage(text: str, pipeline_name: str, context: Context) -> StageGraph:
    """The graph of one pipeline, with `${...}` put in over the raw text first.

    `text` is a plan's. Errors of other pipelines are the plan's to tell. Raises `BadFile` with the
    place of the first error, and `NotFound` when no pipeline has that name.
    """
    raw = load(text, context)
    named = [pipeline for pipeline in raw.pipelines if pipeline.name == pipeline_name]
    if not named:
        raise first_error([item for item in raw.findings if item.level == "error"]) or NotFound(
            f"{context.filename} holds no pipeline named '{pipeline_name}'", code="no-pipeline"
        )
    loaded = load_one(raw, named[0], context)
    error = first_error(loaded.errors_of(named[0]))
    if error:
        raise error
    return build_graph(loaded.pipelines[0], context)


def load_one(raw: Loaded, pipeline: Pipeline, context: Context) -> Loaded:
    """One pipeline's document with `${...}` put in, read and checked alone. Errors are findings."""
    if pipeline.depends_on:
        edges = _edges(raw, _verdicts(raw, context))
        pipeline = replace(pipeline, depends_on=edges.get(pipeline.name, ()))
    return _read_one(raw, pipeline, context)


def _read_one(raw: Loaded, pipeline: Pipeline, context: Context) -> Loaded:
    """The same, where `depends_on` is already without those that do not match."""
    name, variables = file_name(raw.text, context), substitution_variables(context, pipeline)
    findings = Findings(name, scope=Scope.STAGE, pipeline=pipeline.name)
    part = next(item.part for item in raw.documents if item.node is pipeline.node)
    try:
        text = substitute.substitute(part.text, variables, name=name, first_line=part.line)
        document = read_part(Part(text, part.line), name=name)
    except BadFile as error:
        findings.caught(error)
        return Loaded(text=raw.text, documents=[], pipelines=[pipeline], findings=findings.all)
    read = read_checked([document], name, trusted=context.repo.trusted)
    if document.kind != "pipeline" or document.name != pipeline.name:
        message = f"with ${{...}} put in, this is no longer the pipeline '{pipeline.name}'"
        findings.error(message, document.node, code="renamed-pipeline")
    found = [*findings.all, *read.findings]
    own = [replace(item, depends_on=pipeline.depends_on) for item in read.pipelines]
    return Loaded(text=text, documents=[document], pipelines=own, findings=found)
