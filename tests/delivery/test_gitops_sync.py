"""Applications on a real API server: synced, compared, healed, pruned, ended."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import pytest
from gitops_town import Town, application, automated, config, job, noted, town

from fairway.gitops.application import REFRESH
from fairway.gitops.kinds import APPLICATION, PROJECT
from fairway.kube import Kind, Kube
from fairway.kube.errors import KubeInvalid
from fairway.kube.kind import CONFIG_MAP, JOB, NAMESPACE
from fairway.model.errors import Unavailable
from fairway.native.programs import find
from fairway.native.server import Server
from fairway.native.toolbox import Toolbox
from fairway.testing.fleet import StaticFleet
from fairway.testing.waiting import eventually


@pytest.fixture(scope="session")
def toolbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toolbox]:
    """One toolbox for all tests here."""
    folder = tmp_path_factory.mktemp("toolbox")
    server = Server(folder, lambda: find(os.environ.get("FAIRWAY_NATIVE__DIR", "")).native)
    yield Toolbox(server)
    server.stop()


@pytest.fixture
async def place(kube: Kube, namespace: str, toolbox: Toolbox) -> AsyncIterator[Town]:
    """A controller of the test's own, whose Applications are in the test's namespace."""
    async with town(kube, namespace, toolbox) as made:
        yield made


async def test_a_new_application_is_synced_by_itself_and_follows_a_commit(
    place: Town, namespace: str
) -> None:
    first = place.push("shop", config("a", key="1"))
    await place.create("shop", namespace, syncPolicy=automated())
    found = await place.until("shop", sync="Synced", health="Healthy", phase="Succeeded")
    assert found["status"]["sync"]["revision"] == first
    assert [one["name"] for one in found["status"]["resources"]] == ["a"]
    second = place.push("shop", config("a", key="2"), config("b", key="1"))
    found = await place.until("shop", sync="Synced", revision=second, phase="Succeeded")
    live = await place.kube.get(CONFIG_MAP, "a", namespace)
    assert live["data"] == {"key": "2"}
    assert [one["id"] for one in found["status"]["history"]] == [0, 1]


# Every test here has an application named `shop` in a hub of its own.


async def gone(place: Town, kind: Kind, name: str, namespace: str) -> None:
    """Wait until there is no such object."""

    async def ask() -> bool:
        return await place.kube.find(kind, name, namespace) is None

    await eventually(f"{name} is gone", ask)


async def test_a_change_made_by_hand_is_shown_and_healed_only_where_that_is_asked_for(
    place: Town, namespace: str
) -> None:
    place.push("shop", config("a", key="1"))
    await place.create("shop", namespace, syncPolicy={"automated": {}})
    await place.until("shop", sync="Synced", phase="Succeeded")
    await place.kube.patch(CONFIG_MAP, "a", namespace, body={"data": {"key": "by hand"}})
    await place.until("shop", sync="OutOfSync")
    heal = {"spec": {"syncPolicy": {"automated": {"selfHeal": True}}}}
    await place.change("shop", heal)
    found = await place.until("shop", sync="Synced", phase="Succeeded")
    assert (await place.kube.get(CONFIG_MAP, "a", namespace))["data"] == {"key": "1"}
    sync = found["status"]["operationState"]["operation"]["sync"]
    assert sync["autoHealAttemptsCount"] == 1
    assert sync["resources"] == [{"kind": "ConfigMap", "name": "a"}]
    assert len(found["status"]["history"]) == 1


async def test_what_is_wanted_no_more_is_pruned_only_with_prune(
    place: Town, namespace: str
) -> None:
    place.push("shop", config("a", key="1"), config("b", key="1"))
    await place.create("shop", namespace, syncPolicy={"automated": {}})
    await place.until("shop", sync="Synced", phase="Succeeded")
    place.push("shop", config("a", key="2"))
    found = await place.until("shop", sync="OutOfSync", phase="Succeeded")
    extra = next(one for one in found["status"]["resources"] if one["name"] == "b")
    assert extra["requiresPruning"] is True
    await place.operate("shop", prune=True)
    await place.until("shop", sync="Synced", phase="Succeeded")
    await gone(place, CONFIG_MAP, "b", namespace)


async def test_automation_does_not_wipe_an_application_out_unless_that_is_allowed(
    place: Town, namespace: str
) -> None:
    place.push("shop", config("a", key="1"))
    await place.create("shop", namespace, syncPolicy=automated())
    await place.until("shop", sync="Synced", phase="Succeeded")
    place.push("shop")
    found = await place.until("shop", sync="OutOfSync", condition="SyncError")
    assert "auto-sync will wipe out all resources" in found["status"]["conditions"][0]["message"]
    assert await place.kube.find(CONFIG_MAP, "a", namespace) is not None
    body = {"spec": {"syncPolicy": {"automated": {"allowEmpty": True}}}}
    await place.change("shop", body)
    await place.until("shop", sync="Synced", phase="Succeeded", condition="")
    await gone(place, CONFIG_MAP, "a", namespace)


async def test_waves_wait_for_the_health_of_what_came_before(place: Town, namespace: str) -> None:
    first = noted(job("first", "1"), sync_wave="-1")
    place.push("shop", first, noted(config("second", key="1"), sync_wave="1"))
    await place.create("shop", namespace)
    await place.until("shop", sync="OutOfSync", health="Missing")
    await place.operate("shop")
    found = await place.until("shop", phase="Succeeded", sync="Synced")
    results = found["status"]["operationState"]["syncResult"]["resources"]
    assert [one["name"] for one in results] == ["first", "second"]
    done = await place.kube.get(JOB, "first", namespace)
    later = await place.kube.get(CONFIG_MAP, "second", namespace)
    ended = done["status"]["completionTime"]
    assert ended <= later["metadata"]["creationTimestamp"]


async def test_hooks_run_around_a_sync_and_go_as_their_policy_says(
    place: Town, namespace: str
) -> None:
    before = noted(job("before"), hook="PreSync", hook_delete_policy="HookSucceeded")
    after = noted(job("after"), hook="PostSync")
    place.push("shop", config("a", key="1"), before, after)
    await place.create("shop", namespace, syncPolicy=automated())
    found = await place.until("shop", sync="Synced", phase="Succeeded")
    results = found["status"]["operationState"]["syncResult"]["resources"]
    assert [(one["name"], one.get("hookType", "")) for one in results] == [
        ("before", "PreSync"),
        ("a", ""),
        ("after", "PostSync"),
    ]
    assert {one["hookPhase"] for one in results} == {"Succeeded"}
    await gone(place, JOB, "before", namespace)
    assert await place.kube.find(JOB, "after", namespace) is not None
    first = await place.kube.get(JOB, "after", namespace)
    place.push("shop", config("a", key="2"), before, after)

    async def again() -> bool:
        found = await place.kube.find(JOB, "after", namespace)
        return found is not None and found["metadata"]["uid"] != first["metadata"]["uid"]

    await eventually("the hook is made anew", again)
    await place.until("shop", sync="Synced", phase="Succeeded")


async def test_a_hook_that_fails_ends_the_sync_and_starts_the_hooks_for_that(
    place: Town, namespace: str
) -> None:
    bad = noted(job("bad", exit_code="3"), hook="PreSync")
    rescue = noted(job("rescue"), hook="SyncFail")
    place.push("shop", config("a", key="1"), bad, rescue)
    await place.create("shop", namespace)
    await place.until("shop", sync="OutOfSync")
    await place.operate("shop")
    found = await place.until("shop", phase="Failed")
    assert "completed unsuccessfully" in found["status"]["operationState"]["message"]
    assert await place.kube.find(CONFIG_MAP, "a", namespace) is None
    assert await place.kube.find(JOB, "rescue", namespace) is not None


async def test_an_invalid_object_is_found_before_anything_is_applied(
    place: Town, namespace: str
) -> None:
    bad = config("b", key="1")
    bad["dta"] = {}
    place.push("shop", config("a", key="1"), bad)
    await place.create("shop", namespace)
    await place.until("shop", sync="OutOfSync")
    await place.operate("shop")
    found = await place.until("shop", phase="Failed")
    state = found["status"]["operationState"]
    assert state["message"] == "one or more objects failed to apply (dry run)"
    assert 'unknown field "dta"' in state["syncResult"]["resources"][0]["message"]
    assert await place.kube.find(CONFIG_MAP, "a", namespace) is None
    await place.operate("shop", syncOptions=["Validate=false"])
    await place.until("shop", phase="Succeeded")


async def test_the_namespace_is_made_where_that_is_asked_for(place: Town, namespace: str) -> None:
    name = f"{namespace}-made"
    place.push("shop", config("a", key="1"))
    options = {"syncOptions": ["CreateNamespace=true"]}
    try:
        await place.create("shop", name, syncPolicy={**automated(), **options})
        await place.until("shop", sync="Synced", phase="Succeeded")
        assert await place.kube.find(CONFIG_MAP, "a", name) is not None
    finally:
        await place.kube.delete(NAMESPACE, name)


async def test_a_failed_sync_is_tried_again_after_its_pause(place: Town, namespace: str) -> None:
    name = f"{namespace}-late"
    place.push("shop", config("a", key="1"))
    retry = {"limit": 1000, "backoff": {"duration": "300ms", "factor": 1}}
    await place.create("shop", name, syncPolicy={**automated(), "retry": retry})
    found = await place.until("shop", running="Running")

    async def retried() -> bool:
        state = (await place.app("shop"))["status"].get("operationState") or {}
        return "Retrying attempt #" in state.get("message", "")

    await eventually("it is tried again", retried)
    try:
        await place.kube.create(NAMESPACE, {"metadata": {"name": name}})
        found = await place.until("shop", sync="Synced", phase="Succeeded")
        assert found["status"]["operationState"]["retryCount"] >= 1
    finally:
        await place.kube.delete(NAMESPACE, name)


async def test_an_operation_can_be_ended_while_it_waits(place: Town, namespace: str) -> None:
    never = noted(job("never", ready="never"), hook="PreSync")
    place.push("shop", config("a", key="1"), never)
    await place.create("shop", namespace)
    await place.until("shop", sync="OutOfSync")
    await place.operate("shop")

    async def waits() -> bool:
        state = (await place.app("shop"))["status"].get("operationState") or {}
        return "waiting for completion of hook" in state.get("message", "")

    await eventually("it waits for its hook", waits)
    body = {"status": {"operationState": {"phase": "Terminating"}}}
    await place.change("shop", body)
    found = await place.until("shop", phase="Failed")
    assert found["status"]["operationState"]["message"] == "Operation terminated"
    await gone(place, JOB, "never", namespace)


async def test_an_application_takes_its_objects_with_it_where_its_finalizer_says_so(
    place: Town, namespace: str
) -> None:
    kept = noted(config("kept", key="1"), sync_options="Delete=false")
    place.push("shop", config("a", key="1"), kept)
    finalizers = {"finalizers": ["resources-finalizer.argocd.argoproj.io"]}
    await place.create("shop", namespace, syncPolicy=automated(), metadata=finalizers)
    await place.until("shop", sync="Synced", phase="Succeeded")
    await place.kube.delete(APPLICATION, place.named("shop"), place.home)
    await gone(place, APPLICATION, place.named("shop"), place.home)
    assert await place.kube.find(CONFIG_MAP, "a", namespace) is None
    assert await place.kube.find(CONFIG_MAP, "kept", namespace) is not None


async def test_what_is_not_supported_is_refused_with_its_path(place: Town, namespace: str) -> None:
    place.push("shop", config("a", key="1"))
    sources = [{"repoURL": "https://x.invalid"}]
    bad = application(place.named("shop"), place.home, namespace, path="shop", sources=sources)

    async def refused() -> str:
        try:
            await place.kube.create(APPLICATION, bad, dry_run=True)
        except KubeInvalid as error:
            return str(error)
        return ""  # the policy is not in force yet

    assert "spec.sources is not supported yet" in await eventually("a refusal", refused)


async def test_a_project_limits_where_an_application_goes_and_what_it_brings(
    place: Town, namespace: str
) -> None:
    project = {
        "metadata": {"name": "small", "namespace": place.home},
        "spec": {
            "sourceRepos": ["https://git.invalid/*"],
            "destinations": [{"server": "*", "namespace": namespace}],
            "namespaceResourceBlacklist": [{"group": "", "kind": "Secret"}],
        },
    }
    await place.kube.create(PROJECT, project)
    place.push("shop", config("a", key="1"))
    await place.create("shop", "elsewhere", project="small", syncPolicy=automated())
    found = await place.until("shop", sync="Unknown", condition="InvalidSpecError")
    assert "do not match any of the allowed destinations" in str(found["status"]["conditions"])
    body = {"spec": {"destination": {"namespace": namespace}}}
    await place.change("shop", body)
    await place.until("shop", sync="Synced", phase="Succeeded", condition="")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {}}
    place.push("shop", config("a", key="2"), secret)

    async def refused() -> bool:
        state = (await place.app("shop"))["status"].get("operationState") or {}
        said = "resource :Secret is not permitted in project small"
        return said in state.get("message", "")

    await eventually("the Secret is refused", refused)


async def test_a_source_that_gives_nothing_is_a_condition_and_its_end_is_seen(
    place: Town, namespace: str
) -> None:
    await place.create("shop", namespace, syncPolicy=automated())
    found = await place.until("shop", sync="Unknown", condition="ComparisonError")
    assert "Failed to load target state" in found["status"]["conditions"][0]["message"]
    place.push("shop", config("a", key="1"))
    await place.until("shop", sync="Synced", phase="Succeeded", condition="")


async def test_a_refresh_that_is_asked_for_is_answered_by_taking_its_annotation_away(
    place: Town, namespace: str
) -> None:
    place.written.commit("shop", config("a", key="1"))
    await place.create("shop", namespace)
    await place.until("shop", sync="OutOfSync")
    second = place.written.commit("shop", config("a", key="2"))
    body = {"metadata": {"annotations": {REFRESH: "normal"}}}
    await place.change("shop", body)
    found = await place.until("shop", revision=second)
    assert REFRESH not in found["metadata"].get("annotations", {})


async def test_server_side_apply_owns_its_fields_as_argo_cd_does(
    place: Town, namespace: str
) -> None:
    place.push("shop", config("a", key="1"))
    options = {"syncOptions": ["ServerSideApply=true"]}
    await place.create("shop", namespace, syncPolicy={**automated(), **options})
    await place.until("shop", sync="Synced", phase="Succeeded")
    live = await place.kube.get(CONFIG_MAP, "a", namespace)
    owners = {(one["manager"], one["operation"]) for one in live["metadata"]["managedFields"]}
    assert ("argocd-controller", "Apply") in owners
    place.push("shop", config("a", other="2"))
    await place.until("shop", sync="Synced", phase="Succeeded")

    async def changed() -> bool:
        found = await place.kube.get(CONFIG_MAP, "a", namespace)
        return bool(found["data"] == {"other": "2"})

    await eventually("the former field is gone", changed)


async def test_one_cluster_out_of_reach_says_so_and_the_others_go_on(
    kube: Kube, namespace: str, toolbox: Toolbox
) -> None:
    fleet = StaticFleet(home=kube)
    fleet.add("far", None, Unavailable("its cable is cut"))
    async with town(kube, namespace, toolbox, fleet=fleet) as place:
        place.push("shop", config("a", key="1"))
        place.push("away", config("b", key="1"))
        far = {"name": "far", "namespace": namespace}
        await place.create("away", namespace, destination=far, syncPolicy=automated())
        await place.create("shop", namespace, syncPolicy=automated())
        await place.until("shop", sync="Synced", phase="Succeeded")
        found = await place.until("away", sync="Unknown", condition="ComparisonError")
        assert "its cable is cut" in found["status"]["conditions"][0]["message"]
        fleet.add("far", kube)
        await place.until("away", sync="Synced", phase="Succeeded", condition="")
