"""Revisions: which ReplicaSet is wanted, making it, and its place in the history."""

from __future__ import annotations

from fairway.kube import Json, objects
from fairway.rollout import conditions, counts, hashing
from fairway.rollout.crds import ROLLOUT
from fairway.rollout.draft import Draft, remaining
from fairway.rollout.objects import DESIRED, HASH, REVISION, REVISIONS, ReplicaSet, written
from fairway.rollout.plan import ChangeRollout, ChangeSet, CreateSet

_SKIPPED = frozenset(
    {
        objects.LAST_APPLIED,
        REVISION,
        REVISIONS,
        DESIRED,
        "notified.notifications.argoproj.io",
        "rollout.argoproj.io/workload-generation",
    }
)


def settle(draft: Draft) -> None:
    """Find the wanted version or make it, and bring its revision up to date."""
    found = _find(draft)
    draft.settle(found)
    if found is not None:
        draft.fast = remaining(found, draft.now) is not None
        _renew(draft, found)
        return
    made = _body(draft)
    draft.actions.append(CreateSet(made))
    new = ReplicaSet(made)
    draft.settle(new)
    _number(draft, new.revision)
    draft.tell("NewReplicaSetCreated", f"Created ReplicaSet {new.name} (revision {new.revision})")
    conditions.put(
        draft,
        "Progressing",
        "True",
        reason="NewReplicaSetCreated",
        message=f'Created new replica set "{new.name}"',
    )


def wanted_hash(draft: Draft) -> str:
    """The pod hash of the Rollout's template."""
    collisions = int(draft.rollout.status.get("collisionCount") or 0)
    return hashing.template_hash(draft.rollout.template, collisions)


def _find(draft: Draft) -> ReplicaSet | None:
    found = counts.by_hash(draft.sets, wanted_hash(draft))
    if found is None and draft.seen.match:
        found = next((one for one in draft.sets if one.name == draft.seen.match), None)
    return found


def _body(draft: Draft) -> Json:
    rollout, hash_ = draft.rollout, wanted_hash(draft)
    template = objects.copy(dict(rollout.template))
    labels = {**((template.get("metadata") or {}).get("labels") or {}), HASH: hash_}
    template.setdefault("metadata", {})["labels"] = labels
    selector = objects.copy(dict(rollout.selector))
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH: hash_}
    revision = max((one.revision for one in draft.sets), default=0) + 1
    notes = {
        **_copied(draft),
        REVISION: str(revision),
        DESIRED: str(rollout.replicas),
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{rollout.name}-{hash_}",
            "namespace": rollout.namespace,
            "labels": labels,
            "annotations": notes,
            "ownerReferences": [objects.owner_reference(rollout.obj, ROLLOUT)],
            "creationTimestamp": written(draft.now),
        },
        "spec": {
            "replicas": 0,
            "minReadySeconds": int(rollout.spec.get("minReadySeconds") or 0),
            "selector": selector,
            "template": template,
        },
    }


def _copied(draft: Draft) -> dict[str, str]:
    return {name: value for name, value in draft.rollout.notes.items() if name not in _SKIPPED}


def _renew(draft: Draft, new: ReplicaSet) -> None:
    """A version that is wanted again gets the newest revision; older ones are remembered."""
    revision = max((one.revision for one in draft.older), default=0) + 1
    notes: dict[str, str | None] = {
        name: value for name, value in _copied(draft).items() if new.notes.get(name) != value
    }
    if new.revision < revision:
        if new.revision:
            history = [one for one in new.notes.get(REVISIONS, "").split(",") if one]
            notes[REVISIONS] = ",".join([*history, str(new.revision)])
        notes[REVISION] = str(revision)
    seconds = int(draft.rollout.spec.get("minReadySeconds") or 0)
    later = seconds if seconds != new.min_ready else None
    if notes or later is not None:
        draft.actions.append(ChangeSet(name=new.name, notes=notes, min_ready=later))
        new.notes.update({name: value for name, value in notes.items() if value is not None})
    _number(draft, new.revision)
    if conditions.get(draft, "Progressing") is None:
        words = f'Found new replica set "{new.name}"'
        conditions.put(draft, "Progressing", "True", reason="FoundNewReplicaSet", message=words)


def _number(draft: Draft, revision: int) -> None:
    """The Rollout's own annotation."""
    if draft.rollout.revision != revision:
        body = {"metadata": {"annotations": {REVISION: str(revision)}}}
        draft.actions.append(ChangeRollout(body))
        draft.tell("RolloutUpdated", f"Rollout updated to revision {revision}")
        draft.rollout.notes = {**draft.rollout.notes, REVISION: str(revision)}
