"""Builds images from Dockerfiles with the engine's BuildKit, or the classic builder without it.

What leaves the host for the engine is the context folder and nothing else. Base images are fetched
beforehand with the build's own credentials, because the engine's BuildKit has none without a
session; names that mean something else here are replaced in a copy of the Dockerfile. That copy
takes the Dockerfile's place in the context: a `COPY . .` copies it.

The host's certificates reach `RUN` as a file that is mounted at `/dev`, which is a tmpfs in every
container, so no trace of them is in the image; proxies reach it as the predefined build arguments.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import tarfile
from collections.abc import AsyncIterator
from typing import Final

from msgspec import Struct

from fairway.docker.build import BuildApi
from fairway.docker.client import Docker, EngineRefused, Json
from fairway.docker.progress import Progress
from fairway.image.bases import Bases
from fairway.image.context import Context, Tar, inside, read_inside
from fairway.image.dockerfile import Dockerfile
from fairway.image.ignore import Ignore
from fairway.image.publish import keep, publish
from fairway.kit.aio import blocking
from fairway.model.errors import FairwayError, InvalidInput
from fairway.model.image import BuildRequest, BuiltImage, Log

_DOCKERFILE_LIMIT: Final = 4 * 1024 * 1024
_OUR_DOCKERFILE: Final = ".fairway.Dockerfile"
_CA_PATH: Final = "/dev/fairway-ca.crt"
_CA_VARIABLES: Final = (
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
)


class _Plan(Struct, frozen=True):
    """What is asked of the engine."""

    context: Context
    dockerfile: str  # its path in the tar


class Builder:
    """`ImageBuilder` on one Docker Engine. Any number of builds at once."""

    def __init__(self, docker: Docker) -> None:
        self._docker = docker
        self._api = BuildApi(docker)

    async def build(self, request: BuildRequest, log: Log) -> list[BuiltImage]:
        """Build, name and push: see `ImageBuilder`."""
        buildkit = await self._api.has_buildkit()
        try:
            image = await self._run(request, log, buildkit=buildkit)
        except _NoBuildKit:
            image = await self._run(request, log, buildkit=False)
        if request.dry_run:
            await log(f"built {image}; a dry run: nothing is pushed\n".encode())
            return []
        how = keep if request.keep else publish
        return await how(self._docker, request, image, log)

    async def _plan(self, request: BuildRequest, log: Log, *, buildkit: bool) -> _Plan:
        folder = await blocking(_folder, request)
        path, text = await blocking(_read_dockerfile, request, folder)
        parsed = Dockerfile(text, path=path, build_args=request.build_args)
        uses = parsed.images(request.target)
        bases = Bases(self._docker, request, log, where=path)
        names = await bases.provide(uses)
        certificates = await self._certificates(request) if buildkit else ""
        if parsed.syntax:
            words = f"# syntax={parsed.syntax} is left out: the engine's own frontend is used\n"
            await log(words.encode())
        changed = parsed.rewritten(
            names,
            run_flags=certificates,
            arguments=[f"{name}={_CA_PATH}" for name in _CA_VARIABLES] if certificates else (),
            keep_syntax=False,
        )
        ignore = await blocking(_read_ignore, request, folder, path)
        return _arranged(request, folder, path, changed=changed, ignore=ignore)

    async def _certificates(self, request: BuildRequest) -> str:
        """The flag for `RUN` that mounts the host's certificates; "" where there are none."""
        if request.ca_bundle is None:
            return ""
        data = await blocking(request.ca_bundle.read_bytes)
        name = f"fairway-ca:{hashlib.sha256(data).hexdigest()[:16]}"
        if await self._docker.image(name) is None:
            repository, _, tag = name.partition(":")
            await self._api.import_tar(repository, tag, _one_file("ca.crt", data))
        return f"--mount=type=bind,from={name},source=/ca.crt,target={_CA_PATH}"

    async def _run(self, request: BuildRequest, log: Log, *, buildkit: bool) -> str:
        plan = await self._plan(request, log, buildkit=buildkit)
        tar = Tar(plan.context)
        listener = _Listener(log)
        query = _query(request, plan.dockerfile)
        try:
            if buildkit:
                await self._api.build(secrets.token_hex(16), query, aiter(tar), listener.take)
            else:
                await log(b"without BuildKit: the classic builder is used\n")
                await self._api.build_classic(
                    query, aiter(tar), listener.take, auths=dict(request.auths)
                )
        except EngineRefused as refused:
            if buildkit and not listener.heard and tar.error is None:
                raise _NoBuildKit from refused
            raise tar.error or _failed(refused.message) from refused
        except FairwayError as error:
            if tar.error is not None and tar.error is not error:
                raise tar.error from error
            raise
        if listener.error:
            raise tar.error or _failed(listener.error)
        if not listener.image:
            raise InvalidInput("the engine named no image", code="build-failed")
        return listener.image


