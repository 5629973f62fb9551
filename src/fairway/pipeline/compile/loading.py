"""Text of a file to checked pipelines: the one path that plan, compile, lint and report share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from msgspec import Struct

from fairway.model.errors import BadFile
from fairway.pipeline.compile import documents, legacy, template
from fairway.pipeline.compile.check import check_file, check_stage, check_steps
from fairway.pipeline.compile.config import Pipeline
from fairway.pipeline.compile.context import Context
from fairway.pipeline.compile.documents import Document
from fairway.pipeline.compile.finding import Finding, Findings, Scope
from fairway.pipeline.compile.reader import read_pipeline
from fairway.pipeline.compile.rendering import JSONNET, jsonnet_file

CONVERTED: Final = "# made by Fairway of another form of this file\n"
_LONGEST_KEPT: Final = 256 * 1024  # a larger file is read anew each time


class Loaded(Struct, frozen=True, kw_only=True):
    """What a file holds, and everything that is to be said about it."""

    text: str  # templates expanded, an old file converted
    documents: list[Document]
    pipelines: list[Pipeline]
    findings: list[Finding]

    def errors_of(self, pipeline: Pipeline) -> list[Finding]:
        """The errors that stop a pipeline: its own, its type's, the file's."""
        return [
            finding
            for finding in self.findings
            if finding.level == "error" and self.stops(finding, pipeline)
        ]

    def stops(self, finding: Finding, pipeline: Pipeline) -> bool:
        """Whether an error is one of those that stop a pipeline."""
        if finding.scope == Scope.FILE or finding.pipeline == pipeline.name:
            return True
        if finding.scope == Scope.STAGE:
            return False
        types = {known.type for known in self.pipelines if known.name == finding.pipeline}
        return pipeline.type in types


def load(text: str, context: Context) -> Loaded:
    """Read and check a file. Never raises for what stands in it: errors are findings.

    The answer may be shared: it is not to be changed.
    """
    try:
        text = expand(text, context)
    except BadFile as error:
        return _unread(text, error, context.filename)
    name = file_name(text, context)
    if len(text) > _LONGEST_KEPT:
        return _load(text, name, context.repo.trusted)
    return _load_kept(text, name, context.repo.trusted)


@lru_cache(maxsize=16)
def _load_kept(text: str, filename: str, trusted: bool) -> Loaded:  # noqa: FBT001 a key of the cache
    return _load(text, filename, trusted)


def _unread(text: str, error: BadFile, filename: str) -> Loaded:
    findings = Findings(filename)
    findings.caught(error)
    return Loaded(text=text, documents=[], pipelines=[], findings=findings.all)


def _load(text: str, filename: str, trusted: bool) -> Loaded:  # noqa: FBT001 as above
    try:
        parts = documents.read(text, name=filename)
    except BadFile as error:
        return _unread(text, error, filename)
    read = read_checked(parts, filename, trusted=trusted)
    findings = Findings(filename)
    check_file(read.pipelines, findings)
    found = sorted([*findings.all, *read.findings], key=lambda one: (one.line, one.column))
    return Loaded(text=text, documents=parts, pipelines=read.pipelines, findings=found)


def read_checked(parts: Sequence[Document], filename: str, *, trusted: bool) -> Loaded:
    """The pipelines among some documents, each checked by itself."""
    findings = Findings(filename)
    pipelines = [read_pipeline(part, findings) for part in parts if part.kind == "pipeline"]
    for pipeline in pipelines:
        check_steps(pipeline, findings)
        check_stage(pipeline, findings, trusted=trusted)
    found = sorted(findings.all, key=lambda one: (one.line, one.column))
    return Loaded(text="", documents=list(parts), pipelines=pipelines, findings=found)


def expand(text: str, context: Context) -> str:
    """Templates put in, Jsonnet evaluated, an old (0.8) file converted. Raises `BadFile`."""
    if text.startswith(CONVERTED):
        return text
    if context.filename.endswith(JSONNET):
        made = jsonnet_file(text, context)
    elif legacy.is_legacy(text):
        made = legacy.convert(text, name=context.filename)
    else:
        made = template.expand(text, context)
    return text if made == text else CONVERTED + made


def file_name(text: str, context: Context) -> str:
    """The file's name for messages: lines of a converted text are not those of the file."""
    return f"{context.filename} (converted)" if text.startswith(CONVERTED) else context.filename


def first_error(findings: Sequence[Finding]) -> BadFile | None:
    """The first of some errors as an exception."""
    return findings[0].error() if findings else None
