"""The whole decision about one Rollout: a function of what was observed and of the time.

Every transition is one patch of the status. Whatever happened before, to this controller or to what
it wrote, the same observation leads to the same decision.
"""

from __future__ import annotations

from typing import Final

from fairway.rollout import (
    bluegreen,
    canary,
    conditions,
    hashing,
    objects,
    pausing,
    phases,
    scaling,
    services,
    validation,
    versions,
)
from fairway.rollout.draft import Draft
from fairway.rollout.objects import Moment
from fairway.rollout.plan import ChangeRollout, Plan, Seen
from fairway.rollout.router import Router

INVALID_S: Final = 20.0  # what was named may come: a Service that is applied after its Rollout


def decide(seen: Seen, now: Moment, router: Router) -> Plan:
    """What to do next."""
    draft = Draft(seen, now)
    if (seen.rollout.get("metadata") or {}).get("deletionTimestamp"):
        return Plan()
    found = validation.problem(seen)
    if found is not None:
        conditions.invalid(draft, validation.sentence(draft.rollout, found))
        draft.later(INVALID_S)
        return _plan(draft)
    if draft.rollout.spec.get("replicas") is None:
        return Plan(actions=(ChangeRollout({"spec": {"replicas": 1}}),))  # autoscalers need it
    _begin(draft)
    _settle(draft, router)
    services.release(draft)
    _end(draft)
    return _plan(draft)


def _begin(draft: Draft) -> None:
    """Versions, pauses that a person began or ended, and the counts."""
    conditions.remove(draft, "InvalidSpec")
    conditions.note_pauses(draft, draft.rollout.status)
    versions.settle(draft)
    if draft.rollout.promoted and draft.pause.aborted:
        draft.pause.unaborted = True
    _count(draft)


def _count(draft: Draft) -> None:
    sets, rollout = draft.sets, draft.rollout
    draft.put(draft.hash, "currentPodHash")
    draft.put(sum(one.actual for one in sets), "replicas")
    draft.put(draft.new.actual if draft.new else 0, "updatedReplicas")
    draft.put(sum(one.ready for one in sets), "readyReplicas")
    draft.put(sum(one.actual for one in sets), "HPAReplicas")
    draft.put(objects.available(sets), "availableReplicas")
    draft.put(objects.formatted(rollout.selector), "selector")
    if rollout.canary is not None:
        draft.put(hashing.steps_hash(rollout.canary.get("steps")), "currentStepHash")
        draft.put(None, "blueGreen")
    else:
        draft.put(None, "currentStepHash")
        draft.put(None, "currentStepIndex")
        draft.put(None, "canary")


def _settle(draft: Draft, router: Router) -> None:
    if scaling.needs_only_scaling(draft):
        _only_sizes(draft)
    elif draft.rollout.canary is not None:
        canary.settle(draft, router)
    else:
        bluegreen.settle(draft)


def _only_sizes(draft: Draft) -> None:
    """Somebody scaled the Rollout: nothing else is moved in the same decision."""
    draft.put(draft.rollout.current, "currentPodHash")
    if draft.rollout.canary is not None:
        draft.put(draft.rollout.status.get("currentStepHash"), "currentStepHash")
        canary.only_sizes(draft)
    else:
        bluegreen.scale(draft)
        bluegreen.sizes(draft)


def _end(draft: Draft) -> None:
    """Abort, pauses, conditions and phase: in this order, each from the ones before."""
    conditions.deadline_abort(draft)
    pausing.settle(draft)
    conditions.settle(draft)
    conditions.note_pauses(draft, draft.status)
    pausing.tell(draft)


def _plan(draft: Draft) -> Plan:
    status = draft.status
    draft.put(draft.conditions, "conditions")
    draft.put(str(draft.rollout.generation), "observedGeneration")
    phase, message = phases.phase(draft.rollout, status)
    draft.put(phase, "phase")
    draft.put(message, "message")
    for part in ("canary", "blueGreen"):
        if status.get(part) == {}:
            del status[part]
    changed = status != dict(draft.rollout.status)
    return Plan(actions=tuple(draft.actions), status=status if changed else None, again=draft.again)


def cannot_create(seen: Seen, now: Moment, error: str) -> Plan:
    """What is told when the cluster refuses the new version: it times out like any other."""
    draft = Draft(seen, now)
    conditions.remove(draft, "InvalidSpec")
    name = f"{draft.rollout.name}-{versions.wanted_hash(draft)}"
    words = f'Failed to create new replica set "{name}": {error}'
    before = conditions.get(draft, "Progressing")
    failed = before is not None and before["reason"] in _FAILED
    if failed and conditions.timed_out(draft, before):
        late = f'Rollout "{draft.rollout.name}" has timed out progressing.'
        conditions.put(
            draft, "Progressing", "False", reason="ProgressDeadlineExceeded", message=late
        )
    elif conditions.put(
        draft, "Progressing", "False", reason="ReplicaSetCreateError", message=words
    ):
        draft.tell("ReplicaSetCreateError", words, warning=True)
    return _plan(draft)


_FAILED: Final = ("ReplicaSetCreateError", "ProgressDeadlineExceeded")
