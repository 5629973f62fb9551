"""`fairway user` and `fairway org`: add and list them, and say who may do what."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from fairway.cli import get as getting
from fairway.cli import hidden, kinds, output
from fairway.cli.session import Session, checked_slug, connected
from fairway.client.wire.who import (
    Grant,
    Me,
    Organisation,
    OrganisationCreate,
    PasswordSet,
    RoleSet,
    User,
    UserCreate,
)

password_option = click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read the password from here.",
)


@click.group("user")
def user() -> None:
    """Who may sign in."""


@user.command("add")
@click.argument("login")
@click.option("--name", default="")
@click.option("--email", default="")
@click.option("--admin", is_flag=True)
@click.option("--machine", is_flag=True, help="Not a person: a program of yours.")
@password_option
@output.format_option
@connected
def add_user(
    session: Session, login: str, *, password_file: Path | None, output: str, **options: bool | str
) -> None:
    """Add the user LOGIN. `fairway token create NAME --for LOGIN` gives a token."""
    password = "" if password_file is None else hidden.line("Password", password_file)
    data = UserCreate(login=login, password=password, **options)  # type: ignore[arg-type]  # click's own types
    made = session.api.post("/users", data, User)
    _emit(kinds.USERS, made, output)


def _emit(kind: kinds.Kind, made: User | Organisation | Grant, form: str) -> None:
    human = getting.table(kind, [made], wide=form == "wide")
    output.emit_one(kind.one, made, form, name=kind.label(made), human=human)


@user.command("password")
@click.argument("login", required=False, default="")
@password_option
@connected
def set_password(session: Session, login: str, password_file: Path | None) -> None:
    """Set one's own password, or (as an admin) that of the user LOGIN."""
    me = session.api.get("/me", Me)
    whose = login or me.login
    asks = whose == me.login and not me.admin
    current = click.prompt("Current password", hide_input=True, err=True) if asks else ""
    fresh = hidden.line("Password", password_file, twice=True)
    data = PasswordSet(password=fresh, current=current)
    session.api.send("PUT", f"/users/{whose}/password", body=data)
    output.say(f"{whose} signs in with it: `fairway login {session.context.url} --user {whose}`")


@user.command("ls")
@output.format_option
@connected
def list_users(session: Session, *, output: str) -> None:
    """List users."""
    getting.print_list(kinds.USERS, list(session.api.pages("/users", User)), output)


_ROLES: Final = ("reader", "writer", "maintainer", "admin")


def _place(text: str) -> str:
    """Where the API has the roles of ORG or ORG/NAME."""
    return f"/repos/{checked_slug(text)}/roles" if "/" in text else f"/orgs/{text}/roles"


@user.command("grant")
@click.argument("login")
@click.argument("role", type=click.Choice(_ROLES))
@click.argument("place", metavar="ORG[/NAME]")
@output.format_option
@connected
def grant(session: Session, login: str, role: str, place: str, *, output: str) -> None:
    """Give the user LOGIN a ROLE in an organisation, or in one repository."""
    made = session.api.put(f"{_place(place)}/{login}", RoleSet(role=role), Grant)
    _emit(kinds.GRANTS, made, output)


@user.command("revoke")
@click.argument("login")
@click.argument("place", metavar="ORG[/NAME]")
@connected
def revoke(session: Session, login: str, place: str) -> None:
    """Take the role of the user LOGIN there away."""
    session.api.delete(f"{_place(place)}/{login}")
    output.say(f"{login} has no role of its own in {place} any more")


@user.command("roles")
@click.argument("place", metavar="ORG[/NAME]")
@output.format_option
@connected
def list_roles(session: Session, place: str, *, output: str) -> None:
    """List the roles given in an organisation, or in one repository."""
    found = list(session.api.pages(_place(place), Grant))
    getting.print_list(kinds.GRANTS, found, output)


@click.group("org")
def org() -> None:
    """Organisations: the first half of a repository's name."""


@org.command("add")
@click.argument("name")
@output.format_option
@connected
def add_organisation(session: Session, name: str, *, output: str) -> None:
    """Add the organisation NAME."""
    made = session.api.post("/orgs", OrganisationCreate(name=name), Organisation)
    _emit(kinds.ORGANISATIONS, made, output)


@org.command("ls")
@output.format_option
@connected
def list_organisations(session: Session, *, output: str) -> None:
    """List organisations."""
    found = session.api.pages("/orgs", Organisation)
    getting.print_list(kinds.ORGANISATIONS, list(found), output)
