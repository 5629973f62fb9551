"""`fairway repo`: create, change, delete; hook secrets and signatures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from fairway.cli import get as getting
from fairway.cli import hidden, kinds, output
from fairway.cli.session import (
    SECONDS,
    Session,
    checked_slug,
    confirm,
    connected,
    dry_run_option,
    yes_option,
)
from fairway.client.wire.repository import (
    HookSecret,
    Repository,
    RepositoryChange,
    RepositoryCreate,
    Signed,
    SignRequest,
)

VISIBILITIES = click.Choice(["private", "internal", "public"])


@click.group("repo")
def repo() -> None:
    """Create, change and delete repositories. A `git push` creates one as well."""


def _shown(made: Repository, form: str) -> None:
    human = getting.table(kinds.REPOSITORIES, [made], wide=form == "wide")
    output.emit_one("repo", made, form, name=made.slug, human=human)


def _password(path: str | None) -> str:
    return hidden.of_file(Path(path)).strip() if path else ""


@repo.command("create")
@click.argument("slug")
@click.option("--default-branch", default="main", show_default=True)
@click.option("--visibility", type=VISIBILITIES, default="private", show_default=True)
@click.option("--remote", default="", metavar="URL", help="It lives elsewhere: build from there.")
@click.option("--remote-user", default="")
@click.option("--remote-password-file", type=click.Path(exists=True, dir_okay=False))
@dry_run_option
@output.format_option
@connected
def create(session: Session, slug: str, *, dry_run: bool, output: str, **options: Any) -> None:
    """Create the repository SLUG (ORGANISATION/NAME)."""
    data = RepositoryCreate(
        repository=checked_slug(slug),
        default_branch=options["default_branch"],
        visibility=options["visibility"],
        remote_url=options["remote"],
        remote_user=options["remote_user"],
        remote_password=_password(options["remote_password_file"]),
    )
    if dry_run:
        click.echo(f"would create {data.repository}")
        return
    _shown(session.api.post("/repos", data, Repository), output)


@repo.command("set")
@click.argument("slug", required=False, default="")
@click.option("--default-branch")
@click.option("--visibility", type=VISIBILITIES)
@click.option("--active/--inactive", default=None, help="Whether anything of it is built.")
@click.option("--trusted/--untrusted", default=None, help="Privileged steps (admins only).")
@click.option("--protected/--unprotected", default=None, help="Builds need a signature or a word.")
@click.option("--config-path", help="The pipeline file.")
@click.option("--build-timeout", type=SECONDS, help="How long a build may take.")
@click.option("--remote", metavar="URL", help='Where it lives; "" makes it our own.')
@click.option("--remote-user")
@click.option("--remote-password-file", type=click.Path(exists=True, dir_okay=False))
@click.option("-s", "--setting", "settings", multiple=True, metavar="NAME=JSON",
              help="Any other setting, such as auto_cancel_pushes=true.")  # fmt: skip
@dry_run_option
@output.format_option
@connected
def change(session: Session, slug: str, *, dry_run: bool, output: str, **options: Any) -> None:
    """Change a repository's settings; what is not given stays."""
    name = session.repository(slug)
    data = RepositoryChange()
    for field in ("default_branch", "visibility", "active", "trusted", "protected", "config_path",
                  "remote_user"):  # fmt: skip
        if options[field] is not None:
            setattr(data, field, options[field])
    if options["build_timeout"] is not None:
        data.timeout_s = int(options["build_timeout"])
    if options["remote"] is not None:
        data.remote_url = options["remote"]
    if options["remote_password_file"]:
        data.remote_password = _password(options["remote_password_file"])
    if options["settings"]:
        now = session.api.get(f"/repos/{name}", Repository).settings
        data.settings = {**now, **_settings(options["settings"])}
    if dry_run:
        text = msgspec.json.format(msgspec.json.encode(data), indent=2).decode()
        click.echo(f"would change {name}: {text}")
        return
    _shown(session.api.patch(f"/repos/{name}", data, Repository), output)


def _settings(words: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise click.UsageError(f"{word!r} is not NAME=JSON")
        try:
            found[name] = msgspec.json.decode(text)
        except msgspec.DecodeError:
            found[name] = text
    return found


@repo.command("delete")
@click.argument("slug")
@yes_option
@dry_run_option
@connected
def delete(session: Session, slug: str, *, yes: bool, dry_run: bool) -> None:
    """Delete the repository SLUG with its builds and secrets, for ever."""
    name = checked_slug(slug)
    if dry_run:
        output.emit(f"would delete {name}")
        return
    confirm(f"Delete {name} with its builds and secrets, for ever?", yes=yes)
    session.api.delete(f"/repos/{name}")
    output.say(f"{name} is deleted")


@repo.command("hook-secret")
@click.argument("slug", required=False, default="")
@output.format_option
@connected
def hook_secret(session: Session, slug: str, *, output: str) -> None:
    """Make a new secret for the hook of a repository that lives elsewhere, and show it once."""
    name = session.repository(slug)
    made = session.api.post(f"/repos/{name}/hook-secret", None, HookSecret)
    human = f"URL:    {made.url}\nSecret: {made.secret}"
    _emit("hook-secret", made, output, name=made.secret, human=human)


def _emit(kind: str, item: Any, form: str, *, name: str, human: str) -> None:
    output.emit_one(kind, item, form, name=name, human=human)


@repo.command("sign")
@click.argument("slug", required=False, default="")
@click.option("-f", "--file", "path", default=".drone.yml", show_default=True,
              type=click.Path(exists=True, dir_okay=False))  # fmt: skip
@click.option("--save", is_flag=True, help="Write the signature into the file.")
@connected
def sign(session: Session, slug: str, *, path: str, save: bool) -> None:
    """Sign a pipeline file, so that a protected repository builds it without a person's word."""
    name = session.repository(slug)
    file = Path(path)
    data = SignRequest(data=hidden.of_file(file))
    made = session.api.post(f"/repos/{name}/sign", data, Signed)
    if save:
        file.write_text(made.data, encoding="utf-8")
        output.say(f"{path} is signed")
    else:
        output.emit(made.hmac)
