"""`fairway watch` and `fairway wait`: a build until its end."""

from __future__ import annotations

import click

from fairway.cli import app, output
from fairway.cli.live import NEGATIVE, follow
from fairway.cli.session import (
    Session,
    build_of,
    build_path,
    connected,
    deadline,
    repo_option,
    timeout_option,
)
from fairway.client.wire.build import Build


def finish(build: Build, form: str) -> None:
    """Print how a build ended; a negative end is exit code 1."""
    name = f"{build.repository}#{build.number}"
    output.emit_one("build", build, form, name=name, human=f"{name} {build.status}")
    if build.status in NEGATIVE:
        raise click.exceptions.Exit(1)


@click.command("watch")
@click.argument("build", default="last")
@output.format_option
@repo_option
@timeout_option
@connected
def watch(session: Session, build: str, *, output: str, repo: str, timeout: float | None) -> None:
    """Follow a BUILD live: its steps, how long they take, their last lines, and why they wait.

    Exit code 1 when it ends other than passed.
    """
    slug, number = build_of(session, build, repo)
    with deadline(timeout, f"{slug}#{number} has not ended"):
        ended = follow(session, build_path(slug, number))
    finish(ended, output)


@click.command("wait")
@click.argument("words", nargs=-1, metavar="[BUILD | app NAME]")
@click.option("--sync", is_flag=True, help="An application: until it is Synced.")
@click.option("--health", is_flag=True, help="An application: until it is Healthy.")
@output.format_option
@repo_option
@timeout_option
@connected
def wait(session: Session, words: tuple[str, ...], *, output: str, repo: str,
         timeout: float | None, sync: bool, health: bool) -> None:  # fmt: skip
    """Wait until a BUILD has ended, and say how. Exit code 1 when other than passed.

    Of an application (`wait app NAME`): until its operation has ended, and it is Synced and Healthy
    as far as that is asked for.
    """
    if app.is_app(words):
        app.wait(session, app.named(words), sync=sync, health=health, timeout=timeout, form=output)
        return
    build = words[0] if words else "last"
    if len(words) > 1 or sync or health:
        raise click.UsageError("one build, or `app NAME`")
    slug, number = build_of(session, build, repo)
    with deadline(timeout, f"{slug}#{number} has not ended"):
        ended = follow(session, build_path(slug, number), quiet=True)
    finish(ended, output)
