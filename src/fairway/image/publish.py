"""Names a built image, pushes it, annotates it, and tidies up after itself."""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from typing import Final

from fairway.docker.client import Docker, EngineRefused
from fairway.image.bases import auth_for
from fairway.image.sending import distrusts, send
from fairway.kit import clock
from fairway.kit.aio import shielded
from fairway.kit.secret import Secret
from fairway.model.errors import FairwayError, InvalidInput, Unavailable
from fairway.model.image import BuildRequest, BuiltImage, ImageName, Log, Target, parse_name
from fairway.oci.annotate import annotate

_HOLD: Final = "fairway-build"
_HELD_S: Final = 6 * 3600


async def publish(docker: Docker, request: BuildRequest, image: str, log: Log) -> list[BuiltImage]:
    """Push `image` under every target's name. Returns what was pushed, in the targets' order.

    Raises `InvalidInput` (`push-refused`), `Unavailable`.
    """
    built: list[BuiltImage] = []
    named: list[str] = []
    hold = f"{int(clock.seconds())}-{secrets.token_hex(8)}"  # keeps the layers meanwhile
    await docker.tag(image, _HOLD, hold)
    await _tidy(docker)
    try:
        for target in request.targets:
            name = parse_name(target.full)
            await docker.tag(image, name.repository, name.tag or "latest")
            named.append(f"{name.repository}:{name.tag or 'latest'}")
            digest = await _push_one(docker, request, name, log, ours=target.ours)
            built.append(_result(request, target, name, digest))
            await log(f"pushed {target.written} as {digest}\n".encode())
    finally:
        if request.purge:
            await shielded(_untag(docker, named))
        await shielded(_untag_hold(docker, request, built, hold))
    return built


async def keep(docker: Docker, request: BuildRequest, image: str, log: Log) -> list[BuiltImage]:
    """Name `image` in this Engine and push nothing: for runs without a system."""
    built: list[BuiltImage] = []
    for target in request.targets:
        name = parse_name(target.full)
        await docker.tag(image, name.repository, name.tag or "latest")
        words = f"{target.written} is kept in this Engine: there is no registry to push it to\n"
        await log(words.encode())
        built.append(
            BuiltImage(name=target.written, repository="", digest=image, target=request.target)
        )
    return built


async def _tidy(docker: Docker) -> None:
    """Take away what builds that were killed held: names that are hours old."""
    query = {"filters": json.dumps({"reference": [_HOLD]})}
    with suppress(FairwayError):
        found = await docker.call("GET", "/images/json", query=query)
        tags = [tag for image in found or [] for tag in image.get("RepoTags") or []]
        await _untag(docker, [tag for tag in tags if _is_old(tag, clock.seconds())])


def _is_old(tag: str, now: float) -> bool:
    """Whether a name of ours was given more than `_HELD_S` ago."""
    name, _, text = tag.partition(":")
    began = text.partition("-")[0]
    return name == _HOLD and began.isdigit() and now - int(began) > _HELD_S


async def _untag_hold(
    docker: Docker, request: BuildRequest, built: list[BuiltImage], hold: str
) -> None:
    """Leave the image under its digest in our registry, where later steps look for it."""
    names = {f"{request.registry}/{one.repository}@{one.digest}" for one in built if one.repository}
    for name in sorted(names):
        with suppress(FairwayError):
            async for _progress in docker.pull(name, auth=auth_for(request, request.registry)):
                pass
    await _untag(docker, [f"{_HOLD}:{hold}"])


def _result(request: BuildRequest, target: Target, name: ImageName, digest: str) -> BuiltImage:
    return BuiltImage(
        name=target.written,
        repository=name.path if target.ours else "",
        digest=digest,
        registry="" if target.ours else name.host,
        target=request.target,
    )


async def _push_one(
    docker: Docker, request: BuildRequest, name: ImageName, log: Log, *, ours: bool
) -> str:
    auth = auth_for(request, name.host)
    tag = name.tag or "latest"
    digest = ""
    try:
        async for message in docker.push(name.repository, tag, auth=auth):
            aux = message.get("aux")
            if isinstance(aux, dict):
                digest = str(aux.get("Digest", digest))
    except EngineRefused as refused:
        if not (request.insecure and distrusts(refused.message)):
            raise _refusal(name, refused) from refused
        digest = await send(docker, f"{name.repository}:{tag}", name, auth=auth)
    if not digest:
        raise Unavailable(f"the push of {name} ended without a digest", code="push-cut")
    return await _annotated(request, name, log, pushed=digest, auth=auth, ours=ours)


def _refusal(name: ImageName, refused: EngineRefused) -> InvalidInput:
    remedy = "look at the registry's rights and at the step's user name and password"
    if distrusts(refused.message):
        remedy = "the step's setting `insecure: true` allows plain HTTP and unknown certificates"
    return InvalidInput(
        f"{name} was not pushed: {refused.message}", code="push-refused", remedy=remedy
    )


async def _annotated(
    request: BuildRequest,
    name: ImageName,
    log: Log,
    *,
    pushed: str,
    auth: Secret | None,
    ours: bool,
) -> str:
    facts = request.facts.labels()
    if not facts:
        return pushed
    try:
        digest = await annotate(
            name.host,
            name.path,
            name.tag or "latest",
            facts,
            auth=auth,
            insecure=request.insecure or ours,
        )
    except FairwayError as error:
        if ours:
            raise
        await log(f"{name} has its labels but no annotations: {error.message}\n".encode())
        return pushed
    return digest


async def _untag(docker: Docker, names: list[str]) -> None:
    for name in names:
        with suppress(FairwayError):
            await docker.remove_image(name)
