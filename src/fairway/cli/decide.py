"""`fairway cancel`, `approve` and `reject`: a person's word on a build."""

from __future__ import annotations

from typing import Any

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
from fairway.model.errors import InvalidInput


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
@click.argument("what", metavar="BUILD | SERVICE[@VERSION]")
@click.option("-e", "--env", default="", metavar="ENV", help="A release that waits for it.")
@click.option("--comment", default="", help="Releases: what you have to say.")
@click.option("--delivery", default="", help="Releases: where several have the service.")
@dry_run_option
@output.format_option
@repo_option
@connected
def approve(session: Session, what: str, **options: Any) -> None:
    """Let a blocked BUILD of a protected repository run; or, with --env, approve a release.

    An approval is bound to that very release. Who wrote a change of it cannot approve it, where the
    gate says so.
    """
    _decide(session, what, ("approve", "approve", "yes"), options)


@click.command("reject")
@click.argument("what", metavar="BUILD | SERVICE[@VERSION]")
@click.option("-e", "--env", default="", metavar="ENV", help="A release that waits for it.")
@click.option("--comment", default="", help="Releases: why.")
@click.option("--delivery", default="", help="Releases: where several have the service.")
@dry_run_option
@output.format_option
@repo_option
@connected
def reject(session: Session, what: str, **options: Any) -> None:
    """Refuse a blocked BUILD; or, with --env, the release that waits for an environment."""
    _decide(session, what, ("reject", "decline", "no"), options)


def _check_build(what: str, command: str) -> None:
    """Raise `InvalidInput` for what can be no build: it will be a release without its --env."""
    number = what.strip().rpartition("#")[2].rpartition("/")[2]
    if not (number.isdecimal() or number in {"last", "latest", ""}):
        raise InvalidInput(
            f"{what!r} is no build",
            code="bad-build",
            remedy=f"a release: `fairway {command} {what} --env ENVIRONMENT`; a build: write 12,"
            " org/name#12 or `last`",
        )


def _decide(
    session: Session, what: str, words: tuple[str, str, str], options: dict[str, Any]
) -> None:
    """`words`: the command, what the API calls it for a build, the verdict on a release."""
    from fairway.cli import release

    command, act, verdict = words
    form, dry_run = options["output"], options["dry_run"]
    if not options["env"]:
        _check_build(what, command)
        place = build_of(session, what, options["repo"])
        _act(session, place, act, dry_run=dry_run, form=form, reason="")
    elif dry_run:
        output.emit(f"would {command} {what} for {options['env']}")
    else:
        release.say(session, what, verdict, kind="approval", options=options)
