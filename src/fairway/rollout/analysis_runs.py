"""A Rollout's analysis runs: which are made, ended and removed, and what their verdicts do.

Only a verdict that is there promotes. A run that failed or erred aborts the update; one that could
not tell pauses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from fairway.kube import Json, objects
from fairway.model.errors import FairwayError
from fairway.rollout import steps
from fairway.rollout.analysis import history, making
from fairway.rollout.crds import ROLLOUT
from fairway.rollout.draft import Draft
from fairway.rollout.objects import HASH, REVISION
from fairway.rollout.plan import CreateRun, DeleteRun, EndRun

INCONCLUSIVE: Final = "InconclusiveAnalysisRun"
_DONE: Final = frozenset({"Successful", "Failed", "Error", "Inconclusive"})
_BAD: Final = frozenset({"Failed", "Error"})


class Place(Struct, frozen=True):
    """Where in the status a current run is remembered, and how it is called."""

    part: str
    field: str
    type: str
    words: str  # before "analysis phase error/failed"


STEP: Final = Place("canary", "currentStepAnalysisRunStatus", "Step", "Step-based")
BACKGROUND: Final = Place(
    "canary", "currentBackgroundAnalysisRunStatus", "Background", "Background"
)
PRE: Final = Place(
    "blueGreen", "prePromotionAnalysisRunStatus", "PrePromotion", "Blue/green pre-promotion"
)
POST: Final = Place(
    "blueGreen", "postPromotionAnalysisRunStatus", "PostPromotion", "Blue/green post-promotion"
)
PLACES: Final = (POST, PRE, STEP, BACKGROUND)


def phase(run: Mapping[str, Any] | None) -> str:
    """A run's phase; "" before it has one."""
    return str(((run or {}).get("status") or {}).get("phase") or "")


def current(draft: Draft, place: Place) -> Json | None:
    """The run that the status remembers at a place."""
    told = (draft.rollout.status.get(place.part) or {}).get(place.field) or {}
    name = told.get("name")
    return next((one for one in draft.seen.runs if name and objects.key(one).name == name), None)


def settle(draft: Draft) -> None:
    """Make, end and remove runs; remember the current ones, and act on their verdicts."""
    rollout = draft.rollout
    if (
        rollout.promoted
        or not rollout.stable
        or draft.pause.aborted
        or rollout.status.get("promoteFull")
        or draft.fast_rollback
    ):
        kept = _without_analysis(draft)
    elif rollout.canary is not None:
        kept = {STEP: _step(draft), BACKGROUND: _background(draft)}
    else:
        kept = {PRE: _promotion(draft, PRE), POST: _promotion(draft, POST)}
    _remember(draft, kept)
    names = {objects.key(one).name for one in kept.values() if one}
    places = [current(draft, place) for place in PLACES]
    names |= {objects.key(one).name for one in places if one}
    others = [one for one in draft.seen.runs if objects.key(one).name not in names]
    for one in others:
        end(draft, one)
    _remove(draft, others)


def _without_analysis(draft: Draft) -> dict[Place, Json | None]:
    runs = {place: current(draft, place) for place in PLACES}
    for run in runs.values():
        end(draft, run)
    return {place: run for place, run in runs.items() if place in (PRE, POST)}


def end(draft: Draft, run: Json | None) -> None:
    """Have a run terminate that is not done."""
    if run is None or phase(run) in _DONE or (run.get("spec") or {}).get("terminate"):
        return
    draft.actions.append(EndRun(objects.key(run).name))


def _remove(draft: Draft, others: list[Json]) -> None:
    limits = draft.rollout.spec.get("analysis") or {}
    names = history.to_delete(
        others,
        [one.obj for one in draft.sets],
        successful=int(limits.get("successfulRunHistoryLimit", 5)),
        unsuccessful=int(limits.get("unsuccessfulRunHistoryLimit", 5)),
    )
    draft.actions.extend(DeleteRun(name) for name in names)


def _remember(draft: Draft, kept: Mapping[Place, Json | None]) -> None:
    part = "canary" if draft.rollout.canary is not None else "blueGreen"
    for place in PLACES:
        run = kept.get(place)
        if place.part != part or run is None:
            draft.put(None, place.part, place.field)
            continue
        told = {"name": objects.key(run).name, "status": phase(run)}
        message = (run.get("status") or {}).get("message")
        _tell(draft, place, run)
        draft.put({**told, **({"message": message} if message else {})}, place.part, place.field)


def _tell(draft: Draft, place: Place, run: Json) -> None:
    """An event when a run got another phase."""
    before = (draft.rollout.status.get(place.part) or {}).get(place.field)
    name, now = objects.key(run).name, phase(run)
    if not now or (before and (before["name"] != name or before["status"] == now)):
        return
    was = before["status"] if before else "NoPreviousStatus"
    draft.tell(
        f"AnalysisRun{now}",
        f"{place.type} Analysis Run '{name}' Status New: '{now}' Previous: '{was}'",
        warning=now in _BAD,
    )


# ---- canary --------------------------------------------------------------------------------------


def _step(draft: Draft) -> Json | None:
    rollout, run = draft.rollout, current(draft, STEP)
    if rollout.status.get("pauseConditions") or rollout.status.get("abort"):
        return run
    at, step = steps.index(rollout), steps.current(rollout) or {}
    analysis = step.get("analysis") or {}
    former = run is not None and objects.labels(run).get("step-index") != str(at)
    if not analysis.get("templates") or former:
        end(draft, run)
        if not analysis.get("templates"):
            return None
        run = None
    if _needs_new(draft, run):
        return _make(draft, STEP, analysis, infix=str(at))
    _judge(draft, STEP, run)
    return run


