"""What became of a Rollout, as an event for people: derived from its status, told once.

The event's key is made of what the status says and since when: whoever looks at the same status
again, after a crash or in another process, writes nothing new.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection

from fairway.kube import Json, objects
from fairway.model.events import RolloutChanged
from fairway.rollout import phases
from fairway.rollout.objects import MAX_WEIGHT, Rollout
from fairway.store import outbox
from fairway.store.database import Database

_TRACKED: Final = "argocd.argoproj.io/tracking-id"
_MOST: Final = 4096


def event(cluster: str, obj: Mapping[str, Any]) -> tuple[RolloutChanged, str] | None:
    """The event with its key; None while there is no status that people could want to know."""
    rollout = Rollout(obj)
    phase, message = phases.shown(obj)
    if not phase or not rollout.status.get("phase"):
        return None
    weights = rollout.weights or {}
    made = RolloutChanged(
        cluster=cluster,
        namespace=rollout.namespace,
        name=rollout.name,
        uid=rollout.uid,
        application=rollout.notes.get(_TRACKED, "").partition(":")[0],
        revision=rollout.revision,
        phase=phase,
        message=message,
        step=int(rollout.status.get("currentStepIndex") or 0),
        steps=len(rollout.steps),
        weight=_weight(rollout, weights),
        images=_images(rollout),
        stable=rollout.stable,
        current=rollout.current,
    )
    return made, f"rollout/{rollout.uid}/{_digest(rollout, made)}"


def _weight(rollout: Rollout, weights: Mapping[str, Any]) -> int:
    """The part of the requests that the wanted version gets, as far as it is known."""
    if rollout.promoted:
        return MAX_WEIGHT
    if weights:
        return int(weights["canary"]["weight"])
    if rollout.blue_green is not None:
        return MAX_WEIGHT if rollout.shown.get("activeSelector") == rollout.current else 0
    actual = int(rollout.status.get("replicas") or 0)
    updated = int(rollout.status.get("updatedReplicas") or 0)
    return updated * MAX_WEIGHT // actual if actual else 0


def _images(rollout: Rollout) -> list[str]:
    spec = rollout.template.get("spec") or {}
    return [str(one.get("image") or "") for one in spec.get("containers") or ()]


def _digest(rollout: Rollout, made: RolloutChanged) -> str:
    """The same for the same state that was entered at the same time: one that was left and came
    back (a pod failed and recovered) has a condition that turned later."""
    pauses = rollout.status.get("pauseConditions") or ()
    since = [
        (rollout.condition(kind) or {}).get("lastTransitionTime")
        for kind in ("Progressing", "Healthy")
    ]
    facts = (
        made.revision, made.phase, made.message, made.step, made.weight, made.images, made.current,
        made.stable, rollout.status.get("abortedAt"), [one["startTime"] for one in pauses],
        since,
    )  # fmt: skip
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:24]


class Telling:
    """Writes the events of one cluster's Rollouts into the outbox."""

    def __init__(self, database: Database, cluster: str) -> None:
        self._database, self._cluster = database, cluster
        self._last: dict[str, str] = {}

    async def __call__(self, rollout: Json) -> None:
        """As `controller.Noted`. Raises what the database does."""
        found = event(self._cluster, rollout)
        uid = objects.uid(rollout)
        if found is None or self._last.get(uid) == found[1]:
            return
        made, key = found

        def write(db: Connection) -> None:
            outbox.append(db, made, key=key)

        await self._database.write(write)
        if len(self._last) > _MOST:
            self._last.clear()
        self._last[uid] = key
