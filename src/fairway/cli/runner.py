"""`fairway runner`: start one here, pause and resume any."""

from __future__ import annotations

from pathlib import Path

import click

from fairway.cli import get as getting
from fairway.cli import hidden, kinds, output
from fairway.cli.session import Session, confirm, connected, yes_option
from fairway.client.wire.common import Done
from fairway.client.wire.system import Runner


@click.group("runner")
def runner() -> None:
    """Who carries out builds."""


@runner.command("ls")
@output.format_option
@connected
def list_runners(session: Session, *, output: str) -> None:
    """List runners and what they do."""
    getting.print_list(kinds.RUNNERS, list(session.api.pages("/runners", Runner)), output)


@runner.command("pause")
@click.argument("name")
@connected
def pause(session: Session, name: str) -> None:
    """Let the runner NAME take no more work; what it has goes on."""
    session.api.post(f"/runners/{name}/pause", None, Done)
    output.say(f"{name} is paused")


@runner.command("resume")
@click.argument("name")
@connected
def resume(session: Session, name: str) -> None:
    """Let the runner NAME take work again."""
    session.api.post(f"/runners/{name}/resume", None, Done)
    output.say(f"{name} takes work")


@runner.command("rm")
@click.argument("name")
@yes_option
@connected
def forget(session: Session, name: str, *, yes: bool) -> None:
    """Forget the runner NAME. One that asks for work again is known again."""
    confirm(f"Forget the runner {name}?", yes=yes)
    session.api.delete(f"/runners/{name}")
    output.say(f"{name} is forgotten")


@runner.command("start")
@click.option("--server", required=True, envvar="FAIRWAY_URL", metavar="URL", help="The system.")
@click.option("--token-file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              required=True, help="A file with a token of scope runner.")  # fmt: skip
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), default=None,
              help="Where workspaces lie.")  # fmt: skip
@click.option("--name", default=None, help="This runner's name; the host's unless given.")
@click.option("--engine", type=click.Choice(["docker", "local"]), default=None,
              help="local: plain processes, for trusted repositories.")  # fmt: skip
@click.option("--capacity", type=click.IntRange(1, 1000), default=None, help="Pipelines at once.")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE")
def start(
    *, server: str, token_file: Path, data: Path | None, labels: tuple[str, ...], **options: object
) -> None:
    """Carry out builds of a system elsewhere, in the foreground."""
    from fairway import settings
    from fairway.boot import lifecycle
    from fairway.cli.run import pairs

    flags = {
        "roles": ("runner",),
        "runner": {
            **options,
            "server": server,
            "token": hidden.of_file(token_file).strip(),
            "labels": pairs(labels) or None,
        },
    }
    lifecycle.serve(settings.load(data, flags))
