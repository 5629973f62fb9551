"""`fairway login`, and the credential helpers that it sets up for Git and Docker.

Git and Docker ask `fairway credential git|docker`; nothing is written into their own files but
the helper's name, so that a token that ends or changes does so everywhere.
"""

from __future__ import annotations

import json
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import click

from fairway.cli import hidden, output
from fairway.cli.session import Session, connected
from fairway.client import context as contexts
from fairway.client.wire.system import System
from fairway.client.wire.who import Me, NewToken, SignIn
from fairway.model.errors import BadFile, InvalidInput

HELPER: Final = "fairway"  # docker-credential-fairway


@click.command("login")
@click.argument("url", required=False, default="")
@click.option("--token-file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Read the token from here; else stdin, or asked for on a terminal.")  # fmt: skip
@click.option("--user", default="", help="Sign in as this user, with a password.")
@click.option("--password-file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Read that password from here.")  # fmt: skip
@click.option("--name", default="", help="The context's name; the host unless given.")
@click.option("--ca", default=None, help="The server's authority, where this machine knows it not.",
              type=click.Path(exists=True, dir_okay=False, resolve_path=True))  # fmt: skip
@click.option("--docker-config", envvar="DOCKER_CONFIG", default=Path("~/.docker"), hidden=True,
              type=click.Path(file_okay=False, path_type=Path))  # fmt: skip
@click.option("--no-git", is_flag=True, help="Leave Git's settings alone.")
@click.option("--no-docker", is_flag=True, help="Leave Docker's settings alone.")
@connected
def login(session: Session, url: str, **options: Any) -> None:
    """Sign in to the server at URL, and set up Git's and Docker's credential helpers.

    Without a URL: set the helpers up again for the current context.
    """
    made = _asked(session, url, options)
    system, me = who_is(made.url, made.token, made.ca)
    remember(session, system, made, options["name"])
    if not options["no_git"]:
        _set_up_git(system, made)
    if not options["no_docker"] and system.registry:
        path = options["docker_config"].expanduser() / "config.json"
        write_docker(path, system.registry)
        output.say(f"Docker asks us for {system.registry} ({path})")
        _docker_needs(system, made.ca)
    output.say(f"signed in to {made.url} as {me.login}")


def _asked(session: Session, url: str, options: Mapping[str, Any]) -> contexts.Context:
    """Where and as whom to sign in: the arguments, or the current context again."""
    ca = options["ca"] or ""
    if not url and not options["user"]:
        found = session.context
        return contexts.Context(url=found.url, token=found.token, ca=ca or found.ca)
    if not url:
        url, ca = session.context.url, ca or session.context.ca
    checked_url(url)
    made = contexts.Context(url=url.rstrip("/"), token="", ca=ca)
    if options["user"]:
        made.token = by_password(made, options["user"], options["password_file"])
    else:
        made.token = hidden.line("Token", options["token_file"]).strip()
    return made


def by_password(where: contexts.Context, user: str, path: Path | None) -> str:
    """A new token for a user's password. Raises `Unauthenticated`, `Busy`."""
    from fairway.client.http import Api

    password = hidden.line(f"Password of {user}", path)
    api = Api(where.url, "", ca=where.ca)
    name = f"fairway login on {platform.node() or 'a machine without a name'}"
    try:
        data = SignIn(login=user, password=password, name=name)
        return api.post("/login", data, NewToken).token
    finally:
        api.close()


def _docker_needs(system: System, ca: str) -> None:
    """Say what Docker lacks that only its owner can give it."""
    if shutil.which(f"docker-credential-{HELPER}") is None:
        output.say(
            f"Docker finds no docker-credential-{HELPER}: put the folder of `fairway` on PATH"
        )
    if ca:
        where = f"/etc/docker/certs.d/{system.registry}/ca.crt"
        output.say(f"its Engine trusts the server once {ca} is copied to {where}")


