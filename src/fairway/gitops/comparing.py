"""An application compared with its cluster: which objects differ, are missing or too many, and how
well it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from fairway.gitops import health, tracking
from fairway.gitops.annotations import (
    COMPARE_OPTIONS,
    IGNORE_HEALTH,
    has_option,
    is_hook,
    is_ignored,
    is_skipped,
    wave,
)
from fairway.gitops.application import Ignored
from fairway.gitops.diff import Differ
from fairway.gitops.objects import (
    HEALTHY,
    MISSING,
    UNKNOWN,
    Comparison,
    Condition,
    Difference,
    Health,
    Json,
    ObjectKey,
    Pair,
    ResourceResult,
    SyncStatus,
    Target,
    Targets,
    key_of,
    split_version,
)
from fairway.kit.aio import blocking
from fairway.kube import objects
from fairway.model.errors import InvalidInput
from fairway.native.toolbox import Toolbox

_APPLICATION = ("argoproj.io", "Application")
_FAILED = "Failed to compare desired state to live state: "


class CompareRequest(Struct, frozen=True, kw_only=True):
    """What to compare. `live` holds the objects of the cluster that carry the application's
    tracking id, and those that are there under a target's key; None of its targets' hooks.
    """

    name: str
    namespace: str  # the application's own
    instance: str  # its name in tracking ids
    targets: Targets
    live: Mapping[ObjectKey, Json]
    ignore: tuple[Ignored, ...] = ()
    # What the API server says would come of a server-side apply, where that is how it is applied.
    predicted: Mapping[ObjectKey, Json] = {}
    forbidden: frozenset[ObjectKey] = frozenset()  # what the project does not allow
    problem: str = ""  # why the targets or the live objects are not all known


class Comparer:
    """Compares; what was equal once costs nothing until it changes."""

    def __init__(self, toolbox: Toolbox) -> None:
        self._differ = Differ(toolbox)

    async def compare(self, asked: CompareRequest) -> Comparison:
        """One application. What cannot be merged is a condition. Raises what `Toolbox` does that
        may be tried again.
        """
        return (await self.compare_all([asked]))[0]

    async def compare_all(self, asked: Sequence[CompareRequest]) -> list[Comparison]:
        """Several at once, which is cheaper than one after another."""
        return await blocking(self._compare, asked)

    def _compare(self, asked: Sequence[CompareRequest]) -> list[Comparison]:
        made = []
        for one in asked:
            pairs = paired(one)
            try:
                made.append(judged(one, pairs, self._differ.differences(pairs, one.ignore)))
            except InvalidInput as error:
                failed = replace(one, problem=f"{_FAILED}{error}")
                made.append(judged(failed, pairs, [_unknown(pair) for pair in pairs]))
        return made


def _unknown(pair: Pair) -> Difference:
    return Difference(modified=False, live=pair.live, predicted=pair.target)


def paired(asked: CompareRequest) -> list[Pair]:
    """Wanted and live objects by their keys; hooks are only live."""
    targets = {one.key: one.object for one in asked.targets.objects if not is_hook(one.object)}
    return [
        Pair(
            key=key,
            target=targets.get(key),
            live=asked.live.get(key),
            predicted=asked.predicted.get(key),
        )
        for key in sorted({*targets, *asked.live})
    ]


def judged(
    asked: CompareRequest, pairs: Sequence[Pair], differences: Sequence[Difference]
) -> Comparison:
    """What comes of it. Pure."""
    hooks = {one.key: one for one in asked.targets.objects if is_hook(one.object)}
    results = [
        _result(asked, pair, difference, hooks)
        for pair, difference in zip(pairs, differences, strict=True)
    ]
    status: SyncStatus = "OutOfSync" if any(map(_counts_against, results)) else "Synced"
    return Comparison(
        status="Unknown" if asked.problem else status,
        health=aggregate(results),
        resources=tuple(_known(asked, one) for one in results),
        conditions=(*asked.targets.conditions, *_shared(asked), *_problem(asked)),
    )


def _known(asked: CompareRequest, result: ResourceResult) -> ResourceResult:
    """Nothing can be said of an object when not all is known, or the project forbids it."""
    if asked.problem or result.key in asked.forbidden:
        return replace(result, status="Unknown")
    return result


def _problem(asked: CompareRequest) -> tuple[Condition, ...]:
    return (Condition("ComparisonError", asked.problem),) if asked.problem else ()


def _result(
    asked: CompareRequest,
    pair: Pair,
    difference: Difference,
    hooks: Mapping[ObjectKey, Target],
) -> ResourceResult:
    obj = pair.live or pair.target or {}
    own = _is_own(pair)
    hook = is_hook(obj)
    waved = pair.target or (hooks[pair.key].object if hook and pair.key in hooks else None)
    status = _status(pair, difference) if own and not _is_apart(pair, obj) else None
    return ResourceResult(
        key=pair.key,
        version=split_version(str(obj.get("apiVersion") or ""))[1],
        status=status,
        health=_health(asked, pair),
        target=pair.target,
        live=pair.live,
        difference=difference,
        hook=hook,
        requires_pruning=pair.target is None and own,
        wave=wave(waved) if waved else 0,
    )


def _is_own(pair: Pair) -> bool:
    """Whether its tracking id is its own, not copied from another object."""
    if pair.live is None:
        return True
    tracked = tracking.of(pair.live)
    if pair.target is not None or tracked is None:
        return True
    return tracking.is_own(pair.live, tracked)


def _is_apart(pair: Pair, obj: Json) -> bool:
    """Whether it has no part in the application's status."""
    return is_hook(obj) or (pair.target is not None and is_skipped(pair.target))


