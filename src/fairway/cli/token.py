"""`fairway token`: make, list, revoke."""

from __future__ import annotations

import click

from fairway.cli import get as getting
from fairway.cli import kinds, output
from fairway.cli.session import SECONDS, Session, confirm, connected, dry_run_option, yes_option
from fairway.client.wire.who import NewToken, Token, TokenCreate
from fairway.model.token import TokenScope

SCOPES = [str(one) for one in TokenScope]


@click.group("token")
def token() -> None:
    """Tokens: what programs show to act as you, within limits."""


@token.command("create")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, type=click.Choice(SCOPES))
@click.option("--for", "user", default="", help="For this user (admins only).")
@click.option("-R", "--repo", default="", metavar="ORG/NAME", help="Bound to this repository.")
@click.option("--expires", type=SECONDS, default=90 * 86400.0, help="Default 90d; 0 for no end.")
@output.format_option
@connected
def create(
    session: Session,
    name: str,
    *,
    scopes: tuple[str, ...],
    user: str,
    repo: str,
    expires: float,
    output: str,
) -> None:
    """Make a token. Its value is printed this once, alone, on stdout."""
    data = TokenCreate(
        name=name, scopes=list(scopes), user=user, repository=repo, expires_s=int(expires)
    )
    made = session.api.post("/tokens", data, NewToken)
    _emit(made, output)


def _emit(made: NewToken, form: str) -> None:
    output.emit_one("token", made, form, name=str(made.id), human=made.token)
    if form in {"table", "wide"}:
        end = f"until {made.expires}" if made.expires else "without end"
        output.say(f"token {made.id} ({made.name}), {end}: it is not shown again")


@token.command("ls")
@output.format_option
@connected
def list_tokens(session: Session, *, output: str) -> None:
    """List your tokens, without their values; an admin's list has everybody's."""
    getting.print_list(kinds.TOKENS, list(session.api.pages("/tokens", Token)), output)


@token.command("revoke")
@click.argument("number", type=click.IntRange(1))
@yes_option
@dry_run_option
@connected
def revoke(session: Session, number: int, *, yes: bool, dry_run: bool) -> None:
    """End the token with this NUMBER at once."""
    if dry_run:
        output.emit(f"would revoke token {number}")
        return
    confirm(f"Revoke token {number}?", yes=yes)
    session.api.delete(f"/tokens/{number}")
    output.say(f"token {number} is revoked")
