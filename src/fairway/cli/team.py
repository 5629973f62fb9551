"""`fairway team` and `fairway right`: people who act together, and what they may do where."""

from __future__ import annotations

import click

from fairway.cli import get as getting
from fairway.cli import kinds, output
from fairway.cli.output import say
from fairway.cli.session import Session, connected, gone
from fairway.client.wire.release import Environment
from fairway.client.wire.who import Right, RightSet, Team, TeamCreate
from fairway.model.errors import FairwayError


@click.group("team")
def team() -> None:
    """Teams: approvals may ask for one, and rights may be given to one."""


@team.command("create")
@click.argument("name")
@click.argument("logins", nargs=-1)
@output.format_option
@connected
def create(session: Session, name: str, logins: tuple[str, ...], *, output: str) -> None:
    """Make the team NAME, with these members."""
    made = session.api.post("/teams", TeamCreate(name=name), Team)
    try:
        for login in logins:
            made = session.api.put(f"/teams/{name}/members/{login}", None, Team)
    except FairwayError:
        say(f"the team {name} is made: `fairway team add {name} LOGIN` for who is missing in it")
        raise
    _emit(made, output)


@team.command("add")
@click.argument("name")
@click.argument("logins", nargs=-1, required=True)
@output.format_option
@connected
def add(session: Session, name: str, logins: tuple[str, ...], *, output: str) -> None:
    """Make the users LOGINS members of the team NAME."""
    made = [session.api.put(f"/teams/{name}/members/{login}", None, Team) for login in logins]
    _emit(made[-1], output)


@team.command("remove")
@click.argument("name")
@click.argument("logins", nargs=-1, required=True)
@connected
def remove(session: Session, name: str, logins: tuple[str, ...]) -> None:
    """End the membership of LOGINS."""
    for login in logins:
        session.api.delete(f"/teams/{name}/members/{login}")
        output.say(f"{login} is no member of {name} any more")


@team.command("rm")
@click.argument("name")
@connected
def drop(session: Session, name: str) -> None:
    """Remove the team NAME, and the rights that came by it."""
    gone(session, f"/teams/{name}", f"team {name}")


@team.command("ls")
@output.format_option
@connected
def list_teams(session: Session, *, output: str) -> None:
    """List teams and their members."""
    getting.print_list(kinds.TEAMS, list(session.api.pages("/teams", Team)), output)


@click.group("right")
def right() -> None:
    """Rights in environments: promote, approve, qa, rollback, sync, deploy.

    Rollouts are promoted and aborted with rights in the cluster (`fairway rollout`).
    """


_HOLDER = click.argument("holder", metavar="LOGIN|team:NAME")
_PLACE = click.argument("place", metavar="DELIVERY[/ENVIRONMENT]")


@right.command("grant")
@_HOLDER
@click.argument("action")
@_PLACE
@output.format_option
@connected
def grant(session: Session, holder: str, action: str, place: str, *, output: str) -> None:
    """Let a user, or a team's members, do ACTION in an environment (or in all of a delivery)."""
    data = RightSet(holder=holder, action=action, place=place)
    getting.print_list(kinds.RIGHTS, [session.api.put("/rights", data, Right)], output)
    delivery, _, environment = place.partition("/")
    query = {"delivery": delivery, "environment": environment}
    if next(iter(session.api.pages("/environments", Environment, query)), None) is None:
        say(f"there is no {place} yet: the right counts once there is (`fairway get envs`)")


@right.command("revoke")
@_HOLDER
@click.argument("action")
@_PLACE
@connected
def revoke(session: Session, holder: str, action: str, place: str) -> None:
    """Take that right away."""
    data = RightSet(holder=holder, action=action, place=place)
    session.api.send("POST", "/rights/revoke", body=data)
    output.say(f"{holder} has no right of its own to {action} in {place} any more")


@right.command("ls")
@click.argument("delivery", required=False, default="")
@output.format_option
@connected
def list_rights(session: Session, delivery: str, *, output: str) -> None:
    """List the rights given, of all deliveries or of one."""
    query = {"delivery": delivery} if delivery else {}
    found = list(session.api.pages("/rights", Right, query))
    getting.print_list(kinds.RIGHTS, found, output)


def _emit(made: Team, form: str) -> None:
    human = getting.table(kinds.TEAMS, [made], wide=form == "wide")
    output.emit_one(kinds.TEAMS.one, made, form, name=made.name, human=human)
