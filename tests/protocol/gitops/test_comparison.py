"""Applications compared with what is live, by Kubernetes' own merging and defaulting."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from fairway.gitops import targets
from fairway.gitops.application import Ignored
from fairway.gitops.comparing import Comparer, CompareRequest, live_by_key
from fairway.gitops.objects import Comparison, Json, ObjectKey, ResourceResult, Targets
from fairway.kube.objects import LAST_APPLIED
from fairway.native.objects import Defaults
from fairway.native.toolbox import Toolbox

LABELS = {"app": "web"}
CONTAINER = {"name": "web", "image": "nginx:1", "resources": {"limits": {"cpu": "1000m"}}}
DEPLOYMENT: Json = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "selector": {"matchLabels": LABELS},
        "template": {"metadata": {"labels": LABELS}, "spec": {"containers": [CONTAINER]}},
    },
}
MAP: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"a": "1"}}
SECRET: Json = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "s"},
    "stringData": {"password": "x"},
}
THING: Json = {
    "apiVersion": "x.dev/v1",
    "kind": "Thing",
    "metadata": {"name": "t"},
    "spec": {"size": 1, "list": [{"name": "a"}]},
}
STATEFUL: Json = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": {"name": "db"},
    "spec": {
        "serviceName": "db",
        "selector": {"matchLabels": LABELS},
        "template": {"metadata": {"labels": LABELS}, "spec": {"containers": [CONTAINER]}},
        "volumeClaimTemplates": [
            {
                "metadata": {"name": "data"},
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "1Gi"}},
                },
            }
        ],
    },
}
Change = Callable[[Json], None]


def wanted(*objects: Json) -> Targets:
    return targets.prepare(
        list(objects), instance="shop", namespace="web", namespaced=lambda _group, _kind: True
    )


class Ground:
    """A cluster that holds what was applied to it."""

    def __init__(self, toolbox: Toolbox) -> None:
        self.toolbox = toolbox
        self.comparer = Comparer(toolbox)
        self.count = 0

    def applied(self, target: Json, *, last: bool = True) -> Json:
        """A target as the server keeps it after kubectl's apply."""
        made = copy.deepcopy(target)
        if last:
            made["metadata"]["annotations"][LAST_APPLIED] = msgspec.json.encode(target).decode()
        if "stringData" in made:
            made["data"] = {"password": "eA=="}
            del made["stringData"]
        (filled,) = self.toolbox.ask_now(Defaults(objects=(made,)))
        live: Json = filled.object
        self.count += 1
        live["metadata"] |= {
            "uid": f"u{self.count}",
            "resourceVersion": str(self.count),
            "generation": 1,
            "creationTimestamp": "2026-01-01T00:00:00Z",
        }
        live["status"] = {"observedGeneration": 1}
        return live

    async def compared(self, objects: Targets, live: list[Json], **more: Any) -> Comparison:
        asked = CompareRequest(
            name="shop",
            namespace="argocd",
            instance="shop",
            targets=objects,
            live=live_by_key(live),
            **more,
        )
        return await self.comparer.compare(asked)

    async def after(
        self, obj: Json, change: Change, *, last: bool = True, **more: Any
    ) -> ResourceResult:
        """An object's result after its live half was changed by somebody."""
        objects = wanted(obj)
        live = self.applied(objects.objects[0].object, last=last)
        change(live)
        found = await self.compared(objects, [live], **more)
        (result,) = found.resources
        return result


@pytest.fixture
def ground(toolbox: Toolbox) -> Ground:
    return Ground(toolbox)


def nothing(_live: Json) -> None:
    """Nobody changed anything."""


@pytest.mark.parametrize("obj", [DEPLOYMENT, MAP, SECRET, THING, STATEFUL])
@pytest.mark.parametrize("last", [True, False])
async def test_what_was_applied_is_synced_whatever_the_server_filled_in(
    ground: Ground, obj: Json, last: bool
) -> None:
    assert (await ground.after(obj, nothing, last=last)).status == "Synced"


def scaled(live: Json) -> None:
    live["spec"]["replicas"] = 5


