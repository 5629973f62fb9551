"""The image a step really runs, and the credentials to fetch it. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput
from fairway.model.image import BuiltImage
from fairway.pipeline.dispatch import Lease
from fairway.pipeline.graph import PullPolicy, StageGraph, StepGraph

BUILD_USER: Final = "fairway-build"
_HUB: Final = ("https://index.docker.io/v1/", "index.docker.io", "registry-1.docker.io")


def names_of(image: str) -> list[str]:
    """The ways in which people write one image: with or without hub, `library/` and `:latest`."""
    bare = image
    for prefix in ("docker.io/", "index.docker.io/", "library/"):
        bare = bare.removeprefix(prefix)
    names = [image, bare]
    for name in (image, bare):
        last = name.rpartition("/")[2]
        if "@" in name:
            continue
        if ":" not in last:
            names.append(f"{name}:latest")
        else:
            names.append(name.removesuffix(":latest"))
    return list(dict.fromkeys(names))


def resolve(step: StepGraph, built: Mapping[str, str], registry: str) -> StepGraph:
    """The step with the image that an earlier step of the build made, by its digest."""
    for written in (step.image_written, step.image):
        for name in names_of(written) if written else []:
            if name in built and built[name].startswith("sha256:"):
                return msgspec.structs.replace(step, image=built[name], pull=PullPolicy.NEVER)
            if name in built:
                image = f"{registry}/{built[name]}"
                pull = PullPolicy.NEVER if step.pull is PullPolicy.NEVER else PullPolicy.DEFAULT
                return msgspec.structs.replace(step, image=image, pull=pull)
    return step


def remember(built: dict[str, str], images: tuple[BuiltImage, ...]) -> None:
    """Note what a step pushed to our registry or kept in the Engine, by the name it was given."""
    for image in images:
        if image.repository:
            built[image.name] = f"{image.repository}@{image.digest}"
        elif not image.registry:
            built[image.name] = image.digest


def auths(lease: Lease, graph: StageGraph) -> dict[str, Secret]:
    """Registry host -> Docker auth JSON: pull secrets, and our own registry.

    Raises `InvalidInput` (code `bad-pull-secret`) for a secret that is no Docker configuration.
    """
    found: dict[str, Secret] = {}
    for name in graph.pull_secrets:
        text = lease.secrets.get(name.lower())
        if text:
            found.update(_docker_config(name, text))
    if lease.registry and lease.registry_token:
        found[lease.registry] = _auth(BUILD_USER, lease.registry_token, lease.registry)
    return found


def _docker_config(name: str, text: str) -> dict[str, Secret]:
    try:
        config = json.loads(text)
        entries: dict[str, Any] = config.get("auths", config)
        return {_host(host): _entry(host, entry) for host, entry in entries.items()}
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        raise InvalidInput(
            f"the pull secret {name} is not a Docker configuration",
            code="bad-pull-secret",
            remedy='Store the content of ~/.docker/config.json: {"auths": {"HOST": {"auth": …}}}',
        ) from error


def _entry(host: str, entry: dict[str, Any]) -> Secret:
    if entry.get("auth"):
        try:
            pair = base64.b64decode(entry["auth"], validate=True).decode()
        except binascii.Error as error:
            raise ValueError("auth is not base64") from error
        user, colon, password = pair.partition(":")
        if not colon:
            raise ValueError("auth is not user:password")
        return _auth(user, password, host)
    if "identitytoken" in entry:
        return Secret(json.dumps({"identitytoken": entry["identitytoken"], "serveraddress": host}))
    return _auth(entry["username"], entry["password"], host)


def _host(address: str) -> str:
    if address in _HUB:
        return "docker.io"
    return address.removeprefix("https://").removeprefix("http://").partition("/")[0]


def _auth(user: str, password: str, host: str) -> Secret:
    return Secret(json.dumps({"username": user, "password": password, "serveraddress": host}))
