"""The working state of one decision: what was observed, changed at once by what is decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairway.kube import Json
from fairway.kube import objects as objects_of
from fairway.rollout import counts, objects
from fairway.rollout.objects import HASH, Moment, ReplicaSet, Rollout
from fairway.rollout.plan import Action, ChangeSet, Seen, Tell


class Pause:
    """What one decision says about pauses and aborting."""

    def __init__(self, rollout: Rollout) -> None:
        self._rollout = rollout
        self.added: list[str] = []
        self.removed: set[str] = set()
        self.cleared = False
        self.abort = ""  # why the update is aborted now
        self.unaborted = False

    @property
    def aborted(self) -> bool:
        """Whether the update is aborted, by now."""
        return not self.unaborted and bool(self.abort or self._rollout.status.get("abort"))


class Draft:
    """One decision in the making. `status` becomes the new status."""

    def __init__(self, seen: Seen, now: Moment) -> None:
        self.seen = seen
        self.now = now
        self.rollout = Rollout(seen.rollout)
        self.actions: list[Action] = []
        self.again: float | None = None
        self.pause = Pause(self.rollout)
        self.status: Json = objects_of.copy(dict(self.rollout.status))
        self.conditions: list[Json] = self.status.get("conditions") or []
        self.unconfirmed = False  # the router has not confirmed the weights that were decided
        self.fast = False  # the new version is still up from before: within its delay
        self.sets = [ReplicaSet(one) for one in seen.sets]
        self.new: ReplicaSet | None = None
        self.stable: ReplicaSet | None = None
        self.others: list[ReplicaSet] = []

    # ---- versions --------------------------------------------------------------------------------

    def settle(self, new: ReplicaSet | None) -> None:
        """Which version is which, `new` being the wanted one."""
        self.new = new
        if new is not None and new.name not in {one.name for one in self.sets}:
            self.sets.append(new)
        self.stable = counts.by_hash(self.sets, self.rollout.stable)
        self.others = counts.others_of(self.sets, new, self.stable)

    @property
    def older(self) -> list[ReplicaSet]:
        """Every version but the new one."""
        return counts.others_of(self.sets, self.new)

    @property
    def hash(self) -> str:
        """The new version's pod hash."""
        return self.new.hash if self.new else ""

    @property
    def rolling_back(self) -> bool:
        """Whether the wanted version is the stable one, or older than it."""
        if self.new is None or self.stable is None:
            return False
        return self.rollout.stable == self.new.hash or self.new.created < self.stable.created

    @property
    def within_window(self) -> bool:
        """Whether it goes back by fewer revisions than `rollbackWindow` says."""
        size = (self.rollout.spec.get("rollbackWindow") or {}).get("revisions") or 0
        if self.new is None or self.stable is None or size <= 0:
            return False
        new, stable = self.new.created, self.stable.created
        return new < stable and sum(new < one.created < stable for one in self.sets) < size

    @property
    def fast_rollback(self) -> bool:
        """Whether it goes back to what is tried: no steps, no pauses."""
        if not self.rolling_back:
            return False
        warm = self.fast and self.rollout.blue_green is not None
        return self.within_window or warm or self.rollout.stable == self.hash

    @property
    def halted(self) -> bool:
        """Whether nothing moves: a person paused it, or an analysis could not tell."""
        return bool(
            self.rollout.spec.get("paused") or self.rollout.paused_for("InconclusiveAnalysisRun")
        )

    def selects(self, service: str) -> str:
        """The pod hash that a Service selects now, "" for none."""
        return selected(self.seen.services.get(service))

    # ---- what is decided -------------------------------------------------------------------------

    def tell(self, reason: str, message: str, *, warning: bool = False) -> None:
        """An event."""
        self.actions.append(Tell(reason, message, warning))

    def later(self, seconds: float) -> None:
        """Look again after so long at the latest."""
        self.again = seconds if self.again is None else min(self.again, seconds)

    def until(self, at: Moment) -> float:
        """Seconds until a time; looks again then."""
        left = (at - self.now).total_seconds()
        if left > 0:
            self.later(left)
        return left

    def annotate(self, one: ReplicaSet, note: str, value: str | None) -> None:
        """Set or remove a ReplicaSet's annotation."""
        if one.notes.get(note) == value:
            return
        self.actions.append(ChangeSet(name=one.name, notes={note: value}))
        if value is None:
            one.notes.pop(note, None)
        else:
            one.notes[note] = value

    def put(self, value: Any, *path: str) -> None:
        """Write a field of the status; what is empty is left out, as Go's `omitempty` does."""
        place = self.status
        for name in path[:-1]:
            place = place.setdefault(name, {})
        zero = value == 0 and not isinstance(value, bool) and path[-1] == "currentStepIndex"
        if value or zero:
            place[path[-1]] = value
        else:
            place.pop(path[-1], None)


def selected(service: Mapping[str, Any] | None) -> str:
    """The pod hash that a Service selects."""
    return str((((service or {}).get("spec") or {}).get("selector") or {}).get(HASH) or "")


def remaining(one: ReplicaSet, now: Moment) -> float | None:
    """Seconds until a ReplicaSet's deadline; None without one, or when it is over."""
    at = objects.moment(one.deadline) if one.deadline else None
    left = (at - now).total_seconds() if at else 0.0
    return left if left > 0 else None
