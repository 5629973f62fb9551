"""Which keys of ConfigMaps and Secrets the objects of a chart need, and which are missing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any, Final, NamedTuple

Json = Mapping[str, Any]
KINDS: Final = ("ConfigMap", "Secret")


class Need(NamedTuple):
    """`key` "" is the whole object."""

    kind: str
    name: str
    key: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" + (f" key {self.key}" if self.key else "")


def needed(objects: Iterable[Json]) -> list[Need]:
    """What pods of these objects cannot start without, in a fixed order."""
    return sorted({one for obj in objects for pod in _pods(obj) for one in _of_pod(pod)})


def pull_secrets(objects: Iterable[Json]) -> list[str]:
    """Names of Secrets by which pods pull images, in a fixed order.

    A missing one stops no pod whose image needs none.
    """
    pods = [pod for obj in objects for pod in _pods(obj)]
    refs = (ref for pod in pods for ref in pod.get("imagePullSecrets") or ())
    return sorted({str(ref["name"]) for ref in refs if ref.get("name")})


def given(objects: Iterable[Json]) -> dict[tuple[str, str], set[str]]:
    """(kind, name) -> keys of the ConfigMaps and Secrets among these objects."""
    found: dict[tuple[str, str], set[str]] = {}
    for obj in objects:
        kind = obj.get("kind")
        if kind in KINDS:
            parts = ("data", "stringData", "binaryData")
            keys = {key for part in parts for key in obj.get(part) or {}}
            found.setdefault((str(kind), obj["metadata"]["name"]), set()).update(keys)
    return found


def missing(needs: Iterable[Need], there: Mapping[tuple[str, str], Set[str]]) -> list[Need]:
    """Needs that nothing fulfils."""
    return [
        one
        for one in needs
        if (one.kind, one.name) not in there
        or (one.key and one.key not in there[one.kind, one.name])
    ]


def _pods(obj: Json) -> Iterator[Json]:
    spec = obj.get("spec") or {}
    match obj.get("kind"):
        case "Pod":
            yield spec
        case "CronJob":
            job = (spec.get("jobTemplate") or {}).get("spec") or {}
            yield (job.get("template") or {}).get("spec") or {}
        case _ if isinstance(spec, Mapping) and isinstance(spec.get("template"), Mapping):
            yield spec["template"].get("spec") or {}


def _of_pod(pod: Json) -> Iterator[Need]:
    for container in [*(pod.get("initContainers") or ()), *(pod.get("containers") or ())]:
        for variable in container.get("env") or ():
            yield from _of_variable(variable.get("valueFrom") or {})
        for source in container.get("envFrom") or ():
            yield from _whole("ConfigMap", source.get("configMapRef"))
            yield from _whole("Secret", source.get("secretRef"))
    for volume in pod.get("volumes") or ():
        yield from _of_volume(volume)


def _of_variable(source: Json) -> Iterator[Need]:
    for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        ref = source.get(field)
        if ref and not ref.get("optional"):
            yield Need(kind, ref["name"], ref["key"])


def _whole(kind: str, ref: Json | None) -> Iterator[Need]:
    if ref and not ref.get("optional") and ref.get("name"):
        yield Need(kind, ref["name"], "")


def _of_volume(volume: Json) -> Iterator[Need]:
    sources = [volume, *((volume.get("projected") or {}).get("sources") or ())]
    for source in sources:
        for field, kind, name in (
            ("configMap", "ConfigMap", "name"),
            ("secret", "Secret", "secretName" if source is volume else "name"),
        ):
            ref = source.get(field)
            if not ref or ref.get("optional"):
                continue
            items = [item["key"] for item in ref.get("items") or ()]
            for key in items or [""]:
                yield Need(kind, ref[name], key)