def _status(pair: Pair, difference: Difference) -> SyncStatus:
    both = pair.target is not None and pair.live is not None
    return "OutOfSync" if difference.modified or not both else "Synced"


def _counts_against(result: ResourceResult) -> bool:
    if result.status != "OutOfSync":
        return False
    extra = result.target is None and result.live is not None
    return not (extra and has_option(result.live or {}, COMPARE_OPTIONS, "IgnoreExtraneous"))


def _health(asked: CompareRequest, pair: Pair) -> Health | None:
    if pair.target is not None and is_skipped(pair.target):
        return None
    if pair.live is None:
        return Health(MISSING)
    if is_hook(pair.live) or objects.notes(pair.live).get(IGNORE_HEALTH) == "true":
        return None
    itself = ObjectKey(*_APPLICATION, asked.namespace, asked.name)
    return None if pair.key == itself else health.of(pair.live)


def aggregate(results: Iterable[ResourceResult]) -> Health:
    """An application's health: the worst of its live objects'. Missing ones only count where
    nothing is there at all (since Argo CD 3.4), nor do child applications of unknown health.
    """
    expected = alive = False
    found = []
    for one in results:
        if _is_left_out(one):
            continue
        expected, alive = True, alive or one.live is not None
        if one.health is None or one.live is None:
            continue
        child = one.key[:2] == _APPLICATION and one.health.status in {MISSING, UNKNOWN}
        if not child:
            found.append(one.health.status)
    worst = health.worst(found)
    if expected and not alive:
        worst = health.worst([worst, MISSING])
    return Health(worst or HEALTHY)


def _is_left_out(result: ResourceResult) -> bool:
    if result.target is not None and is_skipped(result.target):
        return True
    return result.live is not None and (is_hook(result.live) or is_ignored(result.live))


def _shared(asked: CompareRequest) -> list[Condition]:
    """Objects that carry another application's tracking id."""
    found = []
    for key in sorted(asked.live):
        tracked = tracking.of(asked.live[key])
        if tracked is None or tracked.instance in {"", asked.instance}:
            continue
        own = f"{asked.namespace}/{asked.name}" if asked.namespace else asked.name
        other = tracked.instance.replace("_", "/")
        said = f"{key.kind}/{key.name} is part of applications {own} and {other}"
        found.append(Condition("SharedResourceWarning", said))
    return found


def live_by_key(found: Iterable[Json]) -> dict[ObjectKey, Json]:
    """Objects by their keys."""
    return {key_of(one): one for one in found}