def _background(draft: Draft) -> Json | None:
    rollout, run = draft.rollout, current(draft, BACKGROUND)
    analysis = (rollout.canary or {}).get("analysis") or {}
    if not analysis.get("templates"):
        end(draft, run)
        return None
    if not rollout.current or steps.before_analysis(rollout):
        return None
    if rollout.paused_for(INCONCLUSIVE):
        return run
    if _needs_new(draft, run):
        return _make(draft, BACKGROUND, analysis)
    _judge(draft, BACKGROUND, run)
    return run


def _judge(draft: Draft, place: Place, run: Json | None) -> None:
    verdict = phase(run)
    if verdict == "Inconclusive":
        draft.pause.added.append(INCONCLUSIVE)
    elif verdict in _BAD:
        message = ((run or {}).get("status") or {}).get("message")
        words = f"{place.words} analysis phase error/failed"
        draft.pause.abort = f"{words}: {message}" if message else words


def _needs_new(draft: Draft, run: Json | None) -> bool:
    """A first one, one after a resumed inconclusive pause, or one after abort and retry."""
    rollout = draft.rollout
    if run is None:
        return True
    waiting = rollout.paused_for("CanaryPauseStep") or rollout.paused_for("BlueGreenPause")
    if rollout.status.get("controllerPause") and not waiting:
        return phase(run) == "Inconclusive"
    return bool(rollout.status.get("abortedAt"))


# ---- blue/green ----------------------------------------------------------------------------------


def _promotion(draft: Draft, place: Place) -> Json | None:
    field = "prePromotionAnalysis" if place is PRE else "postPromotionAnalysis"
    run, analysis = current(draft, place), (draft.rollout.blue_green or {}).get(field) or {}
    if not analysis.get("templates"):
        end(draft, run)
        return None
    if _skipped(draft, place, run):
        end(draft, run)
    elif not draft.rollout.paused_for(INCONCLUSIVE) and _needs_new(draft, run):
        run = _make(draft, place, analysis, infix="pre" if place is PRE else "post")
    _judge(draft, place, run)
    return run


def _skipped(draft: Draft, place: Place, run: Json | None) -> bool:
    """Whether it is not the time for it. One that has begun goes on when a pod is lost."""
    rollout, new = draft.rollout, draft.new
    active = str(rollout.shown.get("activeSelector") or "")
    if new is None or rollout.stable == new.hash:
        return True
    if place is PRE and active in ("", new.hash):
        return True
    if place is POST and active != new.hash:
        return True
    if run is not None:
        return False
    preview = (rollout.blue_green or {}).get("previewReplicaCount")
    if place is PRE and preview is not None:
        return not new.replicas == new.available == int(preview)
    return not new.saturated(rollout.replicas)


def done(draft: Draft, place: Place) -> bool:
    """Whether the run at a place was successful."""
    return phase(current(draft, place)) == "Successful"


# ---- making --------------------------------------------------------------------------------------


def _make(
    draft: Draft, place: Place, analysis: Mapping[str, Any], *, infix: str = ""
) -> Json | None:
    """A new run, or the one that was made for the same and then forgotten."""
    parts = (draft.rollout.name, draft.hash, str(_revision(draft)), infix)
    base = "-".join(part for part in parts if part)
    try:
        body = _body(draft, place, analysis, base)
    except FairwayError as error:
        draft.tell(
            "ReconciliationError", f"Reconciliation failed with error: {error}", warning=True
        )
        draft.later(10)
        return None
    there = {objects.key(one).name: one for one in draft.seen.runs}
    name, count = base, 0
    while name in there:
        found = there[name]
        if phase(found) not in _DONE and making.same_spec(body["spec"], found["spec"]):
            return found
        count += 1
        name = f"{base}.{count}"
    body["metadata"]["name"] = name
    draft.actions.append(CreateRun(body))
    return body


def _body(draft: Draft, place: Place, analysis: Mapping[str, Any], name: str) -> Json:
    rollout = draft.rollout
    own, of_cluster = making.templates(analysis["templates"], _finder(draft))
    metadata = analysis.get("analysisRunMetadata") or {}
    labels = {HASH: draft.hash, "rollout-type": place.type}
    if place is STEP:
        labels["step-index"] = str(steps.index(rollout))
    labels |= metadata.get("labels") or {}
    labels |= rollout.selector.get("matchLabels") or {}
    body = making.compose(
        name=name,
        namespace=rollout.namespace,
        templates=own,
        cluster_templates=of_cluster,
        args=making.arguments(
            analysis.get("args") or (),
            rollout.obj,
            stable_hash=draft.stable.hash if draft.stable else "",
            latest_hash=draft.hash,
        ),
        dry_run=analysis.get("dryRun") or (),
        retention=analysis.get("measurementRetention") or (),
        labels=labels,
        annotations={REVISION: str(_revision(draft)), **(metadata.get("annotations") or {})},
    )
    body["metadata"]["ownerReferences"] = [objects.owner_reference(rollout.obj, ROLLOUT)]
    return body


def _revision(draft: Draft) -> int:
    return draft.new.revision if draft.new else draft.rollout.revision


def _finder(draft: Draft) -> making.Find:
    def find(name: str, cluster: bool, /) -> Json | None:  # noqa: FBT001 as `making.Find` calls it
        return (draft.seen.cluster_templates if cluster else draft.seen.templates).get(name)

    return find
