"""This machine's Docker Engine, found or started from settings. These block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import httpx

from fairway.docker import daemon
from fairway.docker.bridge import LABEL as BRIDGE_LABEL
from fairway.docker.daemon import Engine, OwnEngine
from fairway.model.errors import Unavailable
from fairway.pipeline.engines.spec import LABEL_OWNER
from fairway.settings import Settings, docker_host

_REMOVE_S: Final = 120.0

Say = Callable[[str], None]


def own_engine(settings: Settings, say: Say) -> OwnEngine:
    """The Engine that we would start, or have started."""
    return OwnEngine(settings.data / "docker", say)


def engine(settings: Settings, say: Say, *, note: bool = True) -> Engine | None:
    """The Engine for this machine's runner; None where no role here needs one.

    An address in the settings is the only one tried. Else: our own if it runs, DOCKER_HOST, the
    system's, and at last our own is started. Raises `Unavailable`. `note`: write down one that is
    not ours, for a purge; not where nothing of ours will stay in it.
    """
    if "runner" not in settings.roles or settings.runner.engine != "docker":
        return None
    found = _engine(settings, say)
    if note and not found.ours:
        _note(settings, found.host)
    return found


def _engine(settings: Settings, say: Say) -> Engine:
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


def clear_engines(settings: Settings, owners: Sequence[str], say: Say) -> None:
    """Remove what is ours in Engines that are not: containers, networks, volumes, image names.

    `owners`: what marks it there, an installation's id or a remote runner's.
    """
    for host in _noted(settings):
        if daemon.ask(host) is None:
            say(f"the Docker Engine at {host} does not answer: what is ours there stays")
            continue
        with daemon.client(host, _REMOVE_S) as api:
            for owner in owners:
                count = _clear(api, owner)
                if count:
                    say(f"removed {count} containers, networks and volumes from {host}")
            for name in _registries(settings):
                _forget_images(api, f"{name}/")


def _clear(api: httpx.Client, owner: str) -> int:
    count = 0
    for thing in api.get("/containers/json", params={"all": 1}).json():
        if _is_of(thing, owner):
            api.delete(f"/containers/{thing['Id']}", params={"force": 1, "v": 1})
            count += 1
    for thing in api.get("/networks").json():
        if _is_of(thing, owner):
            api.delete(f"/networks/{thing['Id']}")
            count += 1
    for thing in api.get("/volumes").json().get("Volumes") or []:
        if _is_of(thing, owner):
            api.delete(f"/volumes/{thing['Name']}", params={"force": 1})
            count += 1
    return count


def _is_of(thing: dict[str, Any], owner: str) -> bool:
    labels = thing.get("Labels") or {}
    whose = labels.get(LABEL_OWNER, "")
    return whose.partition("/")[0] == owner or labels.get(BRIDGE_LABEL) == owner


def _forget_images(api: httpx.Client, prefix: str) -> None:
    """Take away the names under our registry; an image goes with its last name."""
    for image in api.get("/images/json").json():
        names = [*(image.get("RepoTags") or []), *(image.get("RepoDigests") or [])]
        for name in names:
            if name.startswith(prefix):
                api.delete(f"/images/{name.removesuffix(':<none>')}")


def _note(settings: Settings, host: str) -> None:
    """Remember an Engine that is not ours, and our registry's name there, for a purge."""
    _add(settings.data / "run" / "engines", host)
    _add(settings.data / "run" / "registries", settings.registry_name)


def _add(path: Path, word: str) -> None:
    words = dict.fromkeys([*_words(path), word])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(words) + "\n", encoding="utf-8")


def _noted(settings: Settings) -> list[str]:
    return _words(settings.data / "run" / "engines")


def _registries(settings: Settings) -> list[str]:
    """The names that our registry has had, as each start noted them: a port may be a flag of one
    start. What the settings say now is maybe another's, who has the usual port.
    """
    return _words(settings.data / "run" / "registries")


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return []
