"""An operation's life, when automation begins one, and what a status says."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.gitops import operating, status, telling
from fairway.gitops.application import Application, read, seconds
from fairway.gitops.automation import automatic, heal_wait_s
from fairway.gitops.masking import masked
from fairway.gitops.objects import (
    Comparison,
    Condition,
    Difference,
    Health,
    ObjectKey,
    ResourceResult,
)
from fairway.kit.clock import Millis
from fairway.model.errors import InvalidInput

Json = dict[str, Any]
NOW = Millis(1_767_225_600_000)  # 2026-01-01T00:00:00Z
SOURCE = {"repoURL": "https://git.example/shop", "path": "."}


def app(*, policy: Json | None = None, state: Json | None = None, **more: Any) -> Application:
    return read(
        {
            "metadata": {"name": "shop", "namespace": "argocd", "uid": "u"},
            "spec": {"project": "default", "source": SOURCE, "syncPolicy": policy or {}},
            "status": {"operationState": state} if state else {},
            **more,
        }
    )


def resource(name: str, state: str | None, *, prune: bool = False) -> ResourceResult:
    return ResourceResult(
        key=ObjectKey("", "ConfigMap", "shop", name),
        version="v1",
        status=state,  # type: ignore[arg-type]  # one of the three words
        health=None,
        target=None if prune else {},
        live={},
        difference=Difference(modified=True, live=None, predicted=None),
        requires_pruning=prune,
    )


def compared(*resources: ResourceResult) -> Comparison:
    bad = any(one.status == "OutOfSync" for one in resources)
    word: Any = "OutOfSync" if bad else "Synced"
    return Comparison(status=word, health=Health("Healthy"), resources=resources)


def synced(revision: str, *, phase: str = "Succeeded", heals: int = 0, at: Millis = NOW) -> Json:
    sync = {"autoHealAttemptsCount": heals} if heals else {}
    return {
        "phase": phase,
        "message": "no room",
        "operation": {"sync": sync},
        "startedAt": operating.text(at),
        "finishedAt": operating.text(at),
        "syncResult": {"revision": revision, "source": SOURCE},
    }


AUTO = {"automated": {"prune": True, "selfHeal": True}}


def test_automation_syncs_what_differs_once_for_each_revision() -> None:
    different = compared(resource("a", "OutOfSync"))
    first = automatic(app(policy=AUTO), different, "r1", NOW).operation
    assert first is not None
    assert first["sync"] == {"source": SOURCE, "revision": "r1", "prune": True}
    assert first["initiatedBy"] == {"automated": True}
    assert first["retry"] == {"limit": 5}
    plain: Json = {"automated": {}}
    again = automatic(app(policy=plain, state=synced("r1")), different, "r1", NOW)
    assert (again.operation, again.condition, again.wait_s) == (None, None, None)
    assert automatic(app(policy=plain, state=synced("r1")), different, "r2", NOW).operation


@pytest.mark.parametrize("policy", [{}, {"automated": {"enabled": False}}])
def test_without_automation_nothing_is_begun(policy: Json) -> None:
    found = automatic(app(policy=policy), compared(resource("a", "OutOfSync")), "r1", NOW)
    assert found.operation is None


def test_a_revision_that_failed_is_not_tried_again_and_says_so() -> None:
    failed = app(policy=AUTO, state=synced("r1", phase="Failed"))
    found = automatic(failed, compared(resource("a", "OutOfSync")), "r1", NOW)
    assert found.condition == Condition("SyncError", "Failed last sync attempt to [r1]: no room")


def test_healing_names_what_differs_and_waits_longer_each_time() -> None:
    different = compared(resource("a", "OutOfSync"), resource("b", "Synced"))
    found = automatic(app(policy=AUTO, state=synced("r1")), different, "r1", NOW).operation
    assert found is not None
    assert found["sync"]["resources"] == [{"kind": "ConfigMap", "name": "a"}]
    assert found["sync"]["autoHealAttemptsCount"] == 1
    again = automatic(app(policy=AUTO, state=synced("r1", heals=1)), different, "r1", NOW)
    assert again.wait_s == 2.0
    assert [heal_wait_s(n) for n in range(7)] == [0, 2, 6, 18, 54, 162, 300]


def test_automation_never_wipes_an_application_out_unless_that_is_allowed() -> None:
    gone = compared(resource("a", "OutOfSync", prune=True))
    found = automatic(app(policy=AUTO), gone, "r1", NOW)
    assert found.condition is not None
    assert "will wipe out all resources" in found.condition.message
    allowed = {"automated": {"prune": True, "allowEmpty": True}}
    assert automatic(app(policy=allowed), gone, "r1", NOW).operation


def test_without_prune_there_is_nothing_to_do_for_what_is_only_too_much() -> None:
    extra = compared(resource("a", "OutOfSync", prune=True), resource("b", "Synced"))
    assert automatic(app(policy={"automated": {}}), extra, "r1", NOW).operation is None


def test_what_failed_is_tried_again_after_pauses_that_grow_and_then_it_is_over() -> None:
    operation = {
        "sync": {"revision": "r1"},
        "retry": {"limit": 2, "backoff": {"duration": "10", "factor": 3, "maxDuration": "1m"}},
    }
    began = operating.begun(operation, SOURCE, NOW)
    first = operating.ended(began, "Failed", "no room", NOW)
    assert first["phase"] == "Running"
    assert first["message"] == "no room. Retrying attempt #1 at 12:00AM."
    assert operating.retry_wait(first, NOW) == 30.0
    assert operating.retry_wait(first, Millis(NOW + 30_000)) == 0.0
    again = operating.retried(first, SOURCE)
    assert (again["message"], again["retryCount"]) == ("Retrying operation. Attempt #1", 1)
    assert operating.retry_wait(again, NOW) is None
    second = operating.ended(again, "Failed", "no room", NOW)
    last = operating.ended(operating.retried(second, SOURCE), "Failed", "no room", NOW)
    assert (last["phase"], last["message"]) == ("Failed", "no room (retried 2 times).")


def test_what_was_terminated_is_not_tried_again() -> None:
    state = {**operating.begun({"retry": {"limit": 5}}, SOURCE, NOW), "phase": "Terminating"}
    assert operating.ended(state, "Failed", "Operation terminated", NOW)["phase"] == "Failed"


@pytest.mark.parametrize(
    ("text", "found"), [("5", 5.0), ("2m", 120.0), ("1h30m", 5400.0), ("300ms", 0.3)]
)
def test_durations_are_whole_seconds_or_as_go_writes_them(text: str, found: float) -> None:
    assert seconds(text) == pytest.approx(found)


def test_a_duration_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match="unable to parse soon as a duration"):
        seconds("soon")


def test_history_keeps_the_newest_and_counts_on_and_leaves_partial_syncs_out() -> None:
    before = [{"id": n, "revision": f"r{n}"} for n in range(10)]
    made = app(status={"history": before})
    found = operating.history(made, synced("r10"), NOW)
    assert [one["id"] for one in found] == list(range(1, 11))
    partial = {**synced("r10"), "operation": {"sync": {"resources": [{"kind": "A", "name": "a"}]}}}
    assert operating.history(made, partial, NOW) == before


def test_a_patch_says_only_what_differs_and_takes_away_what_is_gone() -> None:
    old = {"sync": {"status": "Synced", "revision": "r1"}, "health": {"status": "Healthy"}}
    new = {"sync": {"status": "Synced", "revision": "r2"}, "health": {"message": "x"}}
    assert status.patch(old, old) == {}
    assert status.patch(old, new) == {
        "sync": {"revision": "r2"},
        "health": {"message": "x", "status": None},
    }


def test_a_condition_keeps_its_time_while_it_says_the_same() -> None:
    known = {"type": "SyncError", "message": "m", "lastTransitionTime": "2025-01-01T00:00:00Z"}
    made = app(status={"conditions": [known]})
    found = status.conditions(made, [Condition("SyncError", "m"), Condition("X", "new")], NOW)
    assert [one["lastTransitionTime"] for one in found] == [
        "2025-01-01T00:00:00Z",
        "2026-01-01T00:00:00Z",
    ]


@pytest.mark.parametrize(
    ("notes", "kind", "goes"),
    [
        ({}, "ConfigMap", True),
        ({"argocd.argoproj.io/sync-options": "Prune=false, Delete=false"}, "ConfigMap", False),
        ({"helm.sh/resource-policy": "keep"}, "ConfigMap", False),
    ],
)
def test_what_goes_with_its_application_is_said_by_annotations(
    notes: dict[str, str], kind: str, *, goes: bool
) -> None:
    obj = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "a", "annotations": notes}}
    assert status.deletes(app(), obj) is goes


def test_values_of_secrets_are_never_shown() -> None:
    note = {"kubectl.kubernetes.io/last-applied-configuration": '{"data":{"a":"c2VjcmV0"}}'}
    one: Json = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "annotations": note},
        "data": {"a": "c2VjcmV0", "same": "eA=="},
    }
    other = {**one, "data": {"a": "b3RoZXI=", "same": "eA=="}}
    found = masked(one, other)
    assert "c2VjcmV0" not in str(found)
    assert found[0] is not None
    assert found[1] is not None
    assert found[0]["data"]["a"] != found[1]["data"]["a"]
    assert found[0]["data"]["same"] == found[1]["data"]["same"]


def test_a_change_is_told_once_by_what_became_of_the_application() -> None:
    found: Json = {
        "metadata": {"name": "shop", "namespace": "argocd", "uid": "u"},
        "status": {
            "sync": {"status": "Synced", "revision": "r1"},
            "health": {"status": "Healthy"},
            "operationState": synced("r1"),
        },
    }
    key = telling.transition(found)
    assert key.startswith("application/u/")
    moved = {**found, "status": {**found["status"], "reconciledAt": "2026-01-01T00:00:01Z"}}
    assert telling.transition(moved) == key
    assert telling.change(found).synced_revision == "r1"
    before = {**found, "status": {"sync": {"status": "OutOfSync"}}}
    words = [one.message for one in telling.sayings(before, found)]
    assert "Updated sync status: OutOfSync -> Synced" in words
    assert "Sync operation to r1 succeeded" in words
