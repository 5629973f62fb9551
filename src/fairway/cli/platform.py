"""`fairway up`, `down`, `serve`, `doctor`, `backup`, `restore`: the system on this machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fairway.cli import output
from fairway.cli.session import Session, confirm, yes_option

if TYPE_CHECKING:
    from fairway.boot.lifecycle import Up
    from fairway.client.wire.system import System
    from fairway.settings import Settings

ROLES = ("server", "controllers", "runner", "git", "gateway")
_pem = click.Path(exists=True, dir_okay=False, resolve_path=True)  # `serve` runs elsewhere
_data = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Where everything lies; /var/lib/fairway for root.",
)


_database = click.option(
    "--database", default=None, metavar="URL", help="Where `up` was given one."
)


def serving(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of `up` and `serve`: where to listen, and on what."""
    options = (
        click.option("--port", type=click.IntRange(1, 65535), default=None),
        click.option("--listen", multiple=True, metavar="ADDRESS[:PORT]",
                     help="Besides loopback; needs TLS or --behind-proxy."),
        click.option("--tls-cert", type=_pem, default=None, help="PEM: certificate and chain."),
        click.option("--tls-key", type=_pem, default=None, help="PEM: its key."),
        click.option("--behind-proxy", is_flag=True, default=None, help="A proxy ends TLS."),
        click.option("--external-url", default=None, metavar="URL",
                     help="What links, clone URLs and image names show."),
        click.option("--database", default=None, metavar="URL", help="PostgreSQL, not SQLite."),
        click.option("--docker-host", default=None, metavar="URL", help="An Engine to use."),
        click.option("--capacity", type=click.IntRange(1, 1000), default=None,
                     help="Pipelines at once."),
        click.option("--kubeconfig", type=_pem, default=None, metavar="FILE",
                     help="An existing Kubernetes instead of the embedded one."),
        click.option("--context", default=None, help="In that file; else its current one."),
        click.option("--log-format", type=click.Choice(["text", "json"]), default=None),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def settings_of(data: Path | None, roles: tuple[str, ...] = (), **options: Any) -> Settings:
    """The settings of a command line. Raises `InvalidInput`, `BadFile`."""
    from fairway import settings

    return settings.load(data, flags_of(roles, options))


def flags_of(roles: tuple[str, ...], options: dict[str, Any]) -> dict[str, Any]:
    """Options as the settings have them, nested; None is what was not given."""
    listen = options.get("listen") or None
    return {
        "roles": roles or None,
        "log_format": options.get("log_format"),
        "http": {
            "port": options.get("port"),
            "listen": listen,
            "tls_cert": options.get("tls_cert"),
            "tls_key": options.get("tls_key"),
            "behind_proxy": options.get("behind_proxy"),
            "external_url": options.get("external_url"),
        },
        "database": {"url": options.get("database")},
        "docker": {"host": options.get("docker_host")},
        "runner": {"capacity": options.get("capacity")},
        "cluster": {"kubeconfig": options.get("kubeconfig"), "context": options.get("context")},
    }


def words_of(options: dict[str, Any]) -> list[str]:
    """The options again, as `up` hands them to `serve`."""
    words: list[str] = []
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            words.append(flag)
        elif isinstance(value, tuple):
            words += [part for one in value for part in (flag, str(one))]
        elif value not in {None, False}:
            words += [flag, str(value)]
    return words


@click.command("up")
@_data
@serving
@click.option("--fairway-context", "context_name", default="local", show_default=True,
              help="The context that is made for this server.")  # fmt: skip
@click.pass_context
def up(ctx: click.Context, /, data: Path | None, context_name: str, **options: Any) -> None:
    """Start everything on this machine, in the background, and sign in.

    Running already is fine. `fairway down` stops it.
    """
    from fairway.boot import lifecycle

    settings = settings_of(data, **options)
    done = lifecycle.up(settings, words_of(options), output.say)
    session = Session(context="", url="", token="", config=getattr(ctx.obj, "config", ""))
    _sign_in(session, done, context_name, settings.http.tls_cert)
    if done.gateway:
        output.say(f"services with a route answer at {done.gateway}")
    output.say("running" if done.fresh else "it runs already")
    output.emit(done.url)


def _sign_in(session: Session, done: Up, name: str, cert: str) -> None:
    """Write the context of the new server, with its admin's token where we may read it."""
    from fairway.cli.login import remember
    from fairway.client.context import Context

    try:
        token = done.token_file.read_text(encoding="utf-8").strip()
    except OSError:
        output.say(f"sign in with a token: fairway login {done.url}")
        return
    found = _trusted(done.url, token, cert)
    if found is None:
        output.say(f"its certificate is not for this address: fairway login URL --ca {cert}")
        return
    at, ca, system = found
    remember(session, system, Context(url=at, token=token, ca=ca), name)


def _trusted(url: str, token: str, cert: str) -> tuple[str, str, System] | None:
    """(address, authority) by which our own server is trusted here, and what it says of itself."""
    from fairway.cli.login import who_is
    from fairway.model.errors import Unavailable

    if not cert:
        return url, "", who_is(url, token, "")[0]
    for at in (url, url.replace("127.0.0.1", "localhost")):
        for ca in ("", cert):
            try:
                return at, ca, who_is(at, token, ca)[0]
            except Unavailable:
                continue  # the certificate does not hold for this address
    return None


@click.command("down")
@_data
@click.option("--purge", is_flag=True, help="Remove everything: builds, images, repositories.")
@yes_option
def down(*, data: Path | None, purge: bool, yes: bool) -> None:
    """Stop what `up` started. With --purge nothing of it stays on this machine."""
    from fairway.boot import lifecycle

    settings = settings_of(data)
    if purge:
        confirm(f"Remove everything in {settings.data}, for ever?", yes=yes)
    lifecycle.down(settings, output.say, purge=purge)


@click.command("serve")
@_data
@click.option("--role", "roles", multiple=True, type=click.Choice(ROLES), help="All unless given.")
@serving
def serve(*, data: Path | None, roles: tuple[str, ...], **options: Any) -> None:
    """Run one or more roles in the foreground, until SIGTERM."""
    from fairway.boot import lifecycle

    lifecycle.serve(settings_of(data, roles, **options))


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@_data
@_database
def backup(file: Path, data: Path | None, database: str | None) -> None:
    """Write database, Git repositories, blobs and keys to FILE, also while Fairway runs."""
    from fairway.boot import lifecycle

    lifecycle.backup_to(settings_of(data, database=database), file, output.say)
    output.emit(str(file))


@click.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_data
@_database
@yes_option
def restore(file: Path, data: Path | None, database: str | None, *, yes: bool) -> None:
    """Bring a backup FILE back into an empty data directory."""
    from fairway.boot import lifecycle

    settings = settings_of(data, database=database)
    confirm(f"Restore {file} into {settings.data}?", yes=yes)
    lifecycle.restore_from(settings, file, output.say)


@click.command("doctor")
@_data
@click.option("--port", type=click.IntRange(1, 65535), default=None)
@output.format_option
def doctor(*, data: Path | None, port: int | None, output: str) -> None:
    """Say what this machine lacks for Fairway, with the command that mends each part.

    Exit code 1 when something keeps a part from working.
    """
    from fairway.boot import offline

    _examined(offline.examine(settings_of(data, port=port)), output)


def _examined(found: list[Any], form: str) -> None:
    bad = [one for one in found if one.bad]
    if form in {"table", "wide"}:
        rows = [[one.health, one.name, one.found] for one in found]
        output.emit(output.table(["STATE", "PART", "FOUND"], rows))
        for one in found:
            if one.mend:
                output.emit(f"\n{one.name}: {one.found}\n  {one.mend}")
    elif form == "name":
        for one in bad:
            output.emit(one.name)
    else:
        data = output.versioned("doctor", {"items": [output.plain(one) for one in found]})
        texts = {"json": output.json_text, "yaml": output.yaml_text, "jsonl": output.line_text}
        output.emit(texts[form](data))
    if bad:
        raise click.exceptions.Exit(1)
