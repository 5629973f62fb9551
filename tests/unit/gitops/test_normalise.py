"""What of an object does not count."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairway.gitops import merging, normalise
from fairway.gitops.application import Ignored
from fairway.gitops.objects import ObjectKey

KEY = ObjectKey("apps", "Deployment", "web", "shop")
SCALAR = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "b"])
TREE = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=12,
)
MAPS = st.dictionaries(st.sampled_from("abcd"), TREE, max_size=4)


@pytest.mark.parametrize(
    ("pointer", "left"),
    [
        ("/spec/a", {"spec": {"b": [1, {"c": 2}]}}),
        ("/spec/b/0", {"spec": {"a": 1, "b": [{"c": 2}]}}),
        ("/spec/b/-1", {"spec": {"a": 1, "b": [1]}}),
        ("/spec/b/1/c", {"spec": {"a": 1, "b": [1, {}]}}),
        ("/spec/nothing/there", None),
        ("/spec/b/7", None),
        ("/spec/b/x", None),
        ("spec/a", None),
    ],
)
def test_a_json_pointer_takes_what_it_names_away(pointer: str, left: Any) -> None:
    whole = {"spec": {"a": 1, "b": [1, {"c": 2}]}}
    before = copy.deepcopy(whole)
    assert normalise.removed(whole, pointer) == (whole if left is None else left)
    assert whole == before


def test_a_pointers_letters_are_escaped() -> None:
    notes = {"a/b": 1, "c~d": 2}
    assert normalise.removed({"x": notes}, "/x/a~1b") == {"x": {"c~d": 2}}
    assert normalise.removed({"x": notes}, "/x/c~0d") == {"x": {"a/b": 1}}


@pytest.mark.parametrize(
    ("rule", "covers"),
    [
        (Ignored(group="apps", kind="Deployment"), True),
        (Ignored(group="*", kind="*"), True),
        (Ignored(group="", kind="Deployment"), False),
        (Ignored(group="apps", kind="Deploy*", name="shop"), True),
        (Ignored(group="apps", kind="Deployment", name="other"), False),
        (Ignored(group="apps", kind="Deployment", namespace="else"), False),
    ],
)
def test_a_rule_is_about_the_objects_that_it_names(rule: Ignored, covers: bool) -> None:
    assert normalise.covers(rule, KEY) is covers


def test_the_status_never_counts() -> None:
    assert normalise.pointers([], KEY) == ("/status",)
    rule = Ignored(group="apps", kind="Deployment", json_pointers=("/spec/replicas",))
    assert normalise.pointers([rule, rule], KEY) == ("/status", "/spec/replicas")


def test_a_secrets_texts_become_data() -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "creationTimestamp": None},
        "data": {"a": "eA==", "n": None},
        "stringData": {"a": "y", "b": "z"},
    }
    assert normalise.normalised(secret, ()) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "data": {"a": "eQ==", "n": "", "b": "eg=="},
    }


@settings(max_examples=25)
@given(TREE, TREE)
def test_a_value_is_the_same_as_itself_and_order_of_names_is_nothing(one: Any, other: Any) -> None:
    assert normalise.same(one, copy.deepcopy(one))
    assert normalise.same(one, other) == normalise.same(other, one)


def test_true_is_not_one_but_one_is_a_float_too() -> None:
    assert not normalise.same({"a": True}, {"a": 1})
    assert normalise.same({"a": 1.0}, {"a": 1})


@settings(max_examples=25)
@given(MAPS, MAPS)
def test_the_patch_between_two_values_leads_from_one_to_the_other(one: Any, other: Any) -> None:
    one, other = normalise.without_nulls(one), normalise.without_nulls(other)
    assert normalise.same(merging.merged(one, merging.patch_between(one, other)), other)


@settings(max_examples=25)
@given(MAPS, MAPS)
def test_what_is_applied_to_what_is_live_already_changes_nothing(wanted: Any, extra: Any) -> None:
    wanted, extra = normalise.without_nulls(wanted), normalise.without_nulls(extra)
    live = {**wanted, "others": extra}
    assert merging.three_way(wanted, wanted, live) == {}


@settings(max_examples=25)
@given(MAPS, MAPS)
def test_what_was_applied_and_is_wanted_no_more_goes(last: Any, wanted: Any) -> None:
    last, wanted = normalise.without_nulls(last), normalise.without_nulls(wanted)
    live = {**last, "others": 1}
    made = merging.merged(live, merging.three_way(last, wanted, live))
    assert normalise.same(made, {**wanted, "others": 1})
