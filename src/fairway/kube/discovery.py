"""Which kinds a server has, asked once and asked again when it matters.

Aggregated discovery (`apidiscovery.k8s.io`): two small requests, answered 304 when nothing changed.
A kind that is not known is looked up anew; a CRD that comes or goes makes what is known old.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from fairway.kube.caller import Caller
from fairway.kube.errors import KubeNotFound, unavailable
from fairway.kube.kind import Json, Kind

_ACCEPT: Final = ",".join(
    f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
    for version in ("v2", "v2beta1")
)
_FRESH_S: Final = 300.0
_MISS_S: Final = 0.5  # between two lookups of kinds that are not there
Name = tuple[str, str]


class Served(Struct, frozen=True):
    """A kind that the server has, and what it may be asked."""

    kind: Kind
    verbs: frozenset[str]
    subresources: frozenset[str]
    short_names: tuple[str, ...] = ()


class Discovery:
    """The kinds of one server. Shared by all its clients."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._lock = asyncio.Lock()
        self._found: dict[Name, Served] = {}
        self._parts: dict[str, tuple[str, list[Json]]] = {}
        self._read_at: float | None = None
        self._told = 0  # how often what is known was said to be old

    def invalidate(self) -> None:
        """What is known may be old: look again when asked next."""
        self._told += 1
        self._read_at = None

    def on_crd(self, _old: Json | None, _new: Json | None) -> None:
        """For `Informer.on_change` of CustomResourceDefinitions."""
        self.invalidate()

    async def all(self) -> list[Served]:
        """Everything that the server has. Raises `KubeUnavailable`."""
        await self._read(older_than=_FRESH_S)
        return list(self._found.values())

    async def served(self, api_version: str, kind: str) -> Served:
        """A kind by an object's `apiVersion` and `kind`. Raises `KubeNotFound` (`kube-no-kind`)."""
        await self._read(older_than=_FRESH_S)
        found = self._found.get((api_version, kind))
        if found is None:
            await self._read(older_than=_MISS_S)
            found = self._found.get((api_version, kind))
        if found is None:
            raise KubeNotFound(
                f"{self._caller.transport.server} has no kind {kind} in {api_version}",
                code="kube-no-kind",
                remedy="Install its CRD, or correct apiVersion and kind.",
            )
        return found

    async def kind(self, api_version: str, kind: str) -> Kind:
        """As `served`, the kind alone."""
        return (await self.served(api_version, kind)).kind

    async def kind_of(self, obj: Mapping[str, Any]) -> Kind:
        """An object's kind."""
        return await self.kind(str(obj.get("apiVersion") or ""), str(obj.get("kind") or ""))

    async def _read(self, *, older_than: float) -> None:
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if self._read_at is not None and now - self._read_at < older_than:
                return
            told = self._told
            groups = [*await self._part("/api"), *await self._part("/apis")]
            self._found = self._merged(groups)
            self._read_at = now if told == self._told else None

    async def _part(self, path: str) -> list[Json]:
        etag, former = self._parts.get(path, ("", []))
        headers = {"accept": _ACCEPT}
        if etag:
            headers["if-none-match"] = etag
        answer = await self._caller.send(self._caller.prepare("GET", path, headers=headers))
        if answer.status == 304:
            return former
        if "apidiscovery" not in answer.headers.get("content-type", ""):
            raise unavailable(
                self._caller.transport.server,
                "it has no aggregated discovery: Kubernetes 1.27 or newer is needed",
            )
        groups = _groups(answer.body, self._caller.transport.server)
        self._parts[path] = (answer.headers.get("etag", ""), groups)
        return groups

    def _merged(self, groups: Iterable[Json]) -> dict[Name, Served]:
        """By name; what a server behind the server does not tell now is kept as it was."""
        found: dict[Name, Served] = {}
        for group in groups:
            name = str((group.get("metadata") or {}).get("name") or "")
            for version in group.get("versions") or ():
                api_version = f"{name}/{version['version']}" if name else str(version["version"])
                if version.get("freshness") == "Stale":
                    kept = self._found.items()
                    found.update({key: one for key, one in kept if key[0] == api_version})
                for resource in version.get("resources") or ():
                    served = _served(name, str(version["version"]), resource)
                    found.setdefault((api_version, served.kind.kind), served)
        return found


def _served(group: str, version: str, resource: Json) -> Served:
    kind = resource.get("responseKind") or {}
    return Served(
        Kind(
            group,
            version,
            str(resource["resource"]),
            str(kind.get("kind") or ""),
            namespaced=resource.get("scope") == "Namespaced",
        ),
        verbs=frozenset(resource.get("verbs") or ()),
        subresources=frozenset(
            str(each["subresource"]) for each in resource.get("subresources") or ()
        ),
        short_names=tuple(resource.get("shortNames") or ()),
    )


def _groups(body: bytes, server: str) -> list[Json]:
    try:
        found = msgspec.json.decode(body)
        return list(found.get("items") or [])
    except (msgspec.DecodeError, AttributeError, TypeError) as error:
        raise unavailable(server, f"its discovery cannot be read ({error})") from error
