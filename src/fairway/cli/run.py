"""`fairway run` and `fairway retry`: builds begin."""

from __future__ import annotations

import click

from fairway.cli import output
from fairway.cli.live import follow
from fairway.cli.session import (
    Session,
    build_of,
    build_path,
    connected,
    deadline,
    dry_run_option,
    repo_option,
    timeout_option,
)
from fairway.cli.watch import finish
from fairway.client.wire.build import Build, RetryRequest, Trigger

watch_option = click.option("-w", "--watch", is_flag=True, help="Follow it live to its end.")
key_option = click.option(
    "--idempotency-key", default="new", metavar="KEY", help="The same key makes one build."
)


def pairs(words: tuple[str, ...]) -> dict[str, str]:
    """NAME=VALUE words as a map. Raises a usage error."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise click.UsageError(f"{word!r} is not NAME=VALUE")
        found[name] = value
    return found


@click.command("run")
@click.option(
    "--event",
    type=click.Choice(["custom", "promote", "rollback", "pull_request"]),
    default="custom",
    show_default=True,
)
@click.option(
    "--branch", default="", help="custom: the branch or tag; the default branch unless given."
)
@click.option("--commit", default="", help="custom, pull_request: the commit.")
@click.option("--build", "of_build", default="", help="promote, rollback: of this build.")
@click.option("--to", default="", help="promote, rollback: the environment.")
@click.option("--source", default="", help="pull_request: the branch that it comes from.")
@click.option("--target", default="", help="pull_request: the branch that it goes to.")
@click.option("--number", type=click.IntRange(1), default=None, help="pull_request: its number.")
@click.option("--title", default="", help="pull_request: its title.")
@click.option("--action", default="", help="pull_request: opened or synchronized.")
@click.option("-p", "--param", "params", multiple=True, metavar="NAME=VALUE")
@key_option
@watch_option
@dry_run_option
@output.format_option
@repo_option
@timeout_option
@connected
def run(
    session: Session, *, params: tuple[str, ...], dry_run: bool, repo: str, **options: str
) -> None:
    """Start a build: of a branch or commit, or a promotion or rollback of a finished build.

    With -w the exit code is 1 when it ends other than passed.
    """
    slug, data = _trigger(session, repo, params, options)
    if dry_run:
        data_text = {name: v for name, v in output.plain(data).items() if v}
        output.emit(output.json_text({"repository": slug, **data_text}))
        return
    made = session.api.post(f"/repos/{slug}/builds", data, Build, key=options["idempotency_key"])
    _told(session, made, options)


def _trigger(
    session: Session, repo: str, params: tuple[str, ...], options: dict[str, str]
) -> tuple[str, Trigger]:
    number = 0
    if options["event"] in {"promote", "rollback"}:
        slug, number = build_of(session, options["of_build"] or "last", repo)
    else:
        slug = session.repository(repo)
    data = Trigger(
        event=options["event"],  # type: ignore[arg-type]  # click has checked it
        branch=options["branch"],
        commit=options["commit"],
        build=number,
        source=options["source"],
        target=options["to"] or options["target"],
        title=options["title"],
        action=options["action"],
        number=int(options["number"] or 0),
        params=pairs(params),
    )
    return slug, data


def _told(session: Session, made: Build, options: dict[str, str]) -> None:
    """Print the new build; with -w its end."""
    name = f"{made.repository}#{made.number}"
    if not options["watch"]:
        human = f"{name} {made.status}"
        output.emit_one("build", made, options["output"], name=name, human=human)
        return
    timeout = options["timeout"]
    with deadline(float(timeout) if timeout else None, f"{name} has not ended"):
        ended = follow(session, build_path(made.repository, made.number))
    finish(ended, options["output"])


@click.command("retry")
@click.argument("build", default="last")
@click.option("--failed", is_flag=True, help="Only what failed, and what depends on it.")
@click.option("--step", default="", help="Only this step.")
@click.option("--with-dependents", is_flag=True, help="With --step: what depends on it as well.")
@click.option("--stage", default="", help="With --step: of this pipeline.")
@key_option
@watch_option
@dry_run_option
@output.format_option
@repo_option
@timeout_option
@connected
def retry(
    session: Session,
    build: str,
    *,
    failed: bool,
    with_dependents: bool,
    dry_run: bool,
    repo: str,
    **options: str,
) -> None:
    """Run a finished BUILD again, on the workspace that was kept: all of it, or a part."""
    slug, number = build_of(session, build, repo)
    data = RetryRequest(
        failed=failed,
        stage=options["stage"],
        step=options["step"],
        with_dependents=with_dependents,
    )
    if dry_run:
        output.emit(output.json_text({"build": f"{slug}#{number}", **output.plain(data)}))
        return
    path = f"{build_path(slug, number)}/retry"
    made = session.api.post(path, data, Build, key=options["idempotency_key"])
    _told(session, made, options)
