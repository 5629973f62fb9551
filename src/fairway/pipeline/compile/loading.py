"""Text of a file to checked pipelines: the one path that plan, compile, lint and report share."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from fairway.model.errors import BadFile
from fairway.pipeline.compile import documents, legacy, template
from fairway.pipeline.compile.check import check_file, check_stage, check_steps
from fairway.pipeline.compile.config import Pipeline
from fairway.pipeline.compile.context import Context
from fairway.pipeline.compile.documents import Document
from fairway.pipeline.compile.finding import Finding, Findings, Scope
from fairway.pipeline.compile.reader import read_pipeline


class Loaded(Struct, frozen=True, kw_only=True):
    """What a file holds, and everything that is to be said about it."""

    text: str  # templates expanded, an old file converted
    documents: list[Document]
    pipelines: list[Pipeline]
    findings: list[Finding]

    def errors_of(self, pipeline: Pipeline) -> list[Finding]:
        """The errors that stop a pipeline: its own, its type's, the file's."""
        types = {known.name: known.type for known in self.pipelines}
        return [
            finding
            for finding in self.findings
            if finding.level == "error" and _stops(finding, pipeline, types)
        ]


def _stops(finding: Finding, pipeline: Pipeline, types: dict[str, str]) -> bool:
    if finding.scope == Scope.FILE:
        return True
    if finding.scope == Scope.TYPE:
        return types.get(finding.pipeline) == pipeline.type
    return finding.pipeline == pipeline.name


def load(text: str, context: Context) -> Loaded:
    """Read and check a file. Never raises for what stands in it: errors are findings."""
    findings = Findings(context.filename)
    try:
        text = expand(text, context)
        parts = documents.read(text, name=context.filename)
    except BadFile as error:
        findings.caught(error)
        return Loaded(text=text, documents=[], pipelines=[], findings=findings.all)
    pipelines = [read_pipeline(part, findings) for part in parts if part.kind == "pipeline"]
    check_file(pipelines, findings)
    for pipeline in pipelines:
        check_steps(pipeline, findings)
        check_stage(pipeline, context.repo, findings)
    return Loaded(text=text, documents=parts, pipelines=pipelines, findings=findings.all)


def expand(text: str, context: Context) -> str:
    """Templates put in, an old (0.8) file converted. Raises `BadFile`."""
    if legacy.is_legacy(text):
        return legacy.convert(text, name=context.filename)
    return template.expand(text, context)


def first_error(findings: Sequence[Finding]) -> BadFile | None:
    """The first error as an exception, by place in the file."""
    errors = sorted(findings, key=lambda finding: (finding.line, finding.column))
    return errors[0].error() if errors else None
