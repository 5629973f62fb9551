"""Having the images of an environment's services in the engine: this build's, made, or fetched."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from msgspec import Struct, field

from fairway.docker.build import BuildApi
from fairway.docker.client import Docker, EngineRefused
from fairway.kit.aio import together
from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput
from fairway.model.image import (
    BuildRequest,
    ImageBuilder,
    Log,
    Rewrite,
    Target,
    parse_name,
    rewrite,
)
from fairway.pipeline.engines.images import registry_host
from fairway.pipeline.environments.images import Choice, Source, choose
from fairway.pipeline.environments.wanted import Wanted

MADE: Final = "fairway-environment"
"""The repository under which made images are kept in the engine; the tag tells project, service."""
_SUPPORTED: Final = frozenset(
    ("context", "dockerfile", "args", "target", "labels", "cache_from", "no_cache", "pull",
     "network", "platforms", "extra_hosts", "tags", "provenance", "sbom")
)  # fmt: skip
_FETCHES: Final = 4  # at once
Json = Mapping[str, Any]


class Rules(Struct, frozen=True, kw_only=True):
    """What the operator adds to every image."""

    rewrites: tuple[Rewrite, ...] = ()
    proxies: Mapping[str, str] = field(default_factory=dict)
    ca_bundle: Path | None = None


class Sight(Protocol):
    """What a build sees of registries."""

    @property
    def registry(self) -> str:
        """Our registry's host:port, "" for none."""
        ...

    @property
    def auths(self) -> Mapping[str, Secret]:
        """Host -> Docker auth JSON."""
        ...


