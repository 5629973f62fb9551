"""To which application an object belongs: the tracking annotation, as in Argo CD."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from fairway.gitops.objects import Json, key_of
from fairway.kube import objects

ANNOTATION: Final = "argocd.argoproj.io/tracking-id"
INSTALLATION: Final = "argocd.argoproj.io/installation-id"
_CRD: Final = ("apiextensions.k8s.io", "CustomResourceDefinition")


class Tracked(NamedTuple):
    """What a tracking id says."""

    instance: str
    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.instance}:{self.group}/{self.kind}:{self.namespace}/{self.name}"


def instance(name: str, namespace: str, home: str) -> str:
    """An application's name in tracking ids: with its namespace, unless that is `home`."""
    return name if namespace in {"", home} else f"{namespace}_{name}"


def parse(text: str) -> Tracked | None:
    """A tracking id; None for what is none."""
    parts = text.split(":", 2)
    if len(parts) != 3:
        return None
    kind, name = parts[1].split("/"), parts[2].split("/")
    if len(kind) != 2 or len(name) != 2:
        return None
    return Tracked(parts[0], *kind, *name)


def of(obj: Mapping[str, Any]) -> Tracked | None:
    """What an object's annotation says; None without one, or with another installation's."""
    notes = objects.notes(obj)
    return None if notes.get(INSTALLATION) else parse(str(notes.get(ANNOTATION) or ""))


def wanted(obj: Mapping[str, Any], instance: str, namespace: str) -> Tracked:
    """What its annotation should say. `namespace` stands in where the object has none."""
    key = key_of(obj)
    return Tracked(instance, key.group, key.kind, key.namespace or namespace, key.name)


def marked(obj: Json, instance: str, namespace: str) -> Json:
    """A copy with the annotation; definitions of resources get none."""
    key = key_of(obj)
    if (key.group, key.kind) == _CRD:
        return obj
    meta = obj.get("metadata") or {}
    notes = {**(meta.get("annotations") or {}), ANNOTATION: str(wanted(obj, instance, namespace))}
    notes.pop(INSTALLATION, None)
    return {**obj, "metadata": {**meta, "annotations": notes}}


def is_own(live: Mapping[str, Any], tracked: Tracked) -> bool:
    """Whether a tracking id names this very object. One that was copied with its annotations by
    somebody else's controller is neither compared nor pruned.
    """
    key = key_of(live)
    same = (tracked.group, tracked.kind, tracked.name) == (key.group, key.kind, key.name)
    return same and (tracked.namespace == key.namespace or not key.namespace)
