"""Kinds, paths, versions and what objects are asked."""

from __future__ import annotations

import pytest

from fairway.kube import objects
from fairway.kube.kind import CONFIG_MAP, DEPLOYMENT, NAMESPACE, POD, Key, Kind


@pytest.mark.parametrize(
    ("kind", "place", "path"),
    [
        (POD, (), "/api/v1/pods"),
        (POD, ("here",), "/api/v1/namespaces/here/pods"),
        (POD, ("here", "a", "log"), "/api/v1/namespaces/here/pods/a/log"),
        (DEPLOYMENT, ("here", "a"), "/apis/apps/v1/namespaces/here/deployments/a"),
        (NAMESPACE, ("", "here"), "/api/v1/namespaces/here"),
        (NAMESPACE, ("ignored", "here", "status"), "/api/v1/namespaces/here/status"),
        (CONFIG_MAP, ("a/b", "../c"), "/api/v1/namespaces/a%2Fb/configmaps/..%2Fc"),
    ],
)
def test_an_object_has_one_path(kind: Kind, place: tuple[str, ...], path: str) -> None:
    assert kind.path(*place) == path


def test_a_name_without_its_namespace_has_no_path() -> None:
    with pytest.raises(ValueError, match="needs a namespace"):
        POD.path("", "a")


def test_a_kind_names_itself_as_others_do() -> None:
    assert (DEPLOYMENT.api_version, DEPLOYMENT.resource) == ("apps/v1", "deployments.apps")
    assert (POD.api_version, POD.resource, str(POD)) == ("v1", "pods", "Pod")
    assert (str(Key("a", "b")), str(Key("", "b"))) == ("a/b", "b")


def test_trimming_leaves_what_controllers_read() -> None:
    obj = {
        "metadata": {
            "name": "a",
            "managedFields": [{}],
            "annotations": {objects.LAST_APPLIED: "{}", "mine": "1"},
        }
    }
    assert objects.trim(obj) == {"metadata": {"name": "a", "annotations": {"mine": "1"}}}
    only = {"metadata": {"annotations": {objects.LAST_APPLIED: "{}"}}}
    assert objects.trim(only) == {"metadata": {}}
    assert objects.trim({"spec": {}}) == {"spec": {}}


def test_a_copy_shares_nothing() -> None:
    obj = {"a": [{"b": 1}], "c": {"d": None}}
    made = objects.copy(obj)
    made["a"][0]["b"] = 2
    made["c"]["e"] = 1
    assert obj == {"a": [{"b": 1}], "c": {"d": None}}


def test_a_controller_is_the_owner_that_says_so() -> None:
    owner = {"metadata": {"name": "o", "uid": "u"}}
    plain = objects.owner_reference(owner, DEPLOYMENT, controller=False)
    mine = objects.owner_reference(owner, CONFIG_MAP)
    obj = {"metadata": {"ownerReferences": [plain, mine]}}
    assert objects.controller(obj) == mine
    assert list(objects.owners(obj)) == [plain, mine]
    assert objects.controller({"metadata": {"ownerReferences": None}}) is None
    assert plain["apiVersion"] == "apps/v1"
