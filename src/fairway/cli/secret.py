"""`fairway secret`: set, list, remove. A value goes in and never comes out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from fairway.cli import get as getting
from fairway.cli import hidden, kinds, output
from fairway.cli.session import Session, confirm, connected, dry_run_option, repo_option, yes_option
from fairway.client.wire.who import Secret, SecretSet


@click.group("secret")
def secret() -> None:
    """Set, list and remove secrets of a repository, an organisation, or of all."""


def _place(command: Any) -> Any:
    command = click.option("--org", default="", help="Of this organisation.")(command)
    command = click.option("--global", "everywhere", is_flag=True, help="Of all.")(command)
    return repo_option(command)


def _path(session: Session, *, repo: str, org: str, everywhere: bool) -> str:
    if everywhere:
        return "/secrets"
    return f"/orgs/{org}/secrets" if org else f"/repos/{session.repository(repo)}/secrets"


@secret.command("set")
@click.argument("name")
@click.option("-f", "--file", "path", type=click.Path(exists=True, dir_okay=False), default=None,
              help="Read the value from this file, byte for byte.")  # fmt: skip
@click.option("--pull-requests", is_flag=True, help="Pull requests may have it.")
@click.option("--pull-request-pushes", is_flag=True, help="Also those that push images.")
@click.option("--event", "events", multiple=True, help="Only builds of this event.")
@click.option("--branch", "branches", multiple=True, help="Only builds of this branch (a glob).")
@click.option("--image", "images", multiple=True, help="Only steps of this image (a glob).")
@click.option("--environment", "environments", multiple=True, help="Only for this environment.")
@dry_run_option
@output.format_option
@_place
@connected
def set_secret(session: Session, name: str, *, path: str | None, **options: Any) -> None:
    """Set the secret NAME: from --file, from standard input, or by asking on a terminal.

    A value on the command line would be seen by everybody on the machine, so there is no way to
    give it there.
    """
    where = _path(session, repo=options["repo"], org=options["org"],
                  everywhere=options["everywhere"])  # fmt: skip
    if options["dry_run"]:
        output.emit(f"would set {where}/{name}")
        return
    data = SecretSet(
        value=_value(path),
        pull_request=options["pull_requests"],
        pull_request_push=options["pull_request_pushes"],
        events=list(options["events"]),
        branches=list(options["branches"]),
        images=list(options["images"]),
        environments=list(options["environments"]),
    )
    made = session.api.put(f"{where}/{name}", data, Secret)
    output.emit_one("secret", made, options["output"], name=made.name, human=f"{made.name} is set")


def _value(path: str | None) -> str:
    if path is not None:
        return hidden.of_file(Path(path))
    if sys.stdin.isatty():
        value: str = click.prompt("Value", hide_input=True, confirmation_prompt=True, err=True)
        return value
    text = sys.stdin.read()
    return text.removesuffix("\n")


@secret.command("ls")
@output.format_option
@_place
@connected
def list_secrets(session: Session, *, repo: str, org: str, everywhere: bool, output: str) -> None:
    """List names and what they are bound to."""
    where = _path(session, repo=repo, org=org, everywhere=everywhere)
    getting.print_list(kinds.SECRETS, list(session.api.pages(where, Secret)), output)


@secret.command("rm")
@click.argument("name")
@yes_option
@dry_run_option
@_place
@connected
def remove(
    session: Session, name: str, *, yes: bool, dry_run: bool, repo: str, org: str, everywhere: bool
) -> None:
    """Remove the secret NAME for ever."""
    where = _path(session, repo=repo, org=org, everywhere=everywhere)
    if dry_run:
        output.emit(f"would remove {where}/{name}")
        return
    confirm(f"Remove the secret {name}?", yes=yes)
    session.api.delete(f"{where}/{name}")
    output.say(f"{name} is removed")
