"""Fetching the images of steps, by their policy."""

from __future__ import annotations

import asyncio
import re
from typing import Final

from fairway.docker.client import Docker, EngineRefused
from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput, Unavailable
from fairway.pipeline.engine import Place
from fairway.pipeline.graph import PullPolicy, StepGraph

_AGAIN_S: Final = 60.0  # after a refresh of `:latest`, done or failed, the next one
_NO_ACCESS: Final = re.compile(
    r"not found|does not exist|denied|unauthorized|manifest unknown|no basic auth|invalid|unknown",
    re.IGNORECASE,
)


class Images:
    """What was fetched lately. `:latest` is fetched again at most once a minute by default."""

    def __init__(self, docker: Docker) -> None:
        self._docker = docker
        self._tried: dict[str, float] = {}  # image -> loop time of the last default refresh

    async def refresh(self, place: Place, step: StepGraph) -> None:
        """Fetch where the policy asks for it before the container is made.

        `default` (Drone's: only `:latest`) keeps the local image when its registry cannot give it.
        """
        if step.pull is PullPolicy.ALWAYS:
            await self._pull(place, step)
        elif step.pull is PullPolicy.DEFAULT and is_latest(step.image):
            await self._refresh_latest(place, step)

    async def _refresh_latest(self, place: Place, step: StepGraph) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._tried.get(step.image, -_AGAIN_S) < _AGAIN_S:
            return
        try:
            await self._pull(place, step)
        except (InvalidInput, Unavailable):
            if await self._docker.image(step.image) is None:
                raise
        self._tried[step.image] = now

    async def fetch(self, place: Place, step: StepGraph) -> None:
        """Fetch an image that the engine lacks. Raises `InvalidInput` when that cannot be."""
        if step.pull is PullPolicy.NEVER:
            raise InvalidInput(
                f"step {step.name}: there is no image {step.image} here, and `pull: never`",
                code="image-not-found",
                remedy="Load the image into the runner's engine, or change the pull policy.",
            )
        await self._pull(place, step)

    async def _pull(self, place: Place, step: StepGraph) -> None:
        try:
            async for _message in self._docker.pull(step.image, auth=auth_for(place, step.image)):
                pass
        except EngineRefused as error:
            raise _pull_error(step, error) from error


def _pull_error(step: StepGraph, error: EngineRefused) -> InvalidInput | Unavailable:
    said = f"step {step.name}: image {step.image} cannot be fetched: {error.message}"
    if _NO_ACCESS.search(error.message) or error.answer in (400, 403, 404):
        return InvalidInput(
            said,
            code="image-not-found",
            remedy="See the image's name and tag, and `image_pull_secrets` if it is private.",
        )
    return InvalidInput(
        said, code="image-refused", remedy="See whether its registry can be reached, and retry."
    )


def is_latest(image: str) -> bool:
    """Whether an image is named by the tag `latest`, or by none."""
    if "@" in image:
        return False
    tag = image.rpartition("/")[2].partition(":")[2]
    return tag in ("", "latest")


def registry_host(image: str) -> str:
    """The host of an image's registry; `docker.io` where none is named."""
    head, slash, _rest = image.partition("/")
    if slash and ("." in head or ":" in head or head == "localhost"):
        return "docker.io" if head == "index.docker.io" else head
    return "docker.io"


def auth_for(place: Place, image: str) -> Secret | None:
    """The credentials for an image's registry."""
    return place.auths.get(registry_host(image))
