"""`fairway describe [KIND] NAME`: all about one thing, for people."""

from __future__ import annotations

from typing import Any

import click

from fairway.cli import app, kinds, output
from fairway.cli import get as getting
from fairway.cli.session import Session, build_of, build_path, connected, repo_option
from fairway.cli.text import clean, short, took
from fairway.client.wire.app import App
from fairway.client.wire.build import Build, Reports, Stage, Step

_OPTIONS: dict[str, Any] = {
    "repo": "", "status": "", "event": "", "branch": "", "commit": "", "of_build": "",
    "candidates": False, "org": "", "everywhere": False, "subject": "", "all_repos": True,
    "limit": 0,
}  # fmt: skip


@click.command("describe")
@click.argument("kind", shell_complete=kinds.complete)
@click.argument("name", required=False, default="")
@output.format_option
@repo_option
@click.option("--cluster", default="in-cluster", help="Rollouts and analyses: of this cluster.")
@click.option("--namespace", default="", help="Rollouts and analyses: of this namespace.")
@connected
def describe(
    session: Session, kind: str, name: str, *, output: str, repo: str, **where: str
) -> None:
    """Tell all about one thing: `describe build 12`, `describe repo org/app`, or `describe 12`.

    A build comes with its steps, why it waits, its tests, slowest tests, and coverage with its
    change against the target branch.
    """
    if not name and not _is_kind(kind):
        kind, name = "build", kind
    found = kinds.named(kind)
    if found is kinds.BUILDS:
        _describe_build(session, name, form=output, repo=repo)
        return
    if found is kinds.APPS:
        item = session.api.get(f"/apps/{name}", App)
        _print(found.one, item, form=output, label=name, human=app.text(item))
        return
    item = getting.find_one(session, found, name, {**_OPTIONS, "repo": repo, **where})
    _print(found.one, item, form=output, label=found.label(item), human=fields(item))


def _is_kind(word: str) -> bool:
    return any(word == kind.name or word in kind.aliases for kind in kinds.ALL)


def _print(kind: str, item: Any, *, form: str, label: str, human: str) -> None:
    output.emit_one(kind, item, form, name=label, human=human)


def _describe_build(session: Session, name: str, *, form: str, repo: str) -> None:
    slug, number = build_of(session, name, repo)
    build = session.api.get(build_path(slug, number), Build)
    reports = session.api.get(build_path(slug, number) + "/reports", Reports)
    if form in {"json", "yaml", "jsonl"}:
        data = {**output.plain(build), "reports": output.plain(reports)}
        _print("build", data, form=form, label="", human="")
        return
    _print("build", build, form=form, label=f"{slug}#{number}", human=build_text(build, reports))


def fields(item: Any) -> str:
    """Every field on its own line."""
    data = output.plain(item)
    width = max(len(name) for name in data) + 1
    lines = []
    for name, value in data.items():
        text = value if isinstance(value, str) else output.line_text(value)
        if text not in {"", "null", "{}", "[]"}:
            lines.append(f"{name + ':':<{width}} {clean(text)}")
    return "\n".join(lines)


def build_text(build: Build, reports: Reports | None) -> str:
    """A build with its steps and reports."""
    lines = [*_head(build), ""]
    for stage in build.stages:
        lines += _stage_lines(stage)
    if reports is not None and _any(reports):
        lines += ["", *report_lines(reports)]
    return "\n".join(lines).rstrip()


def _head(build: Build) -> list[str]:
    parent = f" (again: #{build.parent})" if build.parent else ""
    rows = [
        ("Build", f"{build.repository}#{build.number}{parent}"),
        ("Status", output.status(build.status)),
        ("Reason", clean(build.reason)),
        ("Error", clean(build.error)),
        ("Event", " ".join(part for part in (build.event, build.action, build.cron) if part)),
        ("Branch", clean(build.branch)),
        ("Commit", f"{short(build.after)}  {clean(build.title)}"),
        ("Author", clean(build.author_name or build.author)),
        ("Trigger", clean(build.trigger)),
        ("Target", clean(build.deploy_to)),
        *(
            ("Beside", f"{clean(one.image)} {short(one.digest)} ({clean(one.origin)})")
            for one in build.companions
        ),
        ("Params", " ".join(f"{name}={clean(value)}" for name, value in build.params.items())),
        ("Created", build.created),
        ("Took", took(build.started, build.finished)),
    ]
    return [f"{title + ':':<9}{text}" for title, text in rows if text.strip()]


def _stage_lines(stage: Stage) -> list[str]:
    where = f" on {clean(stage.machine)}" if stage.machine else ""
    head = (
        f"{clean(stage.name)}  {output.status(stage.status)}  {took(stage.started, stage.stopped)}"
    )
    lines = [(head + where).rstrip()]
    lines += [f"  {clean(text)}" for text in (stage.error, stage.reason) if text]
    rows = [_step_row(step) for step in stage.steps]
    if rows:
        text = output.table(["#", "STEP", "STATUS", "TOOK", "EXIT", "NOTE"], rows)
        lines += [f"  {line}" for line in text.split("\n")]
    return [*lines, ""]


def _step_row(step: Step) -> list[str]:
    failed = step.status in {"failed", "errored"}
    note = step.error or step.reason
    if step.carried:
        note = f"as in #{step.carried}"
    marks = [word for word, on in (("service", step.service), ("ignored", step.ignored)) if on]
    return [
        str(step.number),
        step.name,
        step.status,
        "" if step.status == "skipped" else took(step.started, step.stopped),
        str(step.exit_code) if failed or step.exit_code else "",
        " ".join([*marks, note]).strip(),
    ]


def _any(reports: Reports) -> bool:
    return bool(reports.steps)


def report_lines(reports: Reports) -> list[str]:
    """Tests, failures with their message, slowest, and coverage with its change."""
    lines = []
    total = reports.passed + reports.failed + reports.errored + reports.skipped
    if total:
        bad = reports.failed + reports.errored
        lines.append(
            f"Tests:    {total} run, {reports.passed} passed, {bad} failed,"
            f" {reports.skipped} skipped"
        )
    if reports.coverage is not None:
        lines.append(f"Coverage: {reports.coverage:.2f} %{_change(reports)}")
    if reports.failures:
        lines.append("Failures:")
        for case in reports.failures:
            lines.append(f"  {clean(case.suite)} {clean(case.name)}")
            lines += [f"    {clean(line)}" for line in case.message.splitlines()[:8]]
    if reports.slowest:
        lines.append("Slowest:")
        lines += [
            f"  {case.seconds:8.2f} s  {clean(case.suite)} {clean(case.name)}"
            for case in reports.slowest[:5]
        ]
    return lines


def _change(reports: Reports) -> str:
    if reports.coverage_change is None:
        return ""
    return f" ({reports.coverage_change:+.2f} against #{reports.compared_with})"
