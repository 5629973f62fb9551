"""`fairway environment`: what a build's `fairway/environment` starts, on one's own machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fairway.cli import output
from fairway.cli.session import Session, connected

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairway.boot.trying import Tried

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("environment")
def environment() -> None:
    """Start, read and take down a test environment here, as `fairway/environment` does in a build.

    It is known by its file's folder (or --name), and stays until it is taken down.
    """


def which(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say which environment is meant."""
    options = (
        click.option("-f", "--compose", "files", multiple=True, type=_FILE, metavar="FILE",
                     help="The Compose file; the folder's own unless given. Several are merged."),
        click.option("--name", default="", help="Its name; the folder's unless given."),
        click.option("--data", type=click.Path(file_okay=False, path_type=Path)),
        click.option("--docker-host", default="", metavar="URL"),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@environment.command("up")
@click.argument("services", nargs=-1)
@which
@click.option("--profile", "profiles", multiple=True, help="A profile of the file.")
@click.option("--env-file", "env_files", multiple=True, type=_FILE, metavar="FILE")
@click.option(
    "--image",
    "images",
    multiple=True,
    metavar="SERVICE=IMAGE",
    help="What a service runs instead of the file's image.",
)
@click.option("--timeout", default="5m", show_default=True, help="Until all must be well.")
@connected
def up(
    session: Session,
    services: tuple[str, ...],
    *,
    files: tuple[Path, ...],
    name: str,
    data: Path | None,
    docker_host: str,
    **more: Any,
) -> None:
    """Start the environment, or only SERVICES and what they need; wait until all is well."""
    from fairway.boot import trying
    from fairway.cli.run import pairs

    registry, token = _registry(session)
    tried = trying.Tried(
        files=files,
        name=name,
        services=services,
        profiles=more["profiles"],
        env_files=more["env_files"],
        images=pairs(more["images"]),
        timeout=more["timeout"],
        registry=registry,
        token=token,
    )
    for address in trying.up(tried, _settings(data, docker_host), output.say):
        output.emit(address)


@environment.command("down")
@which
def down(*, files: tuple[Path, ...], name: str, data: Path | None, docker_host: str) -> None:
    """Take the environment down: containers, networks, volumes and images made for it."""
    from fairway.boot import trying

    count = trying.down(_tried(files, name), _settings(data, docker_host), output.say)
    output.say(f"removed {count} containers, networks, volumes and images")


@environment.command("logs")
@which
@click.option("--follow", is_flag=True, help="Go on until interrupted.")
def logs(
    *, files: tuple[Path, ...], name: str, data: Path | None, docker_host: str, follow: bool
) -> None:
    """Print the logs of all services."""
    from fairway.boot import trying

    settings = _settings(data, docker_host)
    trying.logs(_tried(files, name), settings, output.emit, follow=follow)


def _tried(files: tuple[Path, ...], name: str) -> Tried:
    from fairway.boot.trying import Tried

    return Tried(files=files, name=name)


def _settings(data: Path | None, docker_host: str) -> Any:
    from fairway import settings

    return settings.load(data, {"docker": {"host": docker_host or None}})


def _registry(session: Session) -> tuple[str, str]:
    """The registry of the server that counts and one's token for it; nothing without a server."""
    from fairway.client.wire.system import System
    from fairway.model.errors import FairwayError

    try:
        return session.api.get("/system", System).registry, session.context.token
    except FairwayError:
        return "", ""
