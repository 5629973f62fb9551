"""What a sync does next, and in which order its tasks come."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairway.gitops import plan, tasks
from fairway.gitops.objects import Difference, Health, ObjectKey, ResourceResult, Target, key_of
from fairway.gitops.tasks import FAILED, PRUNED, RUNNING, SUCCEEDED, SYNC_FAILED, SYNCED, Task

Json = dict[str, Any]
PREFIX = "argocd.argoproj.io/"


def obj(kind: str, name: str, *, namespace: str = "shop", **notes: str) -> Json:
    annotations = {PREFIX + key.replace("_", "-"): text for key, text in notes.items()}
    versions = {"Deployment": "apps/v1", "Job": "batch/v1", "Widget": "example.org/v1"}
    meta: Json = {"name": name, "annotations": annotations}
    if namespace:
        meta["namespace"] = namespace
    return {"apiVersion": versions.get(kind, "v1"), "kind": kind, "metadata": meta}


def task(one: Json, *, live: Json | None = None, phase: str = "Sync", prune: bool = False) -> Task:
    target = None if prune else one
    return Task(phase=phase, key=key_of(one), target=target, live=one if prune else live)


def names(found: list[Task]) -> list[str]:
    return [one.key.name for one in found]


def test_tasks_come_by_phase_wave_kind_and_name() -> None:
    todo = [
        task(obj("Deployment", "b")),
        task(obj("Job", "after", hook="PostSync"), phase="PostSync"),
        task(obj("Secret", "z")),
        task(obj("ConfigMap", "late", sync_wave="2")),
        task(obj("Job", "before", hook="PreSync"), phase="PreSync"),
        task(obj("ConfigMap", "a")),
        task(obj("ConfigMap", "early", sync_wave="-1")),
        task(obj("Widget", "w")),
    ]
    random.Random(1).shuffle(todo)
    found = tasks.arranged(todo, prune_last=False)
    assert names(found) == ["before", "early", "z", "a", "b", "w", "late", "after"]


def test_a_namespace_and_a_definition_come_before_what_needs_them_whatever_their_waves() -> None:
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.org", "annotations": {PREFIX + "sync-wave": "3"}},
        "spec": {"group": "example.org", "names": {"kind": "Widget"}},
    }
    space = obj("Namespace", "shop", namespace="", sync_wave="5")
    first = obj("Widget", "w", sync_wave="-2")
    found = tasks.arranged([task(space), task(definition), task(first)], prune_last=False)
    assert names(found) == ["shop", "widgets.example.org", "w"] or names(found) == [
        "widgets.example.org",
        "shop",
        "w",
    ]
    assert {one.wave for one in found} == {-2}


def test_pruning_goes_through_the_waves_backwards() -> None:
    todo = [task(obj("ConfigMap", f"w{n}", sync_wave=str(n)), prune=True) for n in (0, 1, 5)]
    found = tasks.arranged(todo, prune_last=False)
    assert [(one.key.name, one.wave) for one in found] == [("w5", 0), ("w1", 1), ("w0", 5)]


def test_what_is_pruned_last_comes_a_wave_after_everything() -> None:
    kept = task(obj("ConfigMap", "new", sync_wave="4"))
    own = task(obj("ConfigMap", "old", sync_options="PruneLast=true"), prune=True)
    assert [one.wave for one in tasks.arranged([own, kept], prune_last=False)] == [4, 5]
    other = task(obj("ConfigMap", "old"), prune=True)
    assert names(tasks.arranged([other, kept], prune_last=True)) == ["new", "old"]


def test_a_hook_without_a_name_is_named_by_revision_phase_and_time() -> None:
    hook = obj("Job", "", hook="PreSync,PostSync")
    del hook["metadata"]["name"]
    hook["metadata"]["generateName"] = "move-"
    made = tasks.of_hooks(
        [Target(key=ObjectKey("batch", "Job", "shop", ""), object=hook)],
        {},
        revision="0123456789abcdef",
        started=1_700_000_000,
    )
    assert names(made) == ["move-0123456-presync-1700000000", "move-0123456-postsync-1700000000"]
    finalizers = (made[0].target or {})["metadata"]["finalizers"]
    assert finalizers == ["argocd.argoproj.io/hook-finalizer"]


@pytest.mark.parametrize(
    ("notes", "policies"),
    [
        ({}, ["BeforeHookCreation"]),
        ({PREFIX + "hook-delete-policy": "HookFailed"}, ["HookFailed"]),
        ({"helm.sh/hook-delete-policy": "hook-succeeded"}, ["HookSucceeded"]),
        (
            {PREFIX + "hook-delete-policy": "HookFailed", "helm.sh/hook-delete-policy": "junk"},
            ["HookFailed"],
        ),
    ],
)
def test_delete_policies_of_argo_cd_and_helm_are_taken_together(
    notes: dict[str, str], policies: list[str]
) -> None:
    assert tasks.delete_policies({"metadata": {"annotations": notes}}) == policies


def test_one_wave_without_hooks_is_over_as_soon_as_it_is_applied() -> None:
    todo = tasks.arranged([task(obj("ConfigMap", "a")), task(obj("Secret", "b"))], prune_last=False)
    step = plan.decide(todo)
    assert names(list(step.run)) == ["b", "a"]
    for one in step.run:
        one.note(SYNCED, RUNNING, "created")
    assert plan.after(step, "done").phase == SUCCEEDED


def test_a_wave_waits_for_the_health_of_the_one_before_and_fails_where_it_degrades() -> None:
    first, second = obj("Deployment", "web"), obj("ConfigMap", "later", sync_wave="1")
    todo = tasks.arranged([task(first), task(second)], prune_last=False)
    step = plan.decide(todo)
    assert names(list(step.run)) == ["web"]
    todo[0].note(SYNCED, RUNNING)
    after = plan.after(step, "done")
    assert (after.phase, after.message) == (
        RUNNING,
        "waiting for healthy state of apps/Deployment/web",
    )
    todo[0].live = first
    plan.progress(todo, lambda _obj: Health("Progressing", "rolling"))
    assert plan.decide(todo).run == ()
    plan.progress(todo, lambda _obj: Health("Healthy"))
    assert names(list(plan.decide(todo).run)) == ["later"]
    todo[0].note(SYNCED, RUNNING)
    plan.progress(todo, lambda _obj: Health("Degraded", "crashes"))
    failed = plan.decide(todo)
    assert failed.phase == FAILED
    assert failed.message == "one or more synchronization tasks completed unsuccessfully"


def test_what_fails_starts_the_hooks_for_that_and_is_over_when_they_have_ended() -> None:
    rescue = task(obj("Job", "rescue", hook="SyncFail"), phase="SyncFail")
    todo = tasks.arranged([task(obj("ConfigMap", "a")), rescue], prune_last=False)
    step = plan.decide(todo)
    assert names(list(step.run)) == ["a"]
    todo[0].note(SYNC_FAILED, FAILED, "no room")
    made = plan.after(step, "failed")
    assert (made.phase, names(list(made.run))) == (RUNNING, ["rescue"])
    rescue.note(SYNCED, SUCCEEDED)
    ended = plan.decide(todo)
    assert ended.phase == FAILED
    assert "reason: no room" in ended.message


def test_what_is_being_deleted_is_waited_for() -> None:
    old = obj("ConfigMap", "old")
    old["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    gone = task(old, prune=True)
    gone.note(PRUNED, SUCCEEDED)
    todo = tasks.arranged([gone, task(obj("ConfigMap", "n", sync_wave="1"))], prune_last=False)
    assert plan.decide(todo).message == "waiting for deletion of /ConfigMap/old"


@pytest.mark.parametrize(
    ("prune", "default", "notes", "said"),
    [
        (False, "", {}, "ignored (requires pruning)"),
        (True, "", {}, ""),
        (True, "false", {}, "ignored (no prune)"),
        (True, "", {"sync_options": "Prune=false"}, "ignored (no prune)"),
        (True, "false", {"sync_options": "Prune=true"}, ""),
    ],
)
def test_what_is_pruned_is_said_by_operation_option_and_annotation(
    *, prune: bool, default: str, notes: dict[str, str], said: str
) -> None:
    one = task(obj("ConfigMap", "old", **notes), prune=True)
    assert plan.prune_refusal(one, prune=prune, default=default) == said


def test_where_only_what_differs_is_applied_the_rest_is_done_already() -> None:
    same = obj("ConfigMap", "same")
    todo = [task(same, live=same), task(obj("ConfigMap", "new"))]
    todo[0].modified = False
    assert names(list(plan.decide(todo, only_modified=True).run)) == ["new"]
    assert names(list(plan.decide(todo).run)) == ["same", "new"]


def test_what_was_written_down_of_tasks_is_known_again_after_a_crash() -> None:
    todo = [task(obj("ConfigMap", "a")), task(obj("Job", "h", hook="PreSync"), phase="PreSync")]
    todo[0].note(SYNCED, RUNNING, "created")
    kept = tasks.results(todo, [])
    assert [one["name"] for one in kept] == ["a"]
    again = [task(obj("ConfigMap", "a")), task(obj("Job", "h", hook="PreSync"), phase="PreSync")]
    tasks.remembered(again, kept)
    assert [(one.status, one.state, one.message) for one in again] == [
        (SYNCED, RUNNING, "created"),
        ("", "", ""),
    ]


def test_an_object_that_is_to_be_left_alone_gets_no_task() -> None:
    skipped = obj("ConfigMap", "s", hook="Skip")
    plain = obj("ConfigMap", "p")
    nothing = Difference(modified=False, live=None, predicted=None)
    found = [
        ResourceResult(
            key=key_of(one), version="v1", status=None, health=None, target=one, live=None,
            difference=nothing,
        )
        for one in (skipped, plain)
    ]  # fmt: skip
    assert names(tasks.of_resources(found, lambda _one: True)) == ["p"]


_TASKS = st.lists(
    st.tuples(
        st.sampled_from(["ConfigMap", "Deployment", "Job", "Secret"]),
        st.integers(-2, 2),
        st.sampled_from(["", "PreSync", "PostSync"]),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=40, deadline=None)
@given(_TASKS)
def test_every_sync_ends_and_no_wave_begins_before_the_one_before_it_is_healthy(
    given_: list[tuple[str, int, str, bool]],
) -> None:
    todo = []
    for number, (kind, wave, hook, prune) in enumerate(given_):
        notes = {"sync_wave": str(wave), **({"hook": hook} if hook else {})}
        made = obj(kind, f"o{number}", **notes)
        todo.append(task(made, phase=hook or "Sync", prune=prune and not hook))
    todo = tasks.arranged(todo, prune_last=False)
    done: list[tuple[int, int]] = []
    for _step in range(4 * len(todo) + 4):
        plan.progress(todo, lambda _obj: Health("Healthy"))
        step = plan.decide(todo)
        for one in step.run:
            done.append((tasks.PHASES.index(one.phase), one.wave))
            one.note(*((PRUNED, SUCCEEDED) if one.prune else (SYNCED, RUNNING)))
            one.live = None if one.prune else one.target
        if step.run:
            step = plan.after(step, "done")
        if step.phase == SUCCEEDED:
            break
    else:
        raise AssertionError("it never ended")
    assert len(done) == len(todo)
    assert done == sorted(done)
