"""`fairway notify`: channels, rules, and what was said."""

from __future__ import annotations

from pathlib import Path

import click

from fairway.cli import get as getting
from fairway.cli import hidden, output
from fairway.cli import kinds_notify as kinds
from fairway.cli.session import Session, connected, gone
from fairway.client.wire.notify import Channel, ChannelSet, Notice, Rule, RuleSet


@click.group("notify")
def notify() -> None:
    """Tell people what happened: in Slack, or by signed webhooks."""


@notify.group("channel")
def channel() -> None:
    """Where notices go."""


@channel.command("add")
@click.argument("name")
@click.argument("kind", type=click.Choice(["slack", "webhook"]))
@click.argument("address", metavar="URL|CHANNEL")
@click.option(
    "--secret-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A bot's token, or the key that signs; without it an existing one stays.",
)
@click.option("--api", default="", help="Base of Slack's Web API, where it is not Slack's own.")
@click.option("--progress", is_flag=True, help="A webhook hears of every change too.")
@output.format_option
@connected
def add_channel(
    session: Session,
    name: str,
    *,
    kind: str,
    address: str,
    secret_file: Path | None,
    api: str,
    progress: bool,
    output: str,
) -> None:
    """Make or change the channel NAME."""
    secret = "" if secret_file is None else hidden.of_file(secret_file).strip()
    data = ChannelSet(kind=kind, address=address, secret=secret, api=api, progress=progress)
    made = session.api.put(f"/channels/{name}", data, Channel)
    getting.print_list(kinds.CHANNELS, [made], output)


@channel.command("rm")
@click.argument("name")
@connected
def remove_channel(session: Session, name: str) -> None:
    """Remove the channel NAME with its rules."""
    gone(session, f"/channels/{name}", f"channel {name}")


@channel.command("ls")
@output.format_option
@connected
def list_channels(session: Session, *, output: str) -> None:
    """List channels."""
    getting.print_list(kinds.CHANNELS, list(session.api.pages("/channels", Channel)), output)


@channel.command("test")
@click.argument("name")
@connected
def test_channel(session: Session, name: str) -> None:
    """Say something in the channel NAME."""
    session.api.send("POST", f"/channels/{name}/test")
    output.say("`fairway notify ls` says whether it arrived")


@notify.group("rule")
def rule() -> None:
    """Who hears of what."""


@rule.command("add")
@click.argument("name")
@click.argument("channel")
@click.option(
    "--topic", "topics", multiple=True, help="build, deployment, release or rollout; else all."
)
@click.option("--repo", "repositories", multiple=True, help="A pattern of ORG/NAME.")
@click.option("--env", "environments", multiple=True, help="A pattern of DELIVERY/ENVIRONMENT.")
@click.option("--transitions", is_flag=True, help="Only when the outcome differs from the last.")
@output.format_option
@connected
def add_rule(
    session: Session,
    name: str,
    channel: str,
    *,
    topics: tuple[str, ...],
    repositories: tuple[str, ...],
    environments: tuple[str, ...],
    transitions: bool,
    output: str,
) -> None:
    """Make or change the rule NAME, which leads to CHANNEL."""
    data = RuleSet(
        channel=channel,
        topics=list(topics),
        repositories=list(repositories),
        environments=list(environments),
        transitions=transitions,
    )
    getting.print_list(kinds.RULES, [session.api.put(f"/rules/{name}", data, Rule)], output)


@rule.command("rm")
@click.argument("name")
@connected
def remove_rule(session: Session, name: str) -> None:
    """Remove the rule NAME."""
    gone(session, f"/rules/{name}", f"rule {name}")


@rule.command("ls")
@output.format_option
@connected
def list_rules(session: Session, *, output: str) -> None:
    """List rules."""
    getting.print_list(kinds.RULES, list(session.api.pages("/rules", Rule)), output)


@notify.command("ls")
@output.format_option
@connected
def list_notices(session: Session, *, output: str) -> None:
    """List what was said, and what waits to be."""
    getting.print_list(kinds.NOTICES, list(session.api.pages("/notices", Notice)), output)
