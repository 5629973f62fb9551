"""`fairway environment`: a test environment on a person's own machine, from the files of a folder.

It stays until it is taken down, is known by the folder, and needs no server.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, field

from fairway.boot import machines
from fairway.boot.environments import compose_environments
from fairway.docker.client import Docker
from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput, NotFound, Unavailable
from fairway.pipeline.environments.compose import ComposeEnvironments
from fairway.pipeline.environments.model import project_name
from fairway.pipeline.environments.removal import filters
from fairway.pipeline.environments.wanted import Wanted, seconds
from fairway.settings import Settings, local_environment

USUAL: Final = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_OWNER: Final = "by-hand"

Say = Callable[[str], None]


class Tried(Struct, frozen=True, kw_only=True):
    """What is asked for by hand."""

    files: tuple[Path, ...] = ()
    name: str = ""
    profiles: tuple[str, ...] = ()
    env_files: tuple[Path, ...] = ()
    services: tuple[str, ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    timeout: str = "5m"
    registry: str = ""  # of the Fairway that names without a host may be of
    token: str = ""


def up(tried: Tried, settings: Settings, say: Say) -> list[str]:
    """Start it. Returns the addresses that it answers at. Blocks.

    Raises as `ComposeEnvironments.run`; what did not come up stays, to be looked at.
    """
    wanted = _wanted(tried)
    found: list[str] = asyncio.run(_with(settings, say, lambda here: _up(here, wanted, say)))
    return found


def down(tried: Tried, settings: Settings, say: Say) -> int:
    """Take it down, volumes too. Returns how many things were removed. Blocks."""
    wanted = _wanted(tried, exists=False)
    count: int = asyncio.run(_with(settings, say, lambda here: here.compose.remove(wanted)))
    return count


def logs(tried: Tried, settings: Settings, out: Say, *, follow: bool) -> None:
    """Print its logs. Blocks. Raises `NotFound` where nothing of it runs."""
    wanted = _wanted(tried, exists=False)
    asyncio.run(_with(settings, out, lambda here: _logs(here, wanted, out, follow=follow)))


class _Here(Struct, frozen=True):
    """This machine's engine."""

    docker: Docker
    compose: ComposeEnvironments


async def _with(
    settings: Settings, say: Say, work: Callable[[_Here], Coroutine[Any, Any, Any]]
) -> Any:
    found = machines.engine(settings, say, note=False)
    if found is None:
        raise Unavailable("there is no Docker Engine", code="docker-unavailable")
    docker = Docker(found.host)
    try:
        return await work(_Here(docker, compose_environments(settings, docker)))
    finally:
        docker.close()


async def _up(here: _Here, wanted: Wanted, say: Say) -> list[str]:
    await here.compose.start(wanted, _lines(say))
    return await _addresses(here.docker, wanted)


async def _logs(here: _Here, wanted: Wanted, out: Say, *, follow: bool) -> None:
    if not await here.docker.containers(filters(wanted.labels)):
        raise NotFound(
            f"no environment of {wanted.tree} runs",
            code="environment-not-running",
            remedy="`fairway environment up` starts it",
        )
    await here.compose.follow(wanted, _lines(out), on=follow)


def _lines(say: Say) -> Callable[[bytes], Coroutine[Any, Any, None]]:
    async def log(data: bytes) -> None:
        for line in data.decode("utf-8", "replace").splitlines():
            say(line)

    return log


async def _addresses(docker: Docker, wanted: Wanted) -> list[str]:
    """`service: address` of every published port."""
    found: list[str] = []
    for one in await docker.containers(filters(wanted.labels)):
        service = one["Labels"].get("com.docker.compose.service", "")
        for port in one.get("Ports") or []:
            if port.get("PublicPort") and ":" not in str(port.get("IP", "")):
                host = "127.0.0.1" if port["IP"] in ("0.0.0.0", "") else port["IP"]  # noqa: S104
                found.append(f"{service}: {host}:{port['PublicPort']}")
    return sorted(set(found))


def _wanted(tried: Tried, *, exists: bool = True) -> Wanted:
    files = tuple(path.resolve() for path in tried.files) or _usual(Path.cwd())
    if exists:
        for path in files:
            if not path.is_file():
                raise InvalidInput(f"there is no file {path}", code="environment-file")
    limit = seconds(tried.timeout)
    if not limit:
        raise InvalidInput(
            f"'{tried.timeout}' is no time", code="bad-option", remedy="write it like 90s or 5m"
        )
    folder = files[0].parent
    short = hashlib.sha256(str(folder).encode()).hexdigest()[:6]
    project = project_name(tried.name or f"{folder.name}-{short}")
    login = json.dumps({"username": "fairway", "password": tried.token})
    return Wanted(
        key=f"by-hand-{project}",
        owner=_OWNER,
        project=project,
        tree=folder,
        workspace=folder,
        files=files,
        profiles=tried.profiles,
        env_files=tuple(path.resolve() for path in tried.env_files),
        services=tried.services,
        environment=local_environment(),
        images=tried.images,
        trusted=True,
        publish=True,
        deadline_s=limit,
        registry=tried.registry,
        auths={tried.registry: Secret(login)} if tried.registry else {},
    )


def _usual(folder: Path) -> tuple[Path, ...]:
    for name in USUAL:
        if (folder / name).is_file():
            return (folder / name,)
    raise InvalidInput(
        f"{folder} has none of {', '.join(USUAL)}",
        code="environment-file",
        remedy="name the file: --compose FILE",
    )
