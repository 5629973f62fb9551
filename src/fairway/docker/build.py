"""The Engine API's calls that make images: build with BuildKit or without, import of a tar.

BuildKit needs no session for what we use: one call names a build and asks for `upload-request`,
a second one brings the tar. Without BuildKit the tar is the body of the one classic call.
"""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from fairway.docker.client import Docker, EngineRefused, Json, json_lines, registry_auth
from fairway.kit.aio import shielded
from fairway.kit.secret import Secret
from fairway.model.errors import Unavailable

Take = Callable[[Json], Awaitable[None]]
Query = Mapping[str, str | int | bool | None]

_CANCEL_S: Final = 10.0
_TAR: Final = {"Content-Type": "application/x-tar"}


class BuildApi:
    """Image-making calls of one Docker Engine.

    Every method raises `Unavailable` (code `engine-unavailable`) when the engine does not answer,
    and `EngineRefused` when it says no before it begins; later errors come as messages.
    """

    def __init__(self, docker: Docker) -> None:
        self._docker = docker

    async def has_buildkit(self) -> bool:
        """Whether the engine can be asked to build with BuildKit.

        Engines have it from 19.03 (API 1.40) on, whatever builder they prefer themselves.
        """
        found = await self._docker.version()
        names = {str(part.get("Name", "")) for part in found.get("Components") or []}
        major, _, minor = str(found.get("ApiVersion", "1.0")).partition(".")
        return (int(major), int(minor)) >= (1, 40) and not any("Podman" in name for name in names)

    async def build(
        self, build_id: str, query: Query, context: AsyncIterator[bytes], take: Take
    ) -> None:
        """Build with BuildKit; every message goes to `take`. Cancelling it ends the build."""
        asked = {**query, "version": "2", "remote": "upload-request", "buildid": build_id}
        try:
            await self._build_and_upload(asked, build_id, context, take)
        except BaseException as error:
            await shielded(self._cancel(build_id))
            if isinstance(error, BaseExceptionGroup):
                raise _first(error) from None
            raise

    async def _build_and_upload(
        self, query: Query, build_id: str, context: AsyncIterator[bytes], take: Take
    ) -> None:
        async with asyncio.TaskGroup() as group:
            upload = group.create_task(self._upload(build_id, context), name="upload")
            try:
                await self._stream("/build", query, take)
            finally:
                upload.cancel()

    async def _upload(self, build_id: str, context: AsyncIterator[bytes]) -> None:
        query = {"version": "2", "remote": "upload-request"}
        query["buildid"] = f"upload-request:{build_id}"
        with suppress(EngineRefused):  # the build itself says why it ended before it was read
            async with self._docker.stream(
                "POST", "/build", query=query, body=context, headers=_TAR
            ) as answer:
                await answer.read()

    async def _cancel(self, build_id: str) -> None:
        with suppress(EngineRefused, Unavailable, TimeoutError):
            async with asyncio.timeout(_CANCEL_S):
                await self._docker.call("POST", "/build/cancel", query={"id": build_id})

    async def build_classic(
        self,
        query: Query,
        context: AsyncIterator[bytes],
        take: Take,
        *,
        auths: Mapping[str, Secret],
    ) -> None:
        """Build with the classic builder; closing the connection ends it."""
        config = {host: json.loads(auth.reveal()) for host, auth in auths.items()}
        encoded = urlsafe_b64encode(json.dumps(config).encode()).decode()
        headers = {**_TAR, "X-Registry-Config": encoded}
        await self._stream("/build", query, take, body=context, headers=headers)

    async def import_tar(
        self, repository: str, tag: str, data: AsyncIterator[bytes], *, changes: str = ""
    ) -> str:
        """Make an image of one layer, a tar; `changes` are Dockerfile lines. Returns its id."""
        query = {"fromSrc": "-", "repo": repository, "tag": tag, "changes": changes or None}
        made = ""

        async def take(message: Json) -> None:
            nonlocal made
            if "error" in message:
                raise EngineRefused(str(message["error"]), answer=500)
            made = str(message.get("status", made))

        await self._stream("/images/create", query, take, body=data, headers=_TAR)
        return made

    async def remote_digest(self, name: str, auth: Secret | None) -> str | None:
        """The digest that a registry has under a name, asked by the engine.

        None when it has not, does not answer, or does not let us in.
        """
        headers = {"X-Registry-Auth": registry_auth(auth)}
        try:
            found = await self._docker.call("GET", f"/distribution/{name}/json", headers=headers)
        except EngineRefused:
            return None
        return str(found["Descriptor"]["digest"])

    async def _stream(
        self,
        path: str,
        query: Query,
        take: Take,
        *,
        body: AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        async with self._docker.stream(
            "POST", path, query=query, body=body, headers=headers
        ) as answer:
            async for message in json_lines(answer):
                await take(message)


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
