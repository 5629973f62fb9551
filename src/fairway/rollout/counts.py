"""How many pods each version has: the arithmetic of Argo Rollouts (utils/replicaset)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fairway.rollout import steps
from fairway.rollout.objects import MAX_WEIGHT, ReplicaSet, Rollout, available, given, total

Sets = Sequence[ReplicaSet]


def part(value: Any, whole: int, *, up: bool) -> int:
    """A number, or a percentage of `whole` (which also digits in quotes are)."""
    if isinstance(value, int):
        return value
    share = int(str(value).rstrip("%")) * whole
    return -(-share // 100) if up else share // 100


def fenceposts(rollout: Rollout) -> tuple[int, int]:
    """How many pods more than wanted there may be, and how many fewer available.

    25 % each by default. One of both is at least 1, or nothing could move.
    """
    found = rollout.canary or {}
    surge = part(_or(found.get("maxSurge"), "25%"), rollout.replicas, up=True)
    missing = part(_or(found.get("maxUnavailable"), "25%"), rollout.replicas, up=False)
    return surge, missing if surge or missing else 1


def _or(value: Any, default: str) -> Any:
    return default if value is None else value


def max_surge(rollout: Rollout) -> int:
    """How many pods more than wanted there may be; blue/green has its second version besides."""
    return 0 if rollout.canary is None else fenceposts(rollout)[0]


def max_unavailable(rollout: Rollout) -> int:
    """How many of the wanted pods may be unavailable."""
    if rollout.canary is not None:
        found = fenceposts(rollout)[1]
    else:
        value = _or((rollout.blue_green or {}).get("maxUnavailable"), "25%")
        found = part(value, rollout.replicas, up=False)
    return min(found, rollout.replicas)


def wanted_weight(rollout: Rollout) -> tuple[int | None, int]:
    """What the canary's size follows: a number of pods, else a weight."""
    if rollout.status.get("promoteFull") or not rollout.stable or rollout.promoted:
        return None, MAX_WEIGHT
    scale = steps.canary_scale(rollout)
    if scale is not None and scale.get("replicas") is not None:
        return int(scale["replicas"]), 0
    if scale is not None and scale.get("weight") is not None:
        return None, int(scale["weight"])
    return None, steps.current_weight(rollout)


def routed(rollout: Rollout) -> tuple[int, int]:
    """Pods of the canary and of the stable version where a router splits the traffic."""
    count, weight = wanted_weight(rollout)
    if count is None:
        count = at_least(rollout, math.ceil(weight * rollout.replicas / MAX_WEIGHT))
    return count, rollout.replicas


def at_least(rollout: Rollout, count: int) -> int:
    """`minPodsPerReplicaSet`, for a version that has pods at all."""
    least = (rollout.canary or {}).get("minPodsPerReplicaSet")
    if not count or least is None or rollout.routing is None:
        return count
    return max(count, min(int(least), rollout.replicas))


def distinct(new: ReplicaSet | None, stable: ReplicaSet | None) -> bool:
    """Whether there is a stable version besides the new one."""
    return stable is not None and (new is None or new.name != stable.name)


def wanted(
    rollout: Rollout, new: ReplicaSet | None, stable: ReplicaSet | None, others: Sets
) -> tuple[int, int]:
    """Pods that the canary and the stable version shall have next."""
    if rollout.routing is not None:
        return routed(rollout)
    return basic(rollout, new, stable, others)


# ---- without a router ----------------------------------------------------------------------------


def closest(replicas: int, weight: int, surge: int) -> tuple[int, int]:
    """The numbers of canary and stable pods whose share is closest to the weight.

    One pod more than wanted may serve that. With two pods or more, neither side of a weight
    between 0 and 100 is empty; of two that are equally close it is the one with more canaries.
    """
    if replicas == 0:
        return 0, 0
    up, down = math.ceil(replicas * weight / MAX_WEIGHT), replicas * weight // MAX_WEIGHT
    zero = weight in (0, MAX_WEIGHT) or (replicas == 1 and surge == 0)
    options: list[tuple[int, int]] = []
    if up < replicas or zero:
        options.append((up, replicas))
    if not _tied(weight, replicas) and (down or zero):
        options.append((down, replicas))
    if surge > 0:
        options.append((up, replicas + 1))
        if not _tied(weight, replicas + 1) and (down or zero):
            options.append((down, replicas + 1))
    if not options:
        return 0, replicas
    canary, whole = min(options, key=lambda one: abs(one[0] * MAX_WEIGHT / one[1] - weight))
    return canary, whole - canary


def _tied(weight: int, pods: int) -> bool:
    return math.modf(pods * (weight / MAX_WEIGHT))[0] == 0.5


