"""Every error of a file at once, and warnings of what is likely a mistake."""

from __future__ import annotations

from fairway.model.errors import BadFile
from fairway.pipeline.compile import hints, legacy, substitute
from fairway.pipeline.compile.context import Context
from fairway.pipeline.compile.finding import Finding, Findings
from fairway.pipeline.compile.loading import Loaded, file_name, load
from fairway.pipeline.compile.rendering import JSONNET
from fairway.pipeline.compile.samples import samples


def lint(text: str, context: Context) -> list[Finding]:
    """All remarks about a file, in the order of their places. Never raises for its content."""
    findings = Findings(context.filename)
    raw = load(text, context)
    findings.all.extend(raw.findings)
    variables = samples(context, raw.pipelines[0] if raw.pipelines else None)
    try:
        put_in = substitute.substitute(raw.text, variables, name=file_name(raw.text, context))
        if put_in != raw.text:
            findings.all.extend(load(put_in, context).findings)
    except BadFile as error:
        findings.caught(error)
    if is_jsonnet := context.filename.endswith(JSONNET):
        hints.about_text(raw.text, findings)
    else:
        hints.about_text(text, findings)
    if is_jsonnet or not legacy.is_legacy(text):
        _hint(raw, findings)
    return _sorted(findings.all)


def _hint(raw: Loaded, findings: Findings) -> None:
    for document in raw.documents:
        hints.about_document(document, findings)
    for pipeline in raw.pipelines:
        hints.about_pipeline(pipeline, findings.within(findings.scope, pipeline.name))


def _sorted(findings: list[Finding]) -> list[Finding]:
    seen: dict[tuple[object, ...], Finding] = {}
    for finding in findings:
        key = (finding.code, finding.line, finding.column, finding.message)
        seen.setdefault(key, finding)
    return sorted(seen.values(), key=lambda item: (item.line, item.column, item.level, item.code))
