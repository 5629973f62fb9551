"""What a person does to a Rollout, as patches of its object: those that the original's own command
line makes, so that each works on the other's controller. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from fairway.model.errors import Conflict, InvalidInput, NotFound

HASH: Final = "rollouts-pod-template-hash"
REVISION: Final = "rollout.argoproj.io/revision"
Json = dict[str, Any]


class Patches(Struct, frozen=True):
    """Merge patches of the status (first) and of the object; None for nothing."""

    status: Json | None = None
    spec: Json | None = None


def _status(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = obj.get("status") or {}
    return found


def _steps(obj: Mapping[str, Any]) -> list[Any]:
    canary = ((obj.get("spec") or {}).get("strategy") or {}).get("canary") or {}
    return list(canary.get("steps") or ())


def promote(obj: Mapping[str, Any], *, skip: str = "") -> Patches:
    """End a pause, or go to the next step. `skip`: `step` the current one, `steps` all of them,
    `full` steps, pauses and analyses. Raises `InvalidInput` (code `no-steps`)."""
    status, steps = _status(obj), _steps(obj)
    if skip in ("step", "steps") and not steps:
        raise InvalidInput("it has no steps to skip", code="no-steps")
    unpause = {"spec": {"paused": False}} if (obj.get("spec") or {}).get("paused") else None
    if skip == "steps":
        return Patches(status={"currentStepIndex": len(steps)})
    if skip == "step":
        return Patches(status={"pauseConditions": None, "currentStepIndex": _next(status, steps)})
    if skip == "full":
        moving = status.get("currentPodHash") != status.get("stableRS")
        return Patches({"promoteFull": True} if moving else None, unpause)
    return Patches(_resumed(status, steps), unpause)


def _resumed(status: Mapping[str, Any], steps: list[Any]) -> Json | None:
    """The pauses are cleared, else the step is counted on; both only for an analysis that could
    not tell, whose run would pause it again."""
    pauses = status.get("pauseConditions") or ()
    if pauses and status.get("controllerPause") and _inconclusive(status) and steps:
        at = _next(status, steps)
        return {"pauseConditions": None, "controllerPause": False, "currentStepIndex": at}
    if pauses:
        return {"pauseConditions": None}
    return {"pauseConditions": None, "currentStepIndex": _next(status, steps)} if steps else None


def _next(status: Mapping[str, Any], steps: list[Any]) -> int:
    return min(int(status.get("currentStepIndex") or 0) + 1, len(steps))


def _inconclusive(status: Mapping[str, Any]) -> bool:
    run = (status.get("canary") or {}).get("currentStepAnalysisRunStatus") or {}
    return run.get("status") == "Inconclusive"


def abort(obj: Mapping[str, Any]) -> Patches:
    """Back to the stable version. Raises `Conflict` (code `nothing-to-abort`)."""
    status = _status(obj)
    if status.get("currentPodHash") == status.get("stableRS"):
        raise Conflict("no update is under way: there is nothing to abort", code="nothing-to-abort")
    return Patches(status={"abort": True})


def retry(obj: Mapping[str, Any]) -> Patches:
    """Begin an aborted update again. Raises `Conflict` (code `not-aborted`)."""
    if not _status(obj).get("abort"):
        raise Conflict("it was not aborted: there is nothing to retry", code="not-aborted")
    return Patches(status={"abort": False})


def pause(obj: Mapping[str, Any], *, on: bool) -> Patches:
    """Hold everything as it is, or go on."""
    del obj
    return Patches(spec={"spec": {"paused": on}})


def undo(
    obj: Mapping[str, Any], sets: Iterable[Mapping[str, Any]], revision: int = 0
) -> tuple[list[Json], int]:
    """A JSON patch that brings an earlier revision's template back (0: the one before), and which.

    Raises `NotFound` (code `no-revision`) with the revisions that there are.
    """
    uid = obj["metadata"]["uid"]
    found = {_revision(one): one for one in sets if _owned(one, uid)}
    before = sorted(number for number in found if number < max(found, default=0))
    wanted = revision or (before[-1] if before else 0)
    if wanted not in found:
        known = ", ".join(map(str, sorted(found))) or "none"
        raise NotFound(
            f"there is no revision {revision or 'before this one'} to go back to "
            f"(there are: {known})",
            code="no-revision",
        )
    template = dict(found[wanted]["spec"]["template"])
    metadata = dict(template.get("metadata") or {})
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != HASH}
    template["metadata"] = {**metadata, "labels": labels}
    return [{"op": "replace", "path": "/spec/template", "value": template}], wanted


def _revision(one: Mapping[str, Any]) -> int:
    text = str((one["metadata"].get("annotations") or {}).get(REVISION) or "0")
    return int(text) if text.isdigit() else 0


def _owned(one: Mapping[str, Any], uid: str) -> bool:
    owners = one["metadata"].get("ownerReferences") or ()
    return any(each.get("controller") and each.get("uid") == uid for each in owners)
