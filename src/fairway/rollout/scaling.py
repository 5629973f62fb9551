"""Sizes of versions: scaling, the delay before an old version goes, and the history that is kept.

A version that something still points at is never scaled down here: the status, a Service, or the
weights that a router has confirmed last.
"""

from __future__ import annotations

from collections.abc import Sequence

from fairway.rollout import counts, objects
from fairway.rollout.draft import Draft, remaining
from fairway.rollout.objects import DEADLINE, DESIRED, ReplicaSet
from fairway.rollout.plan import ChangeSet, DeleteRun, DeleteSet

Sets = Sequence[ReplicaSet]


def scale(draft: Draft, one: ReplicaSet, count: int) -> bool:
    """Give a version so many pods; whether that changes their number."""
    wanted = str(draft.rollout.replicas)
    stale = one.notes.get(DESIRED) != wanted or (wanted == "0" and bool(one.deadline))
    if one.replicas == count and not stale:
        return False
    notes: dict[str, str | None] = {}
    if one.notes.get(DESIRED) != wanted:
        notes[DESIRED] = one.notes[DESIRED] = wanted
    if count == 0 and one.deadline and not delays_abort(draft):
        notes[DEADLINE] = None
        one.notes.pop(DEADLINE)
    before, one.replicas = one.replicas, count
    if before == count and not notes:
        return False
    draft.actions.append(
        ChangeSet(name=one.name, replicas=count if before != count else None, notes=notes)
    )
    if before == count:
        return False
    how = "up" if count > before else "down"
    draft.tell(
        "ScalingReplicaSet",
        f"Scaled {how} ReplicaSet {one.name} (revision {one.revision}) from {before} to {count}",
    )
    return True


def needs_only_scaling(draft: Draft) -> bool:
    """Whether the number of wanted pods changed: then nothing but sizes is looked at."""
    for one in (draft.new, draft.stable):
        if one is not None and one.replicas > 0:
            desired = one.desired()
            if desired is not None and desired != draft.rollout.replicas:
                return True
    return False


# ---- the new version -----------------------------------------------------------------------------


def delays_abort(draft: Draft) -> bool:
    """Whether an aborted version is kept for a while before it is scaled down."""
    rollout = draft.rollout
    if not draft.pause.aborted or draft.stable is None:
        return False
    if rollout.canary is not None and rollout.routing is None:
        return False
    return rollout.abort_delay_s is not None


def scale_new(draft: Draft) -> bool:
    """Give the new version the pods it shall have; whether their number changes."""
    new = draft.new
    if new is None:
        return False
    count = counts.new_count(draft.rollout, new, draft.stable, draft.sets)
    if delays_abort(draft):
        held = _held_after_abort(draft, new)
        if held is None:
            return False
        count = held if held >= 0 else count
    elif draft.pause.aborted and _in_use(draft, new) and count < new.replicas:
        scale(draft, new, new.replicas)  # its traffic goes first
        return False
    return scale(draft, new, count)


def _held_after_abort(draft: Draft, new: ReplicaSet) -> int | None:
    """None while the aborted version is kept, 0 when its time is over, -1 where none was set."""
    delay = draft.rollout.abort_delay_s
    if new.deadline:
        left = remaining(new, draft.now)
        if left is None:
            return 0 if not _in_use(draft, new) else None
        draft.later(left)
        scale(draft, new, new.replicas)
        return None
    scale(draft, new, new.replicas)
    stable = draft.stable
    ready = stable is not None and stable.available >= draft.rollout.replicas
    if ready and delay and new.replicas and not _in_use(draft, new):
        at = objects.after(draft.now, delay)
        draft.annotate(new, DEADLINE, objects.written(at))
        draft.until(at)
    return None


def _in_use(draft: Draft, one: ReplicaSet) -> bool:
    """Whether an aborted version may still get requests: not all of the way back is confirmed."""
    rollout = draft.rollout
    if rollout.routing is not None:
        now = (draft.status.get("canary") or {}).get("weights")
        told = (one for one in (rollout.weights, now) if one)
        return draft.unconfirmed or any(one["canary"]["weight"] for one in told)
    if rollout.blue_green is not None:
        return draft.selects(str(rollout.blue_green.get("activeService"))) == one.hash
    return False


def remove_deadlines(draft: Draft) -> None:
    """New and stable version stay: one that came back within its delay is not scaled down."""
    keep = [] if delays_abort(draft) else [draft.new]
    for one in (*keep, draft.stable):
        if one is not None and one.deadline and not (one is draft.new and delays_abort(draft)):
            draft.annotate(one, DEADLINE, None)


# ---- older versions ------------------------------------------------------------------------------


def referenced(draft: Draft, one: ReplicaSet) -> bool:
    """Whether the status, a Service or a route still points at a version."""
    rollout = draft.rollout
    hashes = {
        rollout.stable,
        rollout.current,
        rollout.shown.get("activeSelector"),
        rollout.shown.get("previewSelector"),
    }
    weights = draft.status.get("canary", {}).get("weights") or rollout.weights
    if weights:
        hashes |= {weights[side].get("podTemplateHash") for side in ("canary", "stable")}
    part = rollout.canary if rollout.canary is not None else rollout.blue_green or {}
    names = ("canaryService", "stableService", "activeService", "previewService")
    hashes |= {draft.selects(part[name]) for name in names if part.get(name)}
    return bool(one.hash) and one.hash in hashes


def delay(draft: Draft, one: ReplicaSet, kept: int, count: int) -> tuple[int, int]:
    """Pods that an old version keeps during its delay (`count`, or 0), and how many are kept."""
    limit = draft.rollout.delayed_revisions
    if not one.deadline:
        if kept >= limit or one.replicas == 0:
            return kept, 0
        seconds = draft.rollout.scale_down_delay_s
        if seconds <= 0:
            return kept, 0
        at = objects.after(draft.now, seconds)
        draft.annotate(one, DEADLINE, objects.written(at))
        draft.until(at)
        return kept + 1, one.replicas
    left = remaining(one, draft.now)
    if left is None or kept + 1 > limit:
        return kept + 1, 0
    draft.later(left)
    return kept + 1, count


def clean_up(draft: Draft) -> None:
    """Remove the oldest versions beyond `revisionHistoryLimit`, with their analysis runs."""
    limit = objects.given(draft.rollout.spec.get("revisionHistoryLimit"), 10)
    old = sorted((one for one in draft.others if not one.deleting), key=lambda one: one.created)
    for one in old[: max(0, len(old) - limit)]:
        if one.actual or one.replicas or not one.settled or referenced(draft, one):
            continue
        draft.actions.append(DeleteSet(one.name))
        for run in draft.seen.runs:
            if (run["metadata"].get("labels") or {}).get(objects.HASH) == one.hash:
                draft.actions.append(DeleteRun(run["metadata"]["name"]))


def by_revision(sets: Sets) -> list[ReplicaSet]:
    """The newest revision first."""
    return sorted(sets, key=lambda one: (one.revision, one.created), reverse=True)
