"""Which images a Dockerfile's names mean here, and having them in the engine before it builds.

In this order: images that earlier steps of the build pushed; the operator's table; our own
registry; a mirror; the name as it is. What comes from our registry is pinned by digest.
"""

from __future__ import annotations

from fairway.docker.build import BuildApi
from fairway.docker.client import Docker, EngineRefused
from fairway.image.dockerfile import ImageUse
from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput
from fairway.model.image import BuildRequest, ImageName, Log, parse_name, rewrite

_HUB_HOSTS = ("https://index.docker.io/v1/", "docker.io", "index.docker.io")


def auth_for(request: BuildRequest, host: str) -> Secret | None:
    """The credentials for a registry, "" being the public hub."""
    hosts = (host,) if host else _HUB_HOSTS
    return next((request.auths[name] for name in hosts if name in request.auths), None)


class Bases:
    """Base images of one build."""

    def __init__(self, docker: Docker, request: BuildRequest, log: Log, *, where: str) -> None:
        self._docker = docker
        self._api = BuildApi(docker)
        self._request = request
        self._log = log
        self._where = where

    async def provide(self, uses: list[ImageUse]) -> dict[str, str]:
        """Have every image in the engine. Returns those whose name has to change.

        Raises `InvalidInput` (`base-image-not-found`) with the Dockerfile's line.
        """
        changed: dict[str, str] = {}
        for use in uses:
            name = await self._meaning(use.name)
            await self._have(name, use)
            if name != use.name:
                changed[use.name] = name
                await self._say(f"{use.name} is {name}")
        return changed

    async def _say(self, text: str) -> None:
        await self._log(f"{text}\n".encode())

    async def _meaning(self, name: str) -> str:
        request = self._request
        parts = parse_name(name)
        for written in (name, str(parts), f"{parts.repository}:{parts.reference}"):
            if written in request.built and request.registry:
                return f"{request.registry}/{request.built[written]}"
        name = rewrite(name, request.rewrites, registry=request.registry)
        parts = parse_name(name)
        if parts.digest:
            return name
        if request.registry and parts.host in ("", request.registry):
            found = await self._pinned(request.registry, parts)
            if found:
                return found
        if request.mirror and not parts.host:
            host = request.mirror.split("://")[-1].rstrip("/")
            found = await self._pinned(host, parts)
            if not found:
                await self._say(f"the mirror {host} does not give the Engine {name}")
            return found or name
        return name

    async def _pinned(self, host: str, parts: ImageName) -> str:
        path = parts.path if "/" in parts.path or parts.host else f"library/{parts.path}"
        asked = f"{host}/{path}:{parts.reference}"
        digest = await self._api.remote_digest(asked, auth_for(self._request, host))
        return f"{host}/{path}@{digest}" if digest else ""

    async def _have(self, name: str, use: ImageUse) -> None:
        here = await self._docker.image(name) is not None
        if here and ("@" in name or not self._request.pull):
            return
        try:
            auth = auth_for(self._request, parse_name(name).host)
            async for _progress in self._docker.pull(name, auth=auth):
                pass
        except EngineRefused as refused:
            if not here:
                raise self._missing(name, use, refused) from refused
            await self._say(f"{name} cannot be fetched again, so the engine's own is used")

    def _missing(self, name: str, use: ImageUse, refused: EngineRefused) -> InvalidInput:
        meant = f" (here {name})" if name != use.name else ""
        return InvalidInput(
            f"the image {use.name}{meant} cannot be had: {refused.message}",
            code="base-image-not-found",
            where=f"{self._where}:{use.line}",
            remedy="make it with `fairway image base`, push it to Fairway's registry, or have the "
            "operator map the name to another image",
        )