def other_image(live: Json) -> None:
    live["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx:2"


def another_container(live: Json) -> None:
    live["spec"]["template"]["spec"]["containers"].append({"name": "side", "image": "side"})


def labelled(live: Json) -> None:
    live["metadata"]["labels"] = {"by": "hand"}


def annotated(live: Json) -> None:
    live["metadata"]["annotations"]["by"] = "hand"


def more_status(live: Json) -> None:
    live["status"] = {"replicas": 7}


def other_data(live: Json) -> None:
    live["data"]["a"] = "2"


def more_data(live: Json) -> None:
    live["data"]["b"] = "2"


def resized(live: Json) -> None:
    live["spec"]["size"] = 2


def defaulted_item(live: Json) -> None:
    live["spec"]["list"][0]["port"] = 80


def longer_list(live: Json) -> None:
    live["spec"]["list"].append({"name": "b"})


def other_secret(live: Json) -> None:
    live["data"]["password"] = "eQ=="


def other_owner(live: Json) -> None:
    live["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] = "other:/ConfigMap:web/m"


@pytest.mark.parametrize(
    ("obj", "change", "status"),
    [
        (DEPLOYMENT, scaled, "Synced"),  # Git says nothing of replicas
        (DEPLOYMENT, other_image, "OutOfSync"),
        (DEPLOYMENT, another_container, "Synced"),  # containers merge by their names
        (DEPLOYMENT, labelled, "Synced"),
        (DEPLOYMENT, annotated, "Synced"),
        (DEPLOYMENT, more_status, "Synced"),
        (MAP, other_data, "OutOfSync"),
        (MAP, more_data, "Synced"),
        (MAP, other_owner, "OutOfSync"),
        (SECRET, other_secret, "OutOfSync"),
        (THING, resized, "OutOfSync"),
        (THING, defaulted_item, "Synced"),
        (THING, longer_list, "OutOfSync"),
        (STATEFUL, scaled, "Synced"),
    ],
)
async def test_a_change_counts_where_git_has_said_something(
    ground: Ground, obj: Json, change: Change, status: str
) -> None:
    assert (await ground.after(obj, change)).status == status


async def test_what_git_takes_back_is_to_go(ground: Ground) -> None:
    more = {**MAP, "data": {"a": "1", "gone": "x"}}
    live = ground.applied(wanted(more).objects[0].object)
    found = await ground.compared(wanted(MAP), [live])
    assert found.status == "OutOfSync"
    difference = found.resources[0].difference
    assert difference.live is not None
    assert difference.predicted is not None
    assert difference.live["data"] == {"a": "1", "gone": "x"}
    assert difference.predicted["data"] == {"a": "1"}


async def test_a_field_that_kubernetes_does_not_know_never_becomes_synced(ground: Ground) -> None:
    strange = copy.deepcopy(DEPLOYMENT)
    strange["spec"]["replicsa"] = 3
    assert (
        await ground.after(strange, lambda live: live["spec"].pop("replicsa", None))
    ).status == ("OutOfSync")


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        (Ignored(kind="Deployment", group="apps", json_pointers=(
            "/spec/template/spec/containers/0/image",)), "Synced"),
        (Ignored(kind="*", group="*", json_pointers=("/spec",)), "Synced"),
        (Ignored(kind="Deployment", group="apps", name="other",
                 json_pointers=("/spec",)), "OutOfSync"),
        (Ignored(kind="Deployment", group="", json_pointers=("/spec",)), "OutOfSync"),
        (Ignored(kind="Deployment", group="apps", json_pointers=("/spec/nothing",)), "OutOfSync"),
    ],
)  # fmt: skip
async def test_what_is_ignored_does_not_count(ground: Ground, rule: Ignored, status: str) -> None:
    assert (await ground.after(DEPLOYMENT, other_image, ignore=(rule,))).status == status


async def test_what_the_server_predicts_counts_where_it_was_asked(ground: Ground) -> None:
    objects = wanted(MAP)
    target = objects.objects[0]
    live = ground.applied(target.object, last=False)
    predicted = copy.deepcopy(live)
    predicted["metadata"] |= {"resourceVersion": "99", "managedFields": [{"manager": "x"}]}
    same = await ground.compared(objects, [live], predicted={target.key: predicted})
    assert same.status == "Synced"
    predicted["data"]["a"] = "other"
    found = await ground.compared(objects, [live], predicted={target.key: predicted})
    assert found.status == "OutOfSync"


async def test_missing_and_extra_objects_make_the_application_out_of_sync(ground: Ground) -> None:
    missing = await ground.compared(wanted(MAP), [])
    assert (missing.status, missing.health.status) == ("OutOfSync", "Missing")
    assert missing.resources[0].health is not None
    extra = await ground.compared(wanted(), [ground.applied(wanted(MAP).objects[0].object)])
    (result,) = extra.resources
    assert (extra.status, result.status, result.requires_pruning) == (
        "OutOfSync",
        "OutOfSync",
        True,
    )