def basic(
    rollout: Rollout, new: ReplicaSet | None, stable: ReplicaSet | None, others: Sets
) -> tuple[int, int]:
    """Pods of canary and stable version whose number alone splits the traffic, within the bounds
    of maxSurge and maxUnavailable: a step on the way, not always its end."""
    surge = max_surge(rollout)
    goal_new, goal_stable = closest(rollout.replicas, wanted_weight(rollout)[1], surge)
    both = distinct(new, stable)
    if not both:
        goal_new, goal_stable = rollout.replicas, 0
    side = stable if both else None
    most = rollout.replicas + surge
    room = most - total([*others, *(one for one in (new, side) if one is not None)])
    count_new, count_stable = _scaled_up(new, side, (goal_new, goal_stable), room)
    if total(others) > 0:
        return count_new, count_stable  # older versions go first
    least = rollout.replicas - max_unavailable(rollout)
    growing = new is None or goal_new >= new.replicas
    kept = _for_scale_down(new, ignoring=not growing) + _for_scale_down(stable, ignoring=growing)
    if kept <= least:
        return count_new, count_stable
    if new is not None and not growing:
        count_new = _drained(new, goal_new, kept - least)
        return _within((new, count_new), (stable, count_stable), most, least)
    if side is not None:
        if side.replicas > goal_stable:
            count_stable = _drained(side, goal_stable, kept - least)
        pair = _within((side, count_stable), (new, count_new), most, least)
        return pair[1], pair[0]
    return count_new, count_stable


def _scaled_up(
    new: ReplicaSet | None, stable: ReplicaSet | None, goals: tuple[int, int], room: int
) -> tuple[int, int]:
    """The stable version first, then the new one, as far as there is room."""
    count_new, count_stable = (one.replicas if one else 0 for one in (new, stable))
    if stable is not None and count_stable < goals[1] and room > 0:
        more = min(room, goals[1] - count_stable)
        count_stable, room = count_stable + more, room - more
    if new is not None and count_new < goals[0] and room > 0:
        count_new += min(room, goals[0] - count_new)
    return count_new, count_stable


def _drained(one: ReplicaSet, goal: int, most: int) -> int:
    return max(goal, one.replicas - most) if one.replicas > goal else one.replicas


def _for_scale_down(one: ReplicaSet | None, *, ignoring: bool) -> int:
    """Pods that count as available. A side that shrinks anyhow counts with all it has: pods that
    cannot start would keep it up for ever."""
    if one is None:
        return 0
    return one.replicas if ignoring or one.replicas < one.available else one.available


def _within(
    drained: tuple[ReplicaSet | None, int],
    other: tuple[ReplicaSet | None, int],
    most: int,
    least: int,
) -> tuple[int, int]:
    """The drained side and the other one, brought within the most pods there may be; the other
    side gets back what the least that is available needs."""
    (first, count), (second, rest) = drained, other
    over = max(0, count + rest - most)
    if second is None:
        return count, rest
    up = min(first.available, count) if first else 0
    rest -= over
    up += min(second.available, rest)
    lost = max(0, second.available - rest)
    rest += min(lost, max(0, least - up))
    return count - max(0, count + rest - most), rest


# ---- whether it is so ----------------------------------------------------------------------------


def at_desired(
    rollout: Rollout, new: ReplicaSet | None, stable: ReplicaSet | None, others: Sets
) -> bool:
    """Whether canary and stable version have the pods that the current step asks for."""
    count_new, count_stable = wanted(rollout, new, stable, others)
    if new is None or not (count_new == new.replicas == new.available):
        return False
    if stable is None or not (count_stable == stable.replicas == stable.actual):
        return False
    return rollout.routing is not None or available(others) == 0


def new_count(rollout: Rollout, new: ReplicaSet, stable: ReplicaSet | None, sets: Sets) -> int:
    """Pods that the new version shall have next, by either strategy."""
    if rollout.blue_green is None:
        return wanted(rollout, new, stable, others_of(sets, new, stable))[0]
    return preview_count(rollout, new, sets)


def preview_count(rollout: Rollout, new: ReplicaSet, sets: Sets) -> int:
    """`previewReplicaCount` until the pause is over, then all pods."""
    preview = (rollout.blue_green or {}).get("previewReplicaCount")
    if preview is None:
        return rollout.replicas
    active = by_hash(sets, str(rollout.shown.get("activeSelector") or ""))
    if active is None or active.name == new.name or rollout.status.get("promoteFull"):
        return rollout.replicas
    if new.hash != rollout.current:
        return given(preview, 0)
    going = not rollout.spec.get("paused") and not rollout.status.get("pauseConditions")
    if going and rollout.shown.get("scaleUpPreviewCheckPoint"):
        return rollout.replicas
    return given(preview, 0)


def by_hash(sets: Sets, hash_: str) -> ReplicaSet | None:
    """A version by its pod hash."""
    return next((one for one in sets if hash_ and one.hash == hash_), None)


def others_of(sets: Sets, *named: ReplicaSet | None) -> list[ReplicaSet]:
    """All versions but these."""
    names = {one.name for one in named if one is not None}
    return [one for one in sets if one.name not in names]
