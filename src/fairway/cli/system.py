"""`fairway system`: pause, resume, parked events."""

from __future__ import annotations

import click

from fairway.cli import output
from fairway.cli.describe import fields
from fairway.cli.session import Session, confirm, connected, yes_option
from fairway.client.wire.common import Done
from fairway.client.wire.system import KeyRotation, Pause, System


@click.group("system")
def system() -> None:
    """The installation as a whole."""


@system.command("show")
@output.format_option
@connected
def show(session: Session, *, output: str) -> None:
    """Version, addresses, and whether work is paused."""
    found = session.api.get("/system", System)
    _emit(found, output)


def _emit(found: System, form: str) -> None:
    output.emit_one("system", found, form, name=found.installation, human=fields(found))


@system.command("pause")
@click.option("--reason", default="", help="Why, for those who wait.")
@connected
def pause(session: Session, *, reason: str) -> None:
    """Let nothing new begin; what runs goes on."""
    session.api.put("/system/pause", Pause(paused=True, reason=reason), Done)
    output.say("paused: `fairway system resume` ends it")


@system.command("resume")
@connected
def resume(session: Session) -> None:
    """End the pause."""
    session.api.put("/system/pause", Pause(paused=False), Done)
    output.say("resumed")


@system.command("replay")
@click.argument("number", type=click.IntRange(1))
@connected
def replay(session: Session, number: int) -> None:
    """Hand a parked event (`fairway get parked`) to its handler again."""
    session.api.post(f"/parked/{number}/replay", None, Done)
    output.say(f"event {number} is handed out again")


@system.command("rotate-key")
@yes_option
@output.format_option
@connected
def rotate_key(session: Session, *, yes: bool, output: str) -> None:
    """Make a new sealing key, seal every secret with it, and drop the old keys.

    Backups from before hold the old key, and go on to open.
    """
    confirm("Seal everything with a new key and drop the old ones?", yes=yes)
    _rotated(session.api.post("/system/key", None, KeyRotation), output)


def _rotated(done: KeyRotation, form: str) -> None:
    output.emit_one("key", done, form, name=done.key, human=fields(done))
