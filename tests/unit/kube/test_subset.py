"""What of a kind is supported: the pure check and the same as CEL."""

from __future__ import annotations

from fairway.kube import Kind
from fairway.kube.subset import FieldProblem, Rule, expression, policy, refuse, unsupported

BOAT = Kind("example.org", "v1", "boats", "Boat")


def test_a_refused_place_is_named_with_its_index() -> None:
    obj = {"spec": {"steps": [{"a": 1}, {"b": {}}, {"b": None}]}}
    found = unsupported(obj, refuse("spec.steps[].b"))
    assert found == [FieldProblem("spec.steps[1].b", "is not supported yet")]
    assert str(found[0]) == "spec.steps[1].b is not supported yet"


def test_values_may_be_allowed_and_have_their_type() -> None:
    rule = Rule("spec.fast", allow=(False,))
    assert not unsupported({"spec": {"fast": False}}, [rule])
    assert not unsupported({"spec": {}}, [rule])
    found = unsupported({"spec": {"fast": True}}, [rule])
    assert found == [FieldProblem("spec.fast", "true is not supported yet")]
    assert unsupported({"spec": {"fast": 0}}, [rule])


def test_a_map_may_have_only_some_names() -> None:
    rule = Rule("spec.plugins", keys=("good",))
    assert not unsupported({"spec": {"plugins": {"good": {}}}}, [rule])
    found = unsupported({"spec": {"plugins": {"good": {}, "a/b": {}}}}, [rule])
    assert [one.path for one in found] == ['spec.plugins["a/b"]']


def test_values_of_a_map_are_looked_into() -> None:
    obj = {"spec": {"plugins": {"x": {"deep": [{"on": True}]}}}}
    found = unsupported(obj, refuse("spec.plugins.*.deep[].on"))
    assert [one.path for one in found] == ["spec.plugins.x.deep[0].on"]


def test_the_same_rules_are_written_in_cel() -> None:
    assert expression(Rule("spec.a")) == "!has(object.spec) || (!has(object.spec.a))"
    assert expression(Rule("spec.s[].b")) == (
        "!has(object.spec) || (!has(object.spec.s) || (object.spec.s.all(v0, !has(v0.b))))"
    )
    assert expression(Rule("namespace", allow=(1,))) == (
        '!("namespace" in object) || (object["namespace"] == 1)'
    )


def test_a_policy_denies_creations_and_changes_of_its_kind() -> None:
    body, binding = policy(BOAT, refuse("spec.a"))
    rule = body["spec"]["matchConstraints"]["resourceRules"][0]
    assert (rule["resources"], rule["operations"]) == (["boats"], ["CREATE", "UPDATE"])
    assert body["spec"]["validations"][0]["message"] == "spec.a is not supported yet"
    assert binding["spec"]["validationActions"] == ["Deny"]