class Provider:
    """Provides images through one engine."""

    def __init__(self, docker: Docker, builder: ImageBuilder, rules: Rules) -> None:
        self._docker = docker
        self._api = BuildApi(docker)
        self._builder = builder
        self._rules = rules

    async def provide(self, wanted: Wanted, services: Json, log: Log) -> dict[str, str]:
        """The image of each service, there in the engine.

        Raises `InvalidInput` (`environment-image`, and the builder's) with the service's path.
        """
        choices = choose(services, wanted.built, wanted.images)
        found: dict[str, str] = {}
        for name, choice in choices.items():
            if choice.source is Source.MAKE:
                found[name] = await self._make(wanted, name, services[name]["build"], log=log)
            else:
                found[name] = await self.meaning(wanted, choice)
                if found[name] != choice.image or choice.source is Source.BUILT:
                    words = f"[fairway] {name} runs {choice.written or choice.image}: {found[name]}"
                    await log(f"{words}\n".encode())
        await self._have_all(wanted, services, choices, found)
        return found

    # ---- names -----------------------------------------------------------------------------------

    async def meaning(self, wanted: Sight, choice: Choice) -> str:
        """What a name is here: as for steps and Dockerfiles."""
        if choice.source is Source.BUILT:
            own = choice.image.startswith("sha256:") or not wanted.registry
            return choice.image if own else f"{wanted.registry}/{choice.image}"
        name = rewrite(choice.image, self._rules.rewrites, registry=wanted.registry)
        parts = parse_name(name)
        if parts.digest or not wanted.registry or parts.host not in ("", wanted.registry):
            return name
        path = parts.path if "/" in parts.path or parts.host else f"library/{parts.path}"
        ours = f"{wanted.registry}/{path}"
        auth = wanted.auths.get(wanted.registry)
        digest = await self._api.remote_digest(f"{ours}:{parts.reference}", auth)
        return f"{ours}@{digest}" if digest else name

    # ---- fetching --------------------------------------------------------------------------------

    async def _have_all(
        self,
        wanted: Wanted,
        services: Json,
        choices: Mapping[str, Choice],
        found: Mapping[str, str],
    ) -> None:
        gate = asyncio.Semaphore(_FETCHES)

        async def have(image: str, name: str, policy: str) -> None:
            async with gate:
                await self._have(wanted, image, name, policy)

        first = {found[name]: name for name in reversed([*found])
                 if choices[name].source is not Source.MAKE}  # fmt: skip
        async with together() as group:
            for image, name in first.items():
                policy = str(services[name].get("pull_policy") or "")
                group.create_task(have(image, name, policy))

    async def _have(self, wanted: Wanted, image: str, name: str, policy: str) -> None:
        here = await self._docker.image(image) is not None
        pinned = "@" in image or image.startswith("sha256:")
        if here and (pinned or policy != "always"):
            return
        if policy == "never" or image.startswith("sha256:"):
            raise _missing(name, image, "it is not in the engine, and shall not be fetched")
        try:
            async for _progress in self._docker.pull(image, auth=_auth(wanted, image)):
                pass
        except EngineRefused as refused:
            raise _missing(name, image, refused.message) from refused

    # ---- making ----------------------------------------------------------------------------------

    async def _make(self, wanted: Wanted, name: str, build: Json, *, log: Log) -> str:
        await log(f"[fairway] {name} is built, as the file says\n".encode())
        built = await self._builder.build(self._request(wanted, name, build), log)
        return built[0].digest

    def _request(self, wanted: Wanted, name: str, build: Json) -> BuildRequest:
        odd = [key for key, value in build.items() if value and key not in _SUPPORTED]
        if odd:
            raise InvalidInput(
                f"services.{name}.build.{odd[0]}: Fairway does not build with that",
                code="environment-image",
                remedy="Build the image in a step before, with plugins/docker.",
            )
        context = Path(str(build.get("context") or "."))
        root = wanted.tree if context.is_relative_to(wanted.tree) else context
        folder = context.relative_to(root)
        tag = f"{wanted.project}-{name}"
        return BuildRequest(
            key=tag,
            root=root,
            context=str(folder),
            dockerfile=str(folder / str(build.get("dockerfile") or "Dockerfile")),
            target=str(build.get("target") or ""),
            build_args=_arguments(build.get("args") or {}, wanted.environment),
            labels={**(build.get("labels") or {}), **wanted.labels},
            targets=(Target(written=name, full=f"{MADE}:{tag}", ours=False),),
            auths=wanted.auths,
            cache_from=tuple(build.get("cache_from") or ()),
            pull=bool(build.get("pull")),
            no_cache=bool(build.get("no_cache")),
            keep=True,
            network=str(build.get("network") or ""),
            platform=next(iter(build.get("platforms") or ()), ""),
            add_hosts=_hosts(build.get("extra_hosts")),
            registry=wanted.registry,
            built=wanted.built,
            rewrites=self._rules.rewrites,
            proxies=self._rules.proxies,
            ca_bundle=self._rules.ca_bundle,
        )


def _arguments(args: Mapping[str, str | None], environment: Mapping[str, str]) -> dict[str, str]:
    """An argument without a value takes the variable's, and is left out without one."""
    found = {key: environment.get(key) if value is None else value for key, value in args.items()}
    return {key: value for key, value in found.items() if value is not None}


def _hosts(hosts: object) -> tuple[str, ...]:
    """`extra_hosts` as lists or a map of lists."""
    if isinstance(hosts, Mapping):
        return tuple(f"{name}:{address}" for name, every in hosts.items()
                     for address in (every if isinstance(every, list) else [every]))  # fmt: skip
    return (
        tuple(str(host).replace("=", ":", 1) for host in hosts) if isinstance(hosts, list) else ()
    )


def _auth(wanted: Wanted, image: str) -> Secret | None:
    return wanted.auths.get(registry_host(image))


def _missing(service: str, image: str, why: str) -> InvalidInput:
    return InvalidInput(
        f"services.{service}.image: {image or 'no image'} cannot be had: {why}",
        code="environment-image",
        remedy="See the image's name and tag, and `image_pull_secrets` if it is private.",
    )
