"""`fairway environment`: what a build's `fairway/environment` starts, on one's own machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from fairway.cli import output
from fairway.cli.kubectl import HOME
from fairway.cli.session import Session, connected

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairway.boot.trying import Tried
    from fairway.boot.trying_objects import TriedObjects

_FILE: Final = click.Path(dir_okay=False, path_type=Path)


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
        click.option("--manifests", default=None, metavar="PATH",
                     type=click.Path(exists=True, path_type=Path),
                     help="Manifests or a kustomization instead, in a namespace of the cluster."),
        click.option("--chart", default=None, metavar="FOLDER",
                     type=click.Path(exists=True, file_okay=False, path_type=Path),
                     help="A Helm chart instead, in a namespace of the cluster."),
        click.option("--cluster", default=HOME, metavar="NAME",
                     help="For --manifests and --chart; the home cluster unless given."),
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
@click.option("--profile", "profiles", multiple=True, help="A profile of the Compose file.")
@click.option("--env-file", "env_files", multiple=True, type=_FILE, metavar="FILE")
@click.option("--values", "values", multiple=True, type=_FILE, metavar="FILE",
              help="Values of the chart.")  # fmt: skip
@click.option("--set", "set_values", multiple=True, metavar="KEY=VALUE", help="One value of it.")
@click.option("--image", "images", multiple=True, metavar="NAME=IMAGE",
              help="What a service (or image, or container) runs instead.")  # fmt: skip
@click.option("--timeout", default="5m", show_default=True, help="Until all must be well.")
@connected
def up(session: Session, services: tuple[str, ...], **options: Any) -> None:
    """Start the environment, or only SERVICES and what they need; wait until all is well."""
    settings = _settings(options)
    if _in_cluster(options):
        from fairway.boot import trying_objects

        name = trying_objects.up(_objects(session, options), settings, output.say)
        output.emit(name)
        output.say(f"fairway kubectl get all --namespace {name}")
        return
    from fairway.boot import trying

    for address in trying.up(_composed(session, options, services), settings, output.say):
        output.emit(address)


@environment.command("down")
@which
@connected
def down(session: Session, **options: Any) -> None:
    """Take it down: containers, networks, volumes and images made for it, or its namespace."""
    if _in_cluster(options):
        from fairway.boot import trying_objects

        tried = _objects(session, options)
        trying_objects.down(tried)
        output.say(f"removed the namespace {tried.namespace}")
        return
    from fairway.boot import trying

    count = trying.down(_named(options), _settings(options), output.say)
    output.say(f"removed {count} containers, networks, volumes and images")


@environment.command("logs")
@which
@click.option("--follow", is_flag=True, help="Go on until interrupted.")
@connected
def logs(session: Session, *, follow: bool, **options: Any) -> None:
    """Print the logs of all services, or of all pods."""
    if _in_cluster(options):
        from fairway.boot import trying_objects

        trying_objects.logs(_objects(session, options), output.emit, follow=follow)
        return
    from fairway.boot import trying

    trying.logs(_named(options), _settings(options), output.emit, follow=follow)


def _in_cluster(options: dict[str, Any]) -> bool:
    """Whether it is one of objects. Raises a usage error for more than one kind."""
    given = [name for name in ("files", "manifests", "chart") if options[name]]
    if len(given) > 1:
        raise click.UsageError("just one of --compose, --manifests and --chart is meant")
    return given in (["manifests"], ["chart"])


def _composed(session: Session, options: dict[str, Any], services: tuple[str, ...]) -> Tried:
    from fairway.boot.trying import Tried
    from fairway.cli.run import pairs

    registry, token = _registry(session)
    return Tried(
        files=options["files"],
        name=options["name"],
        services=services,
        profiles=options["profiles"],
        env_files=options["env_files"],
        images=pairs(options["images"]),
        timeout=options["timeout"],
        registry=registry,
        token=token,
    )


def _named(options: dict[str, Any]) -> Tried:
    from fairway.boot.trying import Tried

    return Tried(files=options["files"], name=options["name"])


def _objects(session: Session, options: dict[str, Any]) -> TriedObjects:
    from fairway.boot.trying_objects import TriedObjects
    from fairway.cli.kubectl import config_of
    from fairway.cli.run import pairs

    registry, token = _registry(session)
    return TriedObjects(
        path=options["manifests"] or options["chart"],
        kubeconfig=config_of(session, options["cluster"]),
        is_chart=bool(options["chart"]),
        name=options["name"],
        values=options.get("values", ()),
        set_values=options.get("set_values", ()),
        images=pairs(options.get("images", ())),
        timeout=options.get("timeout", "5m"),
        registry=registry,
        token=token,
    )


def _settings(options: dict[str, Any]) -> Any:
    from fairway import settings

    return settings.load(options["data"], {"docker": {"host": options["docker_host"] or None}})


def _registry(session: Session) -> tuple[str, str]:
    """The registry of the server that counts and one's token for it; nothing without a server."""
    from fairway.client.wire.system import System
    from fairway.model.errors import FairwayError

    try:
        return session.api.get("/system", System).registry, session.context.token
    except FairwayError:
        return "", ""
