"""Removing environments from an engine, by their labels: nothing else is ever touched."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, Final

from fairway.docker.client import Docker, EngineRefused
from fairway.docker.http import unavailable
from fairway.model.errors import Unavailable
from fairway.pipeline.engines.spec import LABEL_OWNER, LABEL_STAGE

LABEL_ENVIRONMENT: Final = "fairway.environment"
_DEADLINE_S: Final = 120.0
Json = dict[str, Any]


def labels(owner: str, key: str, project: str) -> dict[str, str]:
    """What marks everything of one environment."""
    return {LABEL_OWNER: owner, LABEL_STAGE: key, LABEL_ENVIRONMENT: project}


def filters(marks: Mapping[str, str]) -> list[str]:
    """The same as the engine's filters take it."""
    return [f"{name}={value}" for name, value in marks.items()]


async def remove(docker: Docker, marks: Mapping[str, str]) -> int:
    """Remove containers, networks, volumes and images with these labels; returns how many.

    Raises `Unavailable` when that takes too long: it may be called again.
    """
    try:
        async with asyncio.timeout(_DEADLINE_S):
            return await _remove(docker, marks)
    except TimeoutError as error:
        raise unavailable(docker.address, "the environment is not removed yet") from error


async def _remove(docker: Docker, marks: Mapping[str, str]) -> int:
    wanted = filters(marks)
    containers = _marked(await docker.containers(wanted), marks)
    async with asyncio.TaskGroup() as group:
        for container in containers:
            group.create_task(docker.remove(str(container["Id"])))
    networks = _marked(await docker.networks(wanted), marks)
    for network in networks:
        with contextlib.suppress(EngineRefused):  # foreign endpoints: the next sweep tries
            await docker.remove_network(str(network["Id"]))
    volumes = _marked(await docker.volumes(wanted), marks)
    for volume in volumes:
        with contextlib.suppress(EngineRefused):
            await docker.remove_volume(str(volume["Name"]))
    images = await remove_images(docker, marks)
    return len(containers) + len(networks) + len(volumes) + images


async def remove_images(docker: Docker, marks: Mapping[str, str]) -> int:
    """Remove the images that were made for environments with these labels."""
    found = _marked(await docker.images(filters(marks)), marks)
    for image in found:
        with contextlib.suppress(EngineRefused, Unavailable):  # in use by others: they remove it
            await docker.remove_image(str(image["Id"]), force=True)
    return len(found)


def _marked(things: list[Json], marks: Mapping[str, str]) -> list[Json]:
    """A second look at the labels: an engine that ignored the filter must not cost foreign data."""
    return [one for one in things if marks.items() <= (one.get("Labels") or {}).items()]
