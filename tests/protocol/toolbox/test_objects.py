"""Merges and defaults are Kubernetes' own."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.model.errors import InvalidInput
from fairway.native.objects import Defaults, Merge, ThreeWay
from fairway.native.toolbox import Toolbox


def deployment(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A Deployment with these containers."""
    pod = {"containers": list(containers)}
    template = {"metadata": {"labels": {"app": "a"}}, "spec": pod}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a"},
        "spec": {"selector": {"matchLabels": {"app": "a"}}, "template": template, **spec},
    }


def custom(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": "example.com/v1", "kind": "Custom", **fields}


async def test_containers_are_merged_by_name(toolbox: Toolbox):
    one = deployment({"name": "a", "image": "x"}, {"name": "b", "image": "y"})
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "b", "image": "z"}]}}}}
    made = await toolbox.ask(Merge(object=one, patch=patch))
    images = [c["image"] for c in made.object["spec"]["template"]["spec"]["containers"]]
    assert (made.strategy, images) == ("strategic", ["x", "z"])
    plain = await toolbox.ask(Merge(object=one, patch=patch, strategy="merge"))
    names = [c["name"] for c in plain.object["spec"]["template"]["spec"]["containers"]]
    assert (plain.strategy, names) == ("merge", ["b"])


async def test_directives_of_a_strategic_merge_work(toolbox: Toolbox):
    one = deployment({"name": "a", "image": "x"}, {"name": "b", "image": "y"})
    gone = [{"name": "a", "$patch": "delete"}]
    patch = {"spec": {"template": {"spec": {"containers": gone}}}}
    made = await toolbox.ask(Merge(object=one, patch=patch))
    names = [c["name"] for c in made.object["spec"]["template"]["spec"]["containers"]]
    assert names == ["b"]


async def test_lists_of_unknown_kinds_are_replaced(toolbox: Toolbox):
    made = await toolbox.ask(Merge(object=custom(l=[1, 2], a=1), patch={"l": [3], "a": None}))
    assert (made.object, made.strategy) == (custom(l=[3]), "merge")
    with pytest.raises(InvalidInput) as caught:
        await toolbox.ask(Merge(object=custom(), patch={}, strategy="strategic"))
    assert caught.value.code == "unknown-kind"


async def test_three_ways_leave_other_peoples_fields_alone(toolbox: Toolbox):
    last = deployment({"name": "a", "image": "x", "env": [{"name": "OLD", "value": "1"}]})
    wanted = deployment({"name": "a", "image": "y"}, replicas=2)
    live = deployment(
        {"name": "a", "image": "x", "env": [{"name": "OLD", "value": "1"}]},
        {"name": "injected", "image": "proxy"},
        paused=True,
    )
    made = await toolbox.ask(ThreeWay(last=last, wanted=wanted, live=live))
    spec = made.object["spec"]
    containers = {one["name"]: one for one in spec["template"]["spec"]["containers"]}
    assert containers["a"]["image"] == "y"
    assert not containers["a"].get("env")
    assert "injected" in containers
    assert (spec["paused"], spec["replicas"]) == (True, 2)


async def test_three_ways_of_unknown_kinds_and_without_a_last(toolbox: Toolbox):
    asked = ThreeWay(last=custom(a=1, b=1), wanted=custom(a=2), live=custom(a=1, b=1, c=1))
    made = await toolbox.ask(asked)
    assert (made.object, made.patch) == (custom(a=2, c=1), {"a": 2, "b": None})
    first = await toolbox.ask(ThreeWay(last=None, wanted=custom(a=2), live=custom(c=1)))
    assert first.object == custom(a=2, c=1)


async def test_a_conflict_can_be_refused(toolbox: Toolbox):
    last, wanted, live = (deployment(replicas=n) for n in (1, 2, 3))
    assert (await toolbox.ask(ThreeWay(last=last, wanted=wanted, live=live))).object["spec"][
        "replicas"
    ] == 2
    with pytest.raises(InvalidInput, match="conflict"):
        await toolbox.ask(ThreeWay(last=last, wanted=wanted, live=live, conflicts=True))


async def test_defaults_are_those_of_the_api_server(toolbox: Toolbox):
    limits = {"limits": {"cpu": "1000m", "memory": "1024Mi"}}
    one = deployment({"name": "a", "image": "x:1", "resources": limits})
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s"},
        "spec": {"ports": [{"port": 80}]},
    }
    made, other = await toolbox.ask(Defaults(objects=(one, service)))
    container = made.object["spec"]["template"]["spec"]["containers"][0]
    assert made.known
    assert made.object["spec"]["replicas"] == 1
    assert made.object["spec"]["strategy"]["rollingUpdate"]["maxSurge"] == "25%"
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert container["resources"]["limits"] == {"cpu": "1", "memory": "1Gi"}
    assert "status" not in made.object
    assert "creationTimestamp" not in repr(made.object)
    assert other.object["spec"]["type"] == "ClusterIP"
    assert other.object["spec"]["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    again = await toolbox.ask(Defaults(objects=(made.object,)))
    assert again[0].object == made.object


async def test_what_is_unknown_is_told_and_kept(toolbox: Toolbox):
    strange = deployment({"name": "a", "image": "x", "imag": "y"}, replica=1)
    wrong = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": 1}}
    found = await toolbox.ask(Defaults(objects=(custom(a=1), strange, wrong)))
    assert (found[0].known, found[0].object) == (False, custom(a=1))
    assert any("spec.replica" in one for one in found[1].strange)
    assert any("containers[0].imag" in one for one in found[1].strange)
    assert (found[2].object, found[2].known) == (wrong, True)
    assert "data" in found[2].error


async def test_an_objects_own_status_stays(toolbox: Toolbox):
    one = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
           "spec": {"containers": []}, "status": {"phase": "Running"}}  # fmt: skip
    (found,) = await toolbox.ask(Defaults(objects=(one,)))
    assert found.object["status"] == {"phase": "Running"}
    assert found.object["spec"]["restartPolicy"] == "Always"
