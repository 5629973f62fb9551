"""`fairway environment` with manifests or a chart: a namespace that a person starts and ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, field

from fairway.boot import machines
from fairway.boot.environments import provider, toolbox
from fairway.docker.client import Docker
from fairway.kit.aio import blocking
from fairway.kit.secret import Secret
from fairway.kube import Connection, from_kubeconfig
from fairway.model.errors import InvalidInput, Unavailable
from fairway.pipeline.environments.charts import Charts
from fairway.pipeline.environments.model import project_name
from fairway.pipeline.environments.namespace import Asked, NamespaceEnvironments
from fairway.pipeline.environments.objects_judge import Found
from fairway.pipeline.environments.rendered import read
from fairway.pipeline.environments.wanted import seconds
from fairway.settings import Settings

_OWNER: Final = "by-hand"
_KUSTOMIZATIONS: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")

Say = Callable[[str], None]


class TriedObjects(Struct, frozen=True, kw_only=True):
    """What is asked for by hand. `kubeconfig`: the person's own way into the cluster."""

    path: Path
    kubeconfig: Mapping[str, Any]
    is_chart: bool = False
    name: str = ""
    values: tuple[Path, ...] = ()
    set_values: tuple[str, ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    timeout: str = "5m"
    registry: str = ""
    token: str = ""

    @property
    def namespace(self) -> str:
        """Its namespace, by its name or its folder's."""
        return project_name(f"try-{self.name or self.path.resolve().name}")[:63]


def up(tried: TriedObjects, settings: Settings, say: Say) -> str:
    """Start it. Returns its namespace. Blocks. Raises as `NamespaceEnvironments.start`."""
    asyncio.run(_up(tried, settings, say))
    return tried.namespace


def down(tried: TriedObjects) -> None:
    """Remove its namespace. Blocks."""
    asyncio.run(_environments(tried, None).remove(_OWNER, tried.namespace))


def logs(tried: TriedObjects, out: Say, *, follow: bool) -> None:
    """Print its pods' logs. Blocks."""
    work = _environments(tried, None).follow(tried.namespace, _lines(out), on=follow)
    asyncio.run(work)


def _environments(tried: TriedObjects, found: Any) -> NamespaceEnvironments:
    async def reach() -> Connection:
        return from_kubeconfig(dict(tried.kubeconfig))

    return NamespaceEnvironments(reach, found, owner=_OWNER)


async def _up(tried: TriedObjects, settings: Settings, say: Say) -> None:
    limit = seconds(tried.timeout)
    if not limit:
        raise InvalidInput(
            f"'{tried.timeout}' is no time", code="bad-option", remedy="write it like 90s or 5m"
        )
    login = json.dumps({"username": "fairway", "password": tried.token})
    asked = Asked(
        key=tried.namespace,
        owner=_OWNER,
        name=tried.namespace,
        trusted=True,
        images=tried.images,
        deadline_s=limit,
        registry=tried.registry,
        auths={tried.registry: Secret(login)} if tried.registry else {},
    )
    objects = await _objects(tried, settings)
    docker = _docker(settings, say)
    try:
        images = provider(settings, docker) if docker is not None else None
        await _environments(tried, images).start(asked, objects, _lines(say))
    finally:
        if docker is not None:
            docker.close()


def _docker(settings: Settings, say: Say) -> Docker | None:
    """The engine, which asks registries; without one names are taken as they are."""
    try:
        found = machines.engine(settings, say, note=False)
    except Unavailable:
        return None
    return Docker(found.host) if found is not None else None


async def _objects(tried: TriedObjects, settings: Settings) -> list[Found]:
    charts, path = Charts(toolbox(settings)), await blocking(tried.path.resolve)
    root = await blocking(_root, path)
    if tried.is_chart:
        return await charts.chart(
            root,
            str(path.relative_to(root)),
            namespace=tried.namespace,
            value_files=tuple(str(file.resolve().relative_to(root)) for file in tried.values),
            values=tried.set_values,
        )
    if await blocking(_is_kustomization, path):
        return await charts.kustomization(root, str(path.relative_to(root)))
    return await blocking(read, path, root=root, confined=False)


def _root(path: Path) -> Path:
    """The repository around a path, or the folder above it: a kustomization may lead there."""
    return next((each for each in path.parents if (each / ".git").exists()), path.parent)


def _is_kustomization(path: Path) -> bool:
    return any((path / name).is_file() for name in _KUSTOMIZATIONS)


def _lines(say: Say) -> Callable[[bytes], Coroutine[Any, Any, None]]:
    async def log(data: bytes) -> None:
        for line in data.decode("utf-8", "replace").splitlines():
            say(line)

    return log
