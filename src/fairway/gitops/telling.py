"""Tells others what became of applications: events of ours, and Kubernetes' own.

Both are derived from an Application's status, not from our writing it: what was not told before a
crash is told after it, and nothing twice.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from fairway.gitops import status
from fairway.gitops.objects import Json
from fairway.gitops.operating import in_progress
from fairway.gitops.operating import text as moment
from fairway.gitops.tasks import SUCCEEDED
from fairway.kit import clock
from fairway.kit.aio import Wake
from fairway.kube import Kube, history, objects
from fairway.kube.kind import EVENT
from fairway.model.errors import FairwayError
from fairway.model.events import ApplicationChanged

_ROUND_S: Final = 5.0
_PAUSE_S: Final = 0.05  # between two events of Kubernetes': they never hold up a sync
_BATCH: Final = 100
_MOST: Final = 5000
_log = logging.getLogger(__name__)
Changes = Sequence[tuple[ApplicationChanged, str]]
Publish = Callable[[Changes], Awaitable[None]]


class Said(Struct, frozen=True):
    """One of Kubernetes' events, still to be written."""

    app: Json
    type: str
    reason: str
    message: str


class Teller:
    """Collects what changed, and tells it beside the controller's work."""

    def __init__(self, kube: Kube, publish: Publish) -> None:
        self._kube = kube
        self._publish = publish
        self._changes: deque[tuple[ApplicationChanged, str]] = deque()
        self._said: deque[Said] = deque(maxlen=_MOST)
        self._told: dict[str, str] = {}
        self._wake = Wake()

    def changed(self, old: Json | None, new: Json | None) -> None:
        """For `Informer.on_change` of Applications."""
        if new is None:
            self._told.pop(objects.uid(old or {}), None)
            return
        key = transition(new)
        if not key or self._told.get(objects.uid(new)) == key:
            return
        self._told[objects.uid(new)] = key
        self._changes.append((change(new), key))
        if old is not None:
            self._said.extend(sayings(old, new))
        self._wake.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            while self._changes:
                await self._batch()
            await self._wake.wait(_ROUND_S)

    async def _batch(self) -> None:
        batch = [self._changes[at] for at in range(min(_BATCH, len(self._changes)))]
        try:
            await self._publish(batch)
        except FairwayError as error:
            _log.warning("changes of applications cannot be published yet: %s", error)
            await self._wake.wait(_ROUND_S)
            return
        for _one in batch:
            self._changes.popleft()

    async def record(self) -> None:
        """Write Kubernetes' events until cancelled."""
        while True:
            if not self._said:
                await self._wake.wait(_ROUND_S)
                continue
            said = self._said.popleft()
            try:
                await self._kube.create(EVENT, event(said))
            except FairwayError as error:
                _log.info("an event of %s is lost: %s", objects.key(said.app), error)
            await self._wake.wait(_PAUSE_S)


def change(app: Json) -> ApplicationChanged:
    """What is told of an application as it is."""
    key, found = objects.key(app), app.get("status") or {}
    state = found.get("operationState") or {}
    sync, health = found.get("sync") or {}, found.get("health") or {}
    return ApplicationChanged(
        namespace=key.namespace,
        name=key.name,
        uid=objects.uid(app),
        revision=str(sync.get("revision") or ""),
        sync=str(sync.get("status") or ""),
        health=str(health.get("status") or ""),
        phase=str(state.get("phase") or ""),
        message=str(state.get("message") or ""),
        synced_revision=str((state.get("syncResult") or {}).get("revision") or ""),
    )


def transition(app: Json) -> str:
    """What of a status makes a change of it one that is told: its key, unique for ever; "" where
    nothing is known yet.
    """
    found = app.get("status") or {}
    state, health = found.get("operationState") or {}, found.get("health") or {}
    sync = (found.get("sync") or {}).get("status") or ""
    if not sync:
        return ""
    parts = [
        "application",
        objects.uid(app),
        str(state.get("startedAt") or ""),
        str(state.get("phase") or ""),
        str(state.get("retryCount") or 0),
        str(sync),
        str(health.get("status") or ""),
        str(health.get("lastTransitionTime") or ""),
    ]
    return "/".join(parts)


def sayings(old: Json, new: Json) -> Iterator[Said]:
    """What Kubernetes' events say of a change, in Argo CD's words."""
    before, after = old.get("status") or {}, new.get("status") or {}
    for kind, reason, message in status.told(before, after):
        yield Said(new, kind, reason, message)
    was, now = before.get("operationState") or {}, after.get("operationState") or {}
    if now.get("startedAt") != was.get("startedAt") and in_progress(now):
        result = now.get("syncResult") or {}
        revision = result.get("revision") or (result.get("source") or {}).get("targetRevision")
        automated = ((now.get("operation") or {}).get("initiatedBy") or {}).get("automated")
        how = "automated sync" if automated else "sync"
        yield Said(new, "Normal", "OperationStarted", f"Initiated {how} to '{revision or 'HEAD'}'")
    if now and not in_progress(now) and now.get("phase") != was.get("phase"):
        yield _completed(new, now)


def _completed(app: Json, state: Json) -> Said:
    partial = ((state.get("operation") or {}).get("sync") or {}).get("resources")
    words = ["Partial sync operation" if partial else "Sync operation"]
    result = state.get("syncResult")
    if result:
        words += ["to", str(result.get("revision") or "")]
    good = state.get("phase") == SUCCEEDED
    words += ["succeeded"] if good else ["failed:", str(state.get("message") or "")]
    kind = "Normal" if good else "Warning"
    return Said(app, kind, "OperationCompleted", " ".join(words))


def event(said: Said) -> Json:
    """The object that Kubernetes keeps for some time."""
    return history.entry(
        said.app,
        by="fairway-gitops",
        tone=said.type,
        reason=said.reason,
        message=said.message,
        at=moment(clock.now()),
    )
