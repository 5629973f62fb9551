"""From rendered manifests to what an application wants: pure.

Lists are taken apart, namespaces filled in or left out by the kind's scope, tracking ids put on,
and of two manifests for one object the last one counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fairway.gitops import tracking
from fairway.gitops.objects import Condition, Json, ObjectKey, Target, Targets, key_of
from fairway.model.errors import InvalidInput

# Whether a kind has namespaces; None for one that the cluster does not know (yet).
Scope = Callable[[str, str], bool | None]


def prepare(
    rendered: Sequence[Json], *, instance: str, namespace: str, namespaced: Scope
) -> Targets:
    """The objects that an application wants; hooks are among them.

    Raises `InvalidInput` (`bad-manifest`) for what is no object of Kubernetes.
    """
    found: dict[ObjectKey, list[Json]] = {}
    for number, given in enumerate(flattened(rendered)):
        obj = placed(given, namespace, namespaced)
        key = key_of(obj)
        if not key.name:
            made = (obj.get("metadata") or {}).get("generateName")
            key = key._replace(name=f"{made}{number}")
        found.setdefault(key, []).append(tracking.marked(obj, instance, namespace))
    twice = sorted((key, len(all_)) for key, all_ in found.items() if len(all_) > 1)
    return Targets(
        objects=tuple(Target(key=key, object=found[key][-1]) for key in found),
        conditions=tuple(_repeated(key, count) for key, count in twice),
    )


def _repeated(key: ObjectKey, count: int) -> Condition:
    said = f"Resource {key} appeared {count} times among application resources."
    return Condition("RepeatedResourceWarning", said)


def flattened(rendered: Sequence[Json]) -> Iterator[Json]:
    """Every object, those in lists too. Raises `InvalidInput` (`bad-manifest`)."""
    for number, given in enumerate(rendered):
        if isinstance(given.get("items"), list):
            for place, item in enumerate(given["items"]):
                yield _checked(item, f"{given.get('kind')} {number}, item {place}")
        elif not _is_null_list(given):
            yield _checked(given, f"object {number}")


def _is_null_list(given: Json) -> bool:
    return "items" in given and given["items"] is None and not {"spec", "status"} & set(given)


def _checked(given: Any, where: str) -> Json:
    meta = given.get("metadata") if isinstance(given, dict) else None
    if not isinstance(meta, dict) or not (meta.get("name") or meta.get("generateName")):
        raise _bad("has no metadata.name", where, given)
    if not isinstance(given.get("kind"), str) or not isinstance(given.get("apiVersion"), str):
        raise _bad("has no apiVersion or kind", where, given)
    notes = meta.get("annotations")
    texts = [*(notes or {}).values()] if isinstance(notes, dict | None) else [None]
    if not all(isinstance(text, str) for text in texts):
        raise _bad("has annotations that are not texts", where, given)
    found: Json = given
    return found


def _bad(what: str, where: str, given: Any) -> InvalidInput:
    kind = str(given.get("kind") or "") if isinstance(given, dict) else ""
    name = ""
    if isinstance(given, dict) and isinstance(given.get("metadata"), dict):
        name = str(given["metadata"].get("name") or "")
    said = " ".join(part for part in (kind, name) if part) or "a manifest"
    return InvalidInput(f"{said} ({where}) {what}", code="bad-manifest")


def placed(obj: Json, namespace: str, namespaced: Scope) -> Json:
    """The object in its namespace; one of a kind without namespaces has none.

    A kind that the cluster does not know is taken to have namespaces.
    """
    key = key_of(obj)
    scope = namespaced(key.group, key.kind)
    meta = obj["metadata"]
    if scope is False and key.namespace:
        return {**obj, "metadata": {n: each for n, each in meta.items() if n != "namespace"}}
    if scope is not False and not key.namespace and namespace:
        return {**obj, "metadata": {**meta, "namespace": namespace}}
    return obj
