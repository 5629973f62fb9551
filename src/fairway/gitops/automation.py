"""When automation begins a sync by itself. Pure; as in Argo CD."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from fairway.gitops.application import Application, Automated
from fairway.gitops.objects import Comparison, Condition, Json, ResourceResult
from fairway.gitops.operating import in_progress, millis
from fairway.gitops.tasks import SUCCEEDED
from fairway.kit.clock import Millis

_AUTO_LIMIT: Final = 5
_HEAL_S: Final = 2.0
_HEAL_FACTOR: Final = 3
_HEAL_MOST_S: Final = 300.0
SYNC_ERROR: Final = "SyncError"


class Auto(Struct, frozen=True, kw_only=True):
    """What automation does now: begin an `operation`, say why not, or wait so many seconds."""

    operation: Json | None = None
    condition: Condition | None = None
    wait_s: float | None = None


NOTHING: Final = Auto()


def automatic(app: Application, compared: Comparison, revision: str, now: Millis) -> Auto:
    """Whether automation begins a sync: one try for each revision and source, and by `selfHeal` of
    what differs, with a back-off.
    """
    rules = app.automated
    busy = app.operation is not None or app.deleting
    if rules is None or busy or compared.status != "OutOfSync":
        return NOTHING
    counted = [one for one in compared.resources if one.status is not None]
    differing = [one for one in counted if one.status != "Synced"]
    if not rules.prune and all(one.requires_pruning for one in differing):
        return NOTHING
    more: Json = {}
    if _attempted(app, revision):
        found = _again(app, differing, now)
        if isinstance(found, Auto):
            return found
        more = found
    if rules.prune and not rules.allow_empty and all(one.requires_pruning for one in counted):
        said = f"Skipping sync attempt to [{revision}]: auto-sync will wipe out all resources"
        return Auto(condition=Condition(SYNC_ERROR, said))
    return Auto(operation=_operation(app, rules, {"revision": revision, **more}))


def _operation(app: Application, rules: Automated, what: Json) -> Json:
    sync: Json = {"source": app.spec.source, **what}
    if rules.prune:
        sync["prune"] = True
    if app.options:
        sync["syncOptions"] = list(app.options)
    raw = ((app.raw.get("spec") or {}).get("syncPolicy") or {}).get("retry")
    return {
        "sync": sync,
        "initiatedBy": {"automated": True},
        "retry": dict(raw) if raw else {"limit": _AUTO_LIMIT},
    }


def _attempted(app: Application, revision: str) -> bool:
    """Whether the operation before this was to the same revision of the same source."""
    result = app.state.get("syncResult")
    if not app.state:
        return False
    if not result or not result.get("revision"):
        return not in_progress(app.state)
    return bool(result["revision"] == revision and result.get("source") == app.spec.source)


def _again(app: Application, differing: Sequence[ResourceResult], now: Millis) -> Auto | Json:
    """What is added to a sync of a revision that was tried before; or why there is none."""
    state = app.state
    if state.get("phase") != SUCCEEDED:
        last = (state.get("syncResult") or {}).get("revision") or ""
        said = f"Failed last sync attempt to [{last}]: {state.get('message') or ''}"
        return Auto(condition=Condition(SYNC_ERROR, said))
    if app.automated is None or not app.automated.self_heal:
        return NOTHING
    done = int(((state.get("operation") or {}).get("sync") or {}).get("autoHealAttemptsCount") or 0)
    wait = heal_wait_s(done) - (now - millis(state.get("finishedAt"))) / 1000
    if wait > 0:
        return Auto(wait_s=wait)
    return {"autoHealAttemptsCount": done + 1, "resources": [_named(one) for one in differing]}


def _named(one: ResourceResult) -> Json:
    """As Argo CD names what it heals: without the namespace."""
    made = {"kind": one.key.kind, "name": one.key.name}
    return {"group": one.key.group, **made} if one.key.group else made


def heal_wait_s(attempts: int) -> float:
    """Seconds after a sync before what differs is healed, by how often that was done in a row."""
    return 0.0 if attempts < 1 else min(_HEAL_S * _HEAL_FACTOR ** (attempts - 1), _HEAL_MOST_S)
