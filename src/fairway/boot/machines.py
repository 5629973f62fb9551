"""This machine's Docker Engine, found or started from settings. These block."""

from __future__ import annotations

from collections.abc import Callable

from fairway.docker import daemon
from fairway.docker.daemon import Engine, OwnEngine
from fairway.model.errors import Unavailable
from fairway.settings import Settings, docker_host

Say = Callable[[str], None]


def own_engine(settings: Settings, say: Say) -> OwnEngine:
    """The Engine that we would start, or have started."""
    return OwnEngine(settings.data / "docker", say)


def engine(settings: Settings, say: Say) -> Engine | None:
    """The Engine for this machine's runner; None where no role here needs one.

    An address in the settings is the only one tried. Else: our own if it runs, DOCKER_HOST, the
    system's, and at last our own is started. Raises `Unavailable`.
    """
    if "runner" not in settings.roles or settings.runner.engine != "docker":
        return None
    given = settings.docker.host
    if given:
        found = daemon.ask(given)
        if found is None:
            raise Unavailable(
                f"no Docker Engine answers at {given}",
                code="docker-unavailable",
                remedy="start it, or leave out `docker.host` so that another is looked for",
            )
        return found
    own = own_engine(settings, say)
    if own.is_running():
        return own.ensure()
    return daemon.provide([docker_host(), daemon.SYSTEM_HOST], own if settings.docker.own else None)


def stop_engine(settings: Settings, say: Say, *, purge: bool) -> None:
    """Stop the Engine that we started, if any; `purge` removes its data as well."""
    own = own_engine(settings, say)
    if own.is_running():
        say("stopping our Docker Engine")
    if purge:
        own.purge()
    else:
        own.stop()