def checked_url(url: str) -> None:
    """Raise `InvalidInput` for what is no address of a server."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
        raise InvalidInput(
            f"{url!r} is no server's address", code="bad-url", remedy="write https://HOST[:PORT]"
        )


def remember(session: Session, system: System, made: contexts.Context, name: str) -> None:
    """Write the context; one of the same address keeps its name."""
    made.hosts = hosts_of(system)
    found = contexts.load(session.path)
    same = [known for known, one in found.contexts.items() if one.url == made.url]
    chosen = name or next(iter(same), urlsplit(made.url).netloc)
    if chosen in found.contexts:
        made.repository = found.contexts[chosen].repository
        made.ca = made.ca or found.contexts[chosen].ca
    contexts.add(session.path, chosen, made)


def hosts_of(system: System) -> list[str]:
    """What else a server is called: in image names, and in links."""
    names = [system.registry, urlsplit(system.external_url).netloc]
    return [name for name in dict.fromkeys(names) if name]


def who_is(url: str, token: str, ca: str) -> tuple[System, Me]:
    from fairway.client.http import Api

    api = Api(url, token, ca=ca)
    try:
        return api.get("/system", System), api.get("/me", Me)
    finally:
        api.close()


def _set_up_git(system: System, made: contexts.Context) -> None:
    for address in dict.fromkeys((made.url, system.external_url)):
        if address:
            _git_config(f"credential.{address}.helper", git_helper())
        if address.startswith("https://") and made.ca:
            _git_config(f"http.{address}.sslCAInfo", made.ca)


def git_helper() -> str:
    """What Git runs: by its whole path, because the next terminal may have another PATH."""
    found = shutil.which("fairway")
    program = shlex.quote(found) if found else f"{shlex.quote(sys.executable)} -m fairway"
    return f"!{program} credential git"


def _git_config(name: str, value: str) -> None:
    command = ["git", "config", "--global", "--replace-all", name, value]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)  # noqa: S603 our own words
    except (OSError, subprocess.TimeoutExpired) as error:
        output.say(f"Git is not set up: {error}")
        return
    if done.returncode:
        output.say(f"Git is not set up: {done.stderr.strip()}")


def write_docker(path: Path, registry: str) -> None:
    """Name us as the helper for one registry; everything else in the file stays."""
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        data = {}
    except (OSError, ValueError) as error:
        raise BadFile(f"cannot be read: {error}", where=str(path)) from error
    if not isinstance(data, dict) or not isinstance(data.setdefault("credHelpers", {}), dict):
        raise BadFile("not Docker's settings", where=str(path))
    if data["credHelpers"].get(registry) == HELPER:
        return
    data["credHelpers"][registry] = HELPER
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(json.dumps(data, indent="\t") + "\n", encoding="utf-8")
    fresh.chmod(0o600)
    fresh.replace(path)


@click.command("credential")
@click.argument("program", type=click.Choice(["git", "docker"]))
@click.argument("action", default="get")
@connected
def credential(session: Session, program: str, action: str) -> None:
    """Answer Git or Docker, which ask for a token (their credential helper protocols)."""
    found = contexts.load(session.path)
    if program == "git":
        _answer_git(found, action)
    else:
        _answer_docker(found, action)


def _answer_git(found: contexts.Contexts, action: str) -> None:
    asked = dict(line.split("=", 1) for line in sys.stdin.read().splitlines() if "=" in line)
    if action != "get":
        return  # there is nothing of Git's own to store or erase
    one = _of_host(found, asked.get("host", ""))
    if one is not None and asked.get("protocol") in {"http", "https"}:
        click.echo(f"username=fairway\npassword={one.token}")


def _answer_docker(found: contexts.Contexts, action: str) -> None:
    if action == "list":
        hosts = {urlsplit(one.url).netloc: "fairway" for one in found.contexts.values()}
        click.echo(json.dumps(hosts))
        return
    text = sys.stdin.read().strip()
    if action in {"store", "erase"}:
        return
    host = urlsplit(text).netloc if "://" in text else text.split("/", 1)[0]
    one = _of_host(found, host)
    if one is None:
        click.echo("credentials not found in native keychain")  # Docker knows these words
        raise click.exceptions.Exit(1)
    click.echo(json.dumps({"ServerURL": text, "Username": "fairway", "Secret": one.token}))


def _of_host(found: contexts.Contexts, host: str) -> contexts.Context | None:
    """The context of a host; the current one for what it calls its registry or itself."""
    ordered = sorted(found.contexts.items(), key=lambda item: item[0] != found.current)
    for _name, one in ordered:
        if host and host in {urlsplit(one.url).netloc, *one.hosts}:
            return one
    return None


def docker_main() -> None:
    """`docker-credential-fairway ACTION`."""
    from fairway.cli.main import run

    sys.exit(run(["credential", "docker", *sys.argv[1:2]]))
