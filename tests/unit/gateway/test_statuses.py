"""Statuses are written only where they differ, and keep the times of what did not change."""

from __future__ import annotations

from typing import Any

from fairway.gateway.events import event
from fairway.gateway.snapshot import CONTROLLER, Ref, Warned
from fairway.gateway.statuses import applied, wanted, withdrawn

OLD, NOW = "2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z"
PARENT = {"name": "fairway", "namespace": "fairway-system"}


def condition(status: str = "True", type_: str = "Accepted", **more: Any) -> dict[str, Any]:
    return {"type": type_, "status": status, "reason": "R", "message": "m", **more}


def parent(*conditions: dict[str, Any], by: str = CONTROLLER, **ref: str) -> dict[str, Any]:
    found = {**PARENT, **ref}
    return {"controllerName": by, "parentRef": found, "conditions": list(conditions)}


def found(**status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "web", "namespace": "shop", "resourceVersion": "7"},
        "status": status,
    }


def test_a_first_status_has_the_time_of_now() -> None:
    said = wanted({"conditions": [condition()]}, found(), NOW)
    assert said == {"conditions": [condition(lastTransitionTime=NOW)]}


def test_a_status_that_is_there_already_is_not_written() -> None:
    there = found(conditions=[condition(lastTransitionTime=OLD)])
    assert wanted({"conditions": [condition()]}, there, NOW) is None


def test_another_message_keeps_the_time_and_another_status_does_not() -> None:
    there = found(conditions=[condition(lastTransitionTime=OLD)])
    said = wanted({"conditions": [condition(message="other")]}, there, NOW)
    assert said == {"conditions": [condition(message="other", lastTransitionTime=OLD)]}
    said = wanted({"conditions": [condition("False")]}, there, NOW)
    assert said == {"conditions": [condition("False", lastTransitionTime=NOW)]}


def test_times_inside_listeners_are_kept_by_the_listeners_name() -> None:
    def listeners(*names: str, **more: Any) -> list[dict[str, Any]]:
        return [{"name": name, "conditions": [condition(**more)]} for name in names]

    there = found(listeners=listeners("a", "b", lastTransitionTime=OLD))
    said = wanted({"listeners": listeners("b", "c")}, there, NOW)
    assert said is not None
    times = [one["conditions"][0]["lastTransitionTime"] for one in said["listeners"]]
    assert times == [OLD, NOW]


def test_parents_of_other_controllers_stay_first_and_untouched() -> None:
    other = parent(by="example.com/other")
    there = found(parents=[parent(condition(lastTransitionTime=OLD)), other])
    said = wanted({"parents": [parent(condition("False"))]}, there, NOW)
    assert said == {"parents": [other, parent(condition("False", lastTransitionTime=NOW))]}


def test_two_parents_of_ours_are_told_apart_by_their_section() -> None:
    there = found(
        parents=[
            parent(condition(lastTransitionTime=OLD), sectionName="http"),
            parent(condition("False", lastTransitionTime=OLD), sectionName="https"),
        ]
    )
    said = wanted(
        {
            "parents": [
                parent(condition(), sectionName="http"),
                parent(condition(), sectionName="https"),
            ]
        },
        there,
        NOW,
    )
    assert said is not None
    times = [one["conditions"][0]["lastTransitionTime"] for one in said["parents"]]
    assert times == [OLD, NOW]


def test_fields_that_we_say_nothing_about_stay() -> None:
    there = found(other=1, loadBalancer={})
    assert wanted({"loadBalancer": {"ingress": []}}, there, NOW) == {
        "other": 1,
        "loadBalancer": {"ingress": []},
    }


def test_what_is_withdrawn_leaves_other_controllers_words() -> None:
    other = parent(by="example.com/other")
    assert withdrawn("HTTPRoute", found(parents=[parent(), other])) == {"parents": [other]}
    assert withdrawn("HTTPRoute", found(parents=[other])) is None
    assert withdrawn("Gateway", found(conditions=[])) is None


def test_a_routes_status_is_written_only_onto_the_version_that_was_read() -> None:
    route = applied(Ref("HTTPRoute", "shop", "web"), found(), {"parents": []})
    assert route["metadata"]["resourceVersion"] == "7"
    gateway = applied(Ref("Gateway", "shop", "web"), found(), {"conditions": []})
    assert "resourceVersion" not in gateway["metadata"]


def test_the_same_warning_has_the_same_name_and_another_one_has_another() -> None:
    ref = Ref("Ingress", "shop", "web")
    one = event(Warned(ref, "Ignored", "an annotation"), found(), NOW)
    assert (
        one["metadata"] == event(Warned(ref, "Ignored", "an annotation"), found(), OLD)["metadata"]
    )
    other = event(Warned(ref, "Ignored", "another"), found(), NOW)
    assert other["metadata"]["name"] != one["metadata"]["name"]
    assert one["involvedObject"]["name"] == "web"