async def test_one_missing_object_leaves_the_health_to_the_others(ground: Ground) -> None:
    live = ground.applied(wanted(DEPLOYMENT).objects[0].object)
    live["status"] |= {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    found = await ground.compared(wanted(DEPLOYMENT, MAP), [live])
    assert (found.status, found.health.status) == ("OutOfSync", "Healthy")


async def test_hooks_have_no_status_and_no_health(ground: Ground) -> None:
    hook = copy.deepcopy(MAP)
    hook["metadata"]["annotations"] = {"argocd.argoproj.io/hook": "PreSync",
                                       "argocd.argoproj.io/sync-wave": "4"}  # fmt: skip
    objects = wanted(hook)
    assert (await ground.compared(objects, [])).resources == ()
    found = await ground.compared(objects, [ground.applied(objects.objects[0].object)])
    (result,) = found.resources
    assert (found.status, result.status, result.hook, result.wave) == ("Synced", None, True, 4)
    assert result.health is None


async def test_an_extra_object_may_be_left_out_of_account(ground: Ground) -> None:
    noted = copy.deepcopy(MAP)
    noted["metadata"]["annotations"] = {"argocd.argoproj.io/compare-options": "IgnoreExtraneous"}
    found = await ground.compared(wanted(), [ground.applied(wanted(noted).objects[0].object)])
    assert (found.status, found.resources[0].status) == ("Synced", "OutOfSync")


async def test_a_copy_of_a_tracked_object_is_left_alone(ground: Ground) -> None:
    live = ground.applied(wanted(MAP).objects[0].object)
    live["metadata"]["name"] = "copied"
    found = await ground.compared(wanted(), [live])
    (result,) = found.resources
    assert (found.status, result.status, result.requires_pruning) == ("Synced", None, False)


async def test_another_applications_object_is_warned_about(ground: Ground) -> None:
    objects = wanted(MAP)
    live = ground.applied(objects.objects[0].object)
    other_owner(live)
    found = await ground.compared(objects, [live])
    (warning,) = found.conditions
    assert warning.type == "SharedResourceWarning"
    assert warning.message == "ConfigMap/m is part of applications argocd/shop and other"


async def test_nothing_is_known_where_the_manifests_are_not(ground: Ground) -> None:
    live = ground.applied(wanted(MAP).objects[0].object)
    found = await ground.compared(wanted(), [live], problem="no such commit")
    assert (found.status, found.resources[0].status) == ("Unknown", "Unknown")
    assert [one.message for one in found.conditions] == ["no such commit"]


async def test_what_cannot_be_merged_is_a_condition(ground: Ground) -> None:
    nonsense: Json = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"ports": [{"name": "no port"}]},
    }
    live = ground.applied(wanted(nonsense).objects[0].object)
    live["spec"]["ports"] = [{"port": 80}]
    found = await ground.compared(wanted(nonsense, MAP), [live])
    assert found.status == "Unknown"
    (condition,) = found.conditions
    assert condition.type == "ComparisonError"
    assert condition.message.startswith("Failed to compare desired state to live state: ")
    assert "port" in condition.message


async def test_what_the_project_forbids_is_unknown(ground: Ground) -> None:
    objects = wanted(MAP)
    live = ground.applied(objects.objects[0].object)
    key = ObjectKey("", "ConfigMap", "web", "m")
    found = await ground.compared(objects, [live], forbidden=frozenset({key}))
    assert (found.status, found.resources[0].status) == ("Synced", "Unknown")


async def test_what_was_equal_once_is_not_asked_for_again_until_it_changes(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = wanted(MAP, DEPLOYMENT)
    live = [ground.applied(one.object) for one in objects.objects]
    assert (await ground.compared(objects, live)).status == "Synced"
    newer = copy.deepcopy(live)
    newer[1]["metadata"] |= {"resourceVersion": "999", "managedFields": [{"manager": "kubelet"}]}
    newer[1]["status"] = {"replicas": 1}
    changed = copy.deepcopy(live)
    changed[0]["data"]["a"] = "2"
    assert (await ground.compared(objects, changed)).status == "OutOfSync"
    with monkeypatch.context() as patch:
        patch.setattr(Toolbox, "ask_now", None)
        assert (await ground.compared(objects, live)).status == "Synced"
        assert (await ground.compared(objects, newer)).status == "Synced"
        assert (await ground.compared(objects, changed)).status == "OutOfSync"
