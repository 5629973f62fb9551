"""`fairway user` and `fairway org`: add and list."""

from __future__ import annotations

import click

from fairway.cli import get as getting
from fairway.cli import kinds, output
from fairway.cli.session import Session, connected
from fairway.client.wire.who import Organisation, OrganisationCreate, User, UserCreate


@click.group("user")
def user() -> None:
    """Who may sign in."""


@user.command("add")
@click.argument("login")
@click.option("--name", default="")
@click.option("--email", default="")
@click.option("--admin", is_flag=True)
@click.option("--machine", is_flag=True, help="Not a person: a program of yours.")
@output.format_option
@connected
def add_user(session: Session, login: str, *, output: str, **options: bool | str) -> None:
    """Add the user LOGIN. `fairway token create NAME --for LOGIN` gives a token."""
    data = UserCreate(login=login, **options)  # type: ignore[arg-type]  # click's own types
    made = session.api.post("/users", data, User)
    _emit(kinds.USERS, made, output)


def _emit(kind: kinds.Kind, made: User | Organisation, form: str) -> None:
    human = getting.table(kind, [made], wide=form == "wide")
    output.emit_one(kind.one, made, form, name=kind.label(made), human=human)


@user.command("ls")
@output.format_option
@connected
def list_users(session: Session, *, output: str) -> None:
    """List users."""
    getting.print_list(kinds.USERS, list(session.api.pages("/users", User)), output)


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
