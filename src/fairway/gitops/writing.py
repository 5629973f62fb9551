"""Writes Applications: each write is conditional on what it was decided on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from fairway.gitops import status
from fairway.gitops.application import FINALIZERS, REFRESH, Application
from fairway.gitops.kinds import APPLICATION
from fairway.gitops.objects import Json
from fairway.gitops.tasks import RUNNING, TERMINATING
from fairway.kube import Informer, Kube, objects
from fairway.kube.errors import KubeConflict, KubeNotFound

_TRIES: Final = 5
_log = logging.getLogger(__name__)


class Writer:
    """Writes to the hub, and shows its own writes to the cache at once."""

    def __init__(self, kube: Kube, cache: Informer) -> None:
        self._kube = kube
        self._cache = cache

    async def status(
        self,
        app: Application,
        made: Mapping[str, Any],
        *,
        operation: Any = ...,
        refreshed: str = "",
    ) -> Json | None:
        """Bring fields of the status about, and `operation` (None takes it away).

        `refreshed` takes the annotation that asked for a refresh away, if it still asks for that.
        Returns the application as it is then; None where it is gone, or where somebody began or
        ended an operation meanwhile: then it is to be looked at anew.
        """
        raw = app.raw
        for _try in range(_TRIES):
            body = _body(raw, made, operation=operation, refreshed=refreshed)
            if not body:
                return raw
            body.setdefault("metadata", {})["resourceVersion"] = objects.version(raw)
            try:
                answer = await self._kube.patch(
                    APPLICATION, app.key.name, app.key.namespace, body=body
                )
            except KubeNotFound:
                return None
            except KubeConflict:
                fresh = await self._kube.find(APPLICATION, app.key.name, app.key.namespace)
                if fresh is None or not _same_operation(app, fresh):
                    return None
                raw, made = fresh, _terminated(fresh, made)
                continue
            self._cache.observe(answer)
            return answer
        raise KubeConflict(f"the application {app.key} changes all the time")

    async def finalized(self, app: Application) -> None:
        """Let an application go whose objects are gone."""
        kept = [one for one in app.finalizers if one not in FINALIZERS]
        body = {"metadata": {"finalizers": kept or None, "resourceVersion": app.version}}
        try:
            await self._kube.patch(APPLICATION, app.key.name, app.key.namespace, body=body)
        except KubeNotFound:
            return


def _body(raw: Json, made: Mapping[str, Any], *, operation: Any, refreshed: str) -> Json:
    body: Json = {}
    changed = status.patch(raw.get("status") or {}, made)
    if changed:
        body["status"] = changed
    there = raw.get("operation")
    if operation is not ... and operation != there:
        body["operation"] = operation
    if refreshed and objects.notes(raw).get(REFRESH) == refreshed:
        body["metadata"] = {"annotations": {REFRESH: None}}
    return body


def _same_operation(app: Application, fresh: Json) -> bool:
    """Whether nobody else began, ended or asked for an operation."""
    state = (fresh.get("status") or {}).get("operationState") or {}
    same = state.get("startedAt") == app.state.get("startedAt")
    return same and (fresh.get("operation") or None) == (app.raw.get("operation") or None)


def _terminated(fresh: Json, made: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is written where somebody asked for the operation's end while we were at it."""
    state = (fresh.get("status") or {}).get("operationState") or {}
    ours = made.get("operationState")
    if state.get("phase") != TERMINATING or not ours or ours.get("phase") != RUNNING:
        return made
    said = {"phase": TERMINATING, "message": "operation is terminating"}
    return {**made, "operationState": {**ours, **said}}
