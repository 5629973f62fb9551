"""`fairway cancel`, `approve` and `reject`: a person's word on a build."""

from __future__ import annotations

import click

from fairway.cli import output
from fairway.cli.session import (
    Session,
    build_of,
    build_path,
    confirm,
    connected,
    dry_run_option,
    repo_option,
    yes_option,
)
from fairway.client.wire.build import Build, Reason


def _act(
    session: Session, place: tuple[str, int], what: str, *, dry_run: bool, form: str, reason: str
) -> None:
    slug, number = place
    name = f"{slug}#{number}"
    if dry_run:
        output.emit(f"would {what} {name}")
        return
    body = Reason(reason=reason) if what == "cancel" else None
    done = session.api.post(f"{build_path(slug, number)}/{what}", body, Build)
    output.emit_one("build", done, form, name=name, human=f"{name} {done.status}")


@click.command("cancel")
@click.argument("build", default="last")
@click.option("--reason", default="", help="Why, for those who look at it later.")
@yes_option
@dry_run_option
@output.format_option
@repo_option
@connected
def cancel(
    session: Session, build: str, *, reason: str, yes: bool, dry_run: bool, output: str, repo: str
) -> None:
    """Stop a BUILD. What runs is ended within a second."""
    place = build_of(session, build, repo)
    if build in {"last", "latest"} and not dry_run:
        confirm(f"Cancel {place[0]}#{place[1]}?", yes=yes)
    _act(session, place, "cancel", dry_run=dry_run, form=output, reason=reason)


@click.command("approve")
@click.argument("build")
@dry_run_option
@output.format_option
@repo_option
@connected
def approve(session: Session, build: str, *, dry_run: bool, output: str, repo: str) -> None:
    """Let a blocked BUILD of a protected repository run."""
    place = build_of(session, build, repo)
    _act(session, place, "approve", dry_run=dry_run, form=output, reason="")


@click.command("reject")
@click.argument("build")
@dry_run_option
@output.format_option
@repo_option
@connected
def reject(session: Session, build: str, *, dry_run: bool, output: str, repo: str) -> None:
    """Refuse a blocked BUILD: nothing of it runs."""
    place = build_of(session, build, repo)
    _act(session, place, "decline", dry_run=dry_run, form=output, reason="")
