"""The patches that a person's commands make: the original's own."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.client import rollouts
from fairway.client.rollouts import Patches
from fairway.model.errors import Conflict, InvalidInput, NotFound

STEPS = [{"setWeight": 20}, {"pause": {}}]
PAUSES = [{"reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z"}]


def canary(steps: list[Any] | None = None, paused: bool = False, **status: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {"strategy": {"canary": {"steps": STEPS if steps is None else steps}}}
    return {
        "metadata": {"uid": "u"},
        "spec": {**spec, "paused": True} if paused else spec,
        "status": {"stableRS": "a", "currentPodHash": "b", **status},
    }


def test_promoting_a_pause_clears_it_and_nothing_else() -> None:
    found = rollouts.promote(canary(pauseConditions=PAUSES, currentStepIndex=1))
    assert found == Patches({"pauseConditions": None})


def test_promoting_between_pauses_goes_to_the_next_step_and_never_past_the_last() -> None:
    found = rollouts.promote(canary())
    assert found == Patches({"pauseConditions": None, "currentStepIndex": 1})
    past = rollouts.promote(canary(currentStepIndex=2)).status
    assert past == {"pauseConditions": None, "currentStepIndex": 2}


def test_promoting_what_an_analysis_could_not_tell_goes_past_it() -> None:
    run = {"currentStepAnalysisRunStatus": {"name": "x", "status": "Inconclusive"}}
    found = rollouts.promote(
        canary(pauseConditions=PAUSES, controllerPause=True, currentStepIndex=0, canary=run)
    )
    wanted = {"pauseConditions": None, "controllerPause": False, "currentStepIndex": 1}
    assert found == Patches(wanted)


def test_promoting_what_a_person_holds_lets_it_go() -> None:
    found = rollouts.promote(canary(paused=True, pauseConditions=PAUSES))
    assert found.spec == {"spec": {"paused": False}}


def test_full_promotion_asks_for_it_while_an_update_is_under_way() -> None:
    assert rollouts.promote(canary(), skip="full") == Patches({"promoteFull": True})
    assert rollouts.promote(canary(currentPodHash="a"), skip="full") == Patches()


def test_steps_are_skipped_where_there_are_any() -> None:
    assert rollouts.promote(canary(), skip="steps").status == {"currentStepIndex": 2}
    one = {"pauseConditions": None, "currentStepIndex": 1}
    assert rollouts.promote(canary(), skip="step").status == one
    with pytest.raises(InvalidInput, match="no steps"):
        rollouts.promote(canary([]), skip="step")


def test_only_an_update_is_aborted_and_only_an_aborted_one_retried() -> None:
    assert rollouts.abort(canary()) == Patches({"abort": True})
    with pytest.raises(Conflict, match="nothing to abort"):
        rollouts.abort(canary(currentPodHash="a"))
    assert rollouts.retry(canary(abort=True)) == Patches({"abort": False})
    with pytest.raises(Conflict, match="not aborted"):
        rollouts.retry(canary())


def replica_set(revision: str, owner: str = "u") -> dict[str, Any]:
    labels = {"app": "web", rollouts.HASH: "abc"}
    return {
        "metadata": {
            "annotations": {rollouts.REVISION: revision},
            "ownerReferences": [{"uid": owner, "controller": True}],
        },
        "spec": {"template": {"metadata": {"labels": labels}, "spec": {"x": revision}}},
    }


def test_undo_takes_the_revision_before_or_the_one_that_is_named() -> None:
    sets = [replica_set("1"), replica_set("2"), replica_set("3"), replica_set("9", "other")]
    operations, wanted = rollouts.undo(canary(), sets)
    assert wanted == 2
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"x": "2"}}
    assert operations == [{"op": "replace", "path": "/spec/template", "value": template}]
    assert rollouts.undo(canary(), sets, 1)[1] == 1
    with pytest.raises(NotFound, match=r"there are: 1, 2, 3"):
        rollouts.undo(canary(), sets, 9)