class _NoBuildKit(Exception):
    """The engine refused the call before it said anything: it may have no BuildKit after all."""


class _Listener:
    """Turns the engine's messages into log lines, an image and an error."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._progress = Progress()
        self.image = ""
        self.error = ""
        self.heard = False

    async def take(self, message: Json) -> None:
        self.heard = True
        if "error" in message:
            detail = message.get("errorDetail") or {}
            self.error = str(detail.get("message") or message["error"])
        aux = message.get("aux")
        if message.get("id") == "moby.buildkit.trace":
            lines = self._progress.take(str(aux))
            if lines:
                await self._log(lines)
        elif isinstance(aux, dict) and "ID" in aux:
            self.image = str(aux["ID"])
        elif "stream" in message:
            await self._log(str(message["stream"]).encode())


def _failed(message: str) -> InvalidInput:
    return InvalidInput(f"the image was not built: {message.strip()}", code="build-failed")


def _folder(request: BuildRequest) -> str:
    folder = inside(request.root, request.context or ".")
    if not (request.root / folder).is_dir():
        raise InvalidInput(
            f"the build context {request.context!r} is not a folder of the repository",
            code="context-not-found",
        )
    return folder


def _read_dockerfile(request: BuildRequest, folder: str) -> tuple[str, str]:
    """(path below the workspace, text). As Docker, relative to the workspace; else the context."""
    tried = [request.dockerfile or "Dockerfile"]
    if folder not in ("", "."):
        tried.append(f"{folder}/{tried[0]}")
    for path in tried:
        try:
            data = read_inside(request.root, path, _DOCKERFILE_LIMIT)
        except (FileNotFoundError, NotADirectoryError):
            continue
        return inside(request.root, path), data.decode("utf-8", "surrogateescape")
    raise InvalidInput(
        f"there is no Dockerfile at {' or '.join(repr(path) for path in tried)}",
        code="dockerfile-not-found",
        remedy="name it with the setting `dockerfile`, relative to the repository",
    )


def _read_ignore(request: BuildRequest, folder: str, dockerfile: str) -> Ignore:
    for path in (f"{dockerfile}.dockerignore", f"{folder}/.dockerignore"):
        try:
            data = read_inside(request.root, path, _DOCKERFILE_LIMIT)
        except (FileNotFoundError, NotADirectoryError):
            continue
        return Ignore(data.decode("utf-8", "replace").splitlines())
    return Ignore(())


def _arranged(
    request: BuildRequest, folder: str, path: str, *, changed: str, ignore: Ignore
) -> _Plan:
    """The Dockerfile as it is used, at its own place where that is in the context and sent."""
    top = "" if folder in ("", ".") else f"{folder}/"
    within = path[len(top) :] if path.startswith(top) else ""
    at = within if within and not ignore.leaves_out(within) else _OUR_DOCKERFILE
    data = changed.encode("utf-8", "surrogateescape")
    context = Context(root=request.root, folder=folder, ignore=ignore, extra={at: data})
    return _Plan(context, at)


def _query(request: BuildRequest, dockerfile: str) -> dict[str, str | int | bool | None]:
    arguments = dict(request.proxies)
    if request.cache_from:
        arguments["BUILDKIT_INLINE_CACHE"] = "1"
    arguments.update(request.build_args)
    labels = {**request.facts.labels(), **request.labels}
    return {
        "dockerfile": dockerfile,
        "target": request.target or None,
        "buildargs": json.dumps(arguments, sort_keys=True),
        "labels": json.dumps(labels, sort_keys=True),
        "nocache": True if request.no_cache else None,
        "squash": True if request.squash else None,
        "networkmode": request.network or None,
        "platform": request.platform or None,
        "extrahosts": ",".join(request.add_hosts) or None,
        "cachefrom": json.dumps(list(request.cache_from)) if request.cache_from else None,
        "rm": True,
        "forcerm": True,
    }


async def _one_file(name: str, data: bytes) -> AsyncIterator[bytes]:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o644
    yield entry.tobuf(tarfile.GNU_FORMAT)
    yield data + bytes(-len(data) % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)
