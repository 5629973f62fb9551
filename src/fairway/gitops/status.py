"""An Application's status, as Argo CD writes it: from a comparison and what was there. Pure.

Times only change with what they are of: a comparison that finds the same writes nothing but when
it was made, and that not each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from fairway.gitops.application import Application, option
from fairway.gitops.objects import (
    UNKNOWN,
    Comparison,
    Condition,
    Health,
    Json,
    ResourceResult,
    split_version,
)
from fairway.gitops.operating import text
from fairway.gitops.tasks import images
from fairway.kit.clock import Millis

_APPLICATION: Final = ("argoproj.io", "Application")


def of_comparison(
    app: Application,
    compared: Comparison,
    *,
    revision: str,
    source_type: str,
    now: Millis,
) -> Json:
    """Everything of a status that a comparison says, without conditions and the operation."""
    made: Json = {
        "health": _health(app, compared.health, now),
        "sync": _sync(app, compared.status, revision),
        "resources": [_resource(one) for one in compared.resources if _is_shown(one)],
        "summary": _summary(compared),
        "controllerNamespace": app.key.namespace,
        "resourceHealthSource": None,
    }
    if source_type:
        made["sourceType"] = source_type
    return made


def unknown(app: Application, revision: str, now: Millis) -> Json:
    """The status of an application that cannot be compared at all."""
    return {
        "health": _health(app, Health(UNKNOWN), now),
        "sync": _sync(app, "Unknown", revision),
        "controllerNamespace": app.key.namespace,
    }


def _health(app: Application, health: Health, now: Millis) -> Json:
    before = app.status.get("health") or {}
    made: Json = {"status": health.status}
    if health.message:
        made["message"] = health.message
    same = before.get("status") == health.status and before.get("lastTransitionTime")
    made["lastTransitionTime"] = before["lastTransitionTime"] if same else text(now)
    return made


def _sync(app: Application, status: str, revision: str) -> Json:
    spec = app.raw.get("spec") or {}
    compared: Json = {
        "destination": spec.get("destination") or {},
        "source": spec.get("source") or {},
    }
    if spec.get("ignoreDifferences"):
        compared["ignoreDifferences"] = spec["ignoreDifferences"]
    return {"status": status, "revision": revision, "comparedTo": compared}


def _is_shown(one: ResourceResult) -> bool:
    """Hooks that are not there yet are no resources of the application."""
    return not (one.hook and one.live is None)


def _resource(one: ResourceResult) -> Json:
    made: Json = {
        "group": one.key.group,
        "version": one.version,
        "kind": one.key.kind,
        "namespace": one.key.namespace,
        "name": one.key.name,
        "status": one.status,
        "hook": one.hook,
        "requiresPruning": one.requires_pruning,
        "syncWave": one.wave,
    }
    made = {name: value for name, value in made.items() if value}
    if one.health is not None:
        made["health"] = {"status": one.health.status}
        if one.health.message:
            made["health"]["message"] = one.health.message
    return made


def _summary(compared: Comparison) -> Json:
    live = [one.live for one in compared.resources if one.live is not None]
    found = sorted({image for obj in live for image in images(obj)})
    made: Json = {}
    if found:
        made["images"] = found
    if any(one.key[:2] == _APPLICATION for one in compared.resources):
        made["isAppOfApps"] = True
    return made


def conditions(app: Application, found: Iterable[Condition], now: Millis) -> list[Json]:
    """Conditions with their times: each keeps its own while it says the same."""
    before = {
        (one.get("type"), one.get("message")): one.get("lastTransitionTime")
        for one in app.status.get("conditions") or ()
    }
    unique = dict.fromkeys((one.type, one.message) for one in found)
    return [
        {
            "type": kind,
            "message": message,
            "lastTransitionTime": before.get((kind, message)) or text(now),
        }
        for kind, message in sorted(unique)
    ]


def patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> Json:
    """The merge patch that makes the fields of `new` so in `old`: maps are merged field by field,
    lists and all else are put in place whole. {} where nothing differs.
    """
    made: Json = {}
    for name, value in new.items():
        there = old.get(name)
        if isinstance(value, Mapping) and isinstance(there, Mapping):
            inner = _whole(there, value)
            if inner:
                made[name] = inner
        elif value != there and not (value is None and name not in old):
            made[name] = value
    return made


def _whole(old: Mapping[str, Any], new: Mapping[str, Any]) -> Json:
    """As `patch`, and what is not in `new` goes."""
    gone = {name: None for name in old if name not in new}
    return {**patch(old, new), **gone}


def told(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What changed of an application that people are told: kind of event, reason, message."""
    found = []
    old, new = _word(before, "sync"), _word(after, "sync")
    if new and new != old:
        said = f"Updated sync status: {old} -> {new}"
        found.append(("Normal", "ResourceUpdated", said))
    old, new = _word(before, "health"), _word(after, "health")
    if new and new != old:
        said = f"Updated health status: {old} -> {new}"
        found.append(("Normal", "ResourceUpdated", said))
    return found


def _word(status: Mapping[str, Any], name: str) -> str:
    return str((status.get(name) or {}).get("status") or "")


def kinds(app: Application) -> list[tuple[str, str]]:
    """The kinds of what an application had, as its status says: apiVersion and kind."""
    result = (app.state.get("syncResult") or {}).get("resources") or ()
    found = []
    for one in (*(app.status.get("resources") or ()), *result):
        group, version = one.get("group") or "", one.get("version") or ""
        if version and one.get("kind"):
            found.append((f"{group}/{version}" if group else version, str(one["kind"])))
    return list(dict.fromkeys(found))


def wanted_kinds(targets: Sequence[Json]) -> list[tuple[str, str]]:
    """The kinds of what is wanted."""
    return list(
        dict.fromkeys((str(one.get("apiVersion")), str(one.get("kind"))) for one in targets)
    )


def deletes(app: Application, obj: Mapping[str, Any]) -> bool:
    """Whether an object goes with its application: no definition of resources, nothing that is to
    be kept, and not the application itself.
    """
    meta = obj.get("metadata") or {}
    notes = meta.get("annotations") or {}
    asked = str(notes.get("argocd.argoproj.io/sync-options") or "").split(",")
    own = option(asked, "Delete") or option(app.options, "Delete")
    group = split_version(str(obj.get("apiVersion") or ""))[0]
    itself = (group, obj.get("kind")) == _APPLICATION and (
        meta.get("namespace"),
        meta.get("name"),
    ) == (app.key.namespace, app.key.name)
    keeps = [part.strip() for part in str(notes.get("helm.sh/resource-policy") or "").split(",")]
    crd = (group, obj.get("kind")) == ("apiextensions.k8s.io", "CustomResourceDefinition")
    return not (crd or itself or own == "false" or "keep" in keeps)
