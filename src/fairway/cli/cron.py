"""`fairway cron`: set, list, remove, run."""

from __future__ import annotations

import click

from fairway.cli import get as getting
from fairway.cli import kinds, output
from fairway.cli.session import Session, confirm, connected, dry_run_option, repo_option, yes_option
from fairway.client.wire.common import Done
from fairway.client.wire.repository import Cron, CronSet


@click.group("cron")
def cron() -> None:
    """Builds at stated minutes."""


@cron.command("set")
@click.argument("name")
@click.argument("expression")
@click.option("--timezone", default="UTC", show_default=True)
@click.option("--branch", default="", help="The default branch unless given.")
@click.option("--missed", type=click.Choice(["once", "skip", "all"]), default="once",
              show_default=True, help="What becomes of missed minutes.")  # fmt: skip
@click.option("--disabled", is_flag=True)
@dry_run_option
@output.format_option
@repo_option
@connected
def set_cron(  # noqa: PLR0913 one command's options
    session: Session,
    name: str,
    expression: str,
    *,
    timezone: str,
    branch: str,
    missed: str,
    disabled: bool,
    dry_run: bool,
    output: str,
    repo: str,
) -> None:
    """Make or change the job NAME. EXPRESSION is five fields or @daily and the like."""
    slug = session.repository(repo)
    data = CronSet(
        expression=expression, timezone=timezone, branch=branch, missed=missed, disabled=disabled
    )
    if dry_run:
        click.echo(f"would set the cron job {name} of {slug}")
        return
    made = session.api.put(f"/repos/{slug}/crons/{name}", data, Cron)
    _emit(made, output)


def _emit(made: Cron, form: str) -> None:
    human = getting.table(kinds.CRONS, [made], wide=form == "wide")
    output.emit_one("cron", made, form, name=made.name, human=human)


@cron.command("ls")
@output.format_option
@repo_option
@connected
def list_crons(session: Session, *, repo: str, output: str) -> None:
    """List a repository's jobs."""
    found = session.api.pages(f"/repos/{session.repository(repo)}/crons", Cron)
    getting.print_list(kinds.CRONS, list(found), output)


@cron.command("rm")
@click.argument("name")
@yes_option
@dry_run_option
@repo_option
@connected
def remove(session: Session, name: str, *, yes: bool, dry_run: bool, repo: str) -> None:
    """Remove the job NAME."""
    slug = session.repository(repo)
    if dry_run:
        output.emit(f"would remove the cron job {name} of {slug}")
        return
    confirm(f"Remove the cron job {name} of {slug}?", yes=yes)
    session.api.delete(f"/repos/{slug}/crons/{name}")
    output.say(f"{name} is removed")


@cron.command("run")
@click.argument("name")
@repo_option
@connected
def run_now(session: Session, name: str, *, repo: str) -> None:
    """Run the job NAME now, whatever its minute."""
    session.api.post(f"/repos/{session.repository(repo)}/crons/{name}/run", None, Done)
    output.say(f"{name} runs")
