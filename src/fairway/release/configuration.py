"""What an environment has beside its services' charts: the configuration that Git holds for it, and
what pods cannot start without.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import yaml
from msgspec import Struct

from fairway.kube import Kube
from fairway.kube.kind import CONFIG_MAP, NAMESPACE, SECRET
from fairway.model.errors import BadFile
from fairway.model.release import Service
from fairway.release import charts, keys, names, writing
from fairway.release.ports import Deps
from fairway.release.spec import Delivery

Json = dict[str, Any]
_SUFFIXES: Final = (".yaml", ".yml", ".json")
_BUILT: Final = frozenset(
    {"kustomization.yaml", "kustomization.yml", "Kustomization", "Chart.yaml"}
)
_HUB: Final = frozenset({"Application", "ApplicationSet", "AppProject", "Delivery"})
_GROUPS: Final = ("argoproj.io/", "fairway.dev/")


class Beside(Struct, frozen=True, kw_only=True):
    """A folder of an environment without what is the hub's own.

    `hub`: the files that hold that; `left`: what stands in those files besides, as sentences.
    """

    objects: tuple[Json, ...] = ()
    hub: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def namespaces(self) -> list[str]:
        """Those that its objects name."""
        return sorted({_namespace(one) for one in self.objects} - {""})


def read(files: Mapping[str, bytes]) -> Beside:
    """What plain files of a folder say. Raises `BadFile`. Pure."""
    objects: list[Json] = []
    hub: list[str] = []
    left: list[str] = []
    for file in sorted(name for name in files if "/" not in name and name.endswith(_SUFFIXES)):
        found = _documents(file, files[file])
        others = [one for one in found if not _is_hubs(one)]
        if len(others) == len(found):
            objects += found
            continue
        hub.append(file)
        left += [
            f"{_told(one)} stands in {file} beside an Application: it is carried from a file of"
            " its own"
            for one in others
        ]
    if built := sorted(_BUILT & files.keys()):
        left.append(f"the folder is built by {built[0]}: only a folder of plain files is carried")
        return Beside(hub=tuple(hub), left=tuple(left))
    return Beside(objects=tuple(objects), hub=tuple(hub), left=tuple(left))


def _documents(file: str, data: bytes) -> list[Json]:
    try:
        found = list(yaml.safe_load_all(data.decode()))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        words = str(error).replace("\n", " ")
        raise BadFile(f"cannot be read: {words}", code="bad-manifest", where=file) from error
    return [one for one in found if isinstance(one, dict) and one.get("kind")]


def _is_hubs(obj: Json) -> bool:
    return obj["kind"] in _HUB and str(obj.get("apiVersion")).startswith(_GROUPS)


def _told(obj: Json) -> str:
    return f"{obj['kind']} {(obj.get('metadata') or {}).get('name', '')}"


def _namespace(obj: Json) -> str:
    return str((obj.get("metadata") or {}).get("namespace") or "")


def placed(objects: Iterable[Json], namespace: str) -> list[Json]:
    """Objects as they lie in the cluster where they name no namespace themselves. Pure."""
    return [
        {**one, "metadata": {"namespace": namespace, **(one.get("metadata") or {})}}
        for one in objects
    ]


def root(applications: Iterable[Json], slug: str, folder: str) -> Json | None:
    """The Application that brings a folder of a repository of ours into a cluster. Pure."""
    for one in applications:
        source = (one.get("spec") or {}).get("source") or {}
        url = str(source.get("repoURL", "")).removesuffix("/").removesuffix(".git")
        if url.endswith(f"/{slug}") and str(source.get("path", "")).strip("/") == folder:
            return one
    return None


def without(spec: Json, files: Sequence[str]) -> Json | None:
    """An Application's spec that leaves these files of its folder out; None for one that does more
    than to take the files of a folder. Pure.
    """
    source = dict(spec["source"])
    if any(source.get(name) for name in ("helm", "kustomize", "directory", "plugin")):
        return None
    if files:
        chosen = files[0] if len(files) == 1 else "{" + ",".join(files) + "}"
        source["directory"] = {"exclude": chosen}
    return {**spec, "source": source}


async def rooms(kube: Kube, namespaces: Iterable[str]) -> None:
    """Make the namespaces that are not there."""
    for name in namespaces:
        if await kube.find(NAMESPACE, name) is None:
            await kube.apply(NAMESPACE, {"metadata": {"name": name}}, force=True)


async def chart_objects(
    deps: Deps,
    delivery: Delivery,
    service: Service,
    place: writing.Place,
    *,
    version: str,
    digest: str = "",
) -> list[Json]:
    """What a chart of the registry deploys with an environment's values. `digest` "": theirs."""
    values = place.values
    if digest:
        values = writing.with_value(values, service.digest_value, digest)
    home = names.charts(delivery.environments[0], place.chart)
    archive = await deps.shelf.chart(home, version)
    async with charts.unpacked(deps.toolbox, archive) as chart:
        return await chart.objects(
            release=place.release_name, namespace=place.namespace or "default", values=values
        )


async def lacking(
    kube: Kube, objects: Sequence[Json], namespace: str, *, also: Iterable[Json] = ()
) -> list[str]:
    """Keys of ConfigMaps and Secrets that pods of these objects need in a namespace, and that
    neither the cluster nor `also` gives, each with its place.
    """
    needs = keys.needed(objects)
    there = keys.given([*objects, *(one for one in also if _namespace(one) == namespace)])
    for kind, name in sorted({(one.kind, one.name) for one in needs}):
        found = await kube.find(CONFIG_MAP if kind == "ConfigMap" else SECRET, name, namespace)
        if found is not None:
            given = keys.given([{**found, "kind": kind}])[kind, name]
            there.setdefault((kind, name), set()).update(given)
    return [f"{one} in {namespace}" for one in keys.missing(needs, there)]


async def lacking_beside(kube: Kube, objects: Sequence[Json]) -> list[str]:
    """The same of what stands beside the charts, each in its own namespace."""
    found: list[str] = []
    for namespace in sorted({_namespace(one) for one in objects} - {""}):
        mine = [one for one in objects if _namespace(one) == namespace]
        found += await lacking(kube, mine, namespace)
    return found
