"""The command line's part in applications: listed, described, synced, awaited, compared."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import structs

from fairway.client.wire.app import AppDifference
from fairway.testing.apiworld import ApiWorld
from fairway.testing.clusters import ClusterWorld
from fairway.testing.commandline import Line

APPS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
Json = dict[str, Any]


def application(**more: Any) -> Json:
    state = {
        "phase": "Succeeded",
        "message": "successfully synced (all tasks run)",
        "syncResult": {"revision": "a" * 40},
    }
    found: Json = {
        "metadata": {"name": "web", "namespace": "argocd", "resourceVersion": "7"},
        "spec": {
            "project": "default",
            "source": {"repoURL": "https://git.example/shop.git", "path": "web"},
            "destination": {"name": "far", "namespace": "shop"},
            "syncPolicy": {"automated": {}, "syncOptions": ["PruneLast=true"]},
        },
        "status": {
            "sync": {"status": "OutOfSync", "revision": "a" * 40},
            "health": {"status": "Healthy"},
            "operationState": state,
            "conditions": [{"type": "SyncError", "message": "no room"}],
            "resources": [{"kind": "ConfigMap", "name": "c", "namespace": "shop",
                           "version": "v1", "status": "OutOfSync", "requiresPruning": True}],
            "history": [{"id": 3, "revision": "a" * 40, "deployedAt": "2026-01-01T00:00:00Z",
                         "initiatedBy": {"username": "ada"}}],
        },
    }  # fmt: skip
    return {**found, **more}


@pytest.fixture
def world(api_world: ApiWorld) -> ClusterWorld:
    made = ClusterWorld(api_world)
    made.home.answers[f"GET {APPS}"] = {"items": [application()]}
    made.home.answers[f"GET {APPS}/web"] = application()
    made.home.answers[f"PATCH {APPS}/web"] = lambda body: application(operation=body["operation"])
    return made


def test_applications_are_listed_and_described(fairway: Line, world: ClusterWorld) -> None:
    listed = fairway("get", "apps").stdout.splitlines()
    assert listed[1].split()[:4] == ["web", "OutOfSync", "Healthy", "aaaaaaaa"]
    told = fairway("describe", "app", "web").stdout
    assert "SyncError: no room" in told
    assert "prune" in told
    assert "ada" in told
    assert fairway("describe", "app", "none").exit_code == 5


def test_without_the_kind_there_are_no_applications(fairway: Line, world: ClusterWorld) -> None:
    del world.home.answers[f"GET {APPS}"]
    done = fairway("get", "apps")
    assert (done.exit_code, done.stdout) == (0, "")


def test_a_sync_is_asked_for_as_argo_cds_clients_do(fairway: Line, world: ClusterWorld) -> None:
    done = fairway("sync", "app", "web", "--prune", "--resource", "apps:Deployment:web", "-o",
                   "json")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["running"] is True
    method, path, body = world.home.asked[-1]
    assert (method, path) == ("PATCH", f"{APPS}/web")
    assert body["metadata"] == {"resourceVersion": "7"}
    assert body["operation"] == {
        "sync": {
            "syncStrategy": {"hook": {}},
            "prune": True,
            "syncOptions": ["PruneLast=true"],
            "resources": [{"group": "apps", "kind": "Deployment", "name": "web"}],
        },
        "initiatedBy": {"username": "ada"},
    }


def test_a_sync_waits_and_its_failure_is_exit_code_1(fairway: Line, world: ClusterWorld) -> None:
    running = application(operation={"sync": {}})
    failed = application()
    failed["status"]["operationState"] = {"phase": "Failed", "message": "no room"}
    world.home.answers[f"GET {APPS}/web"] = [application(), running, failed]
    done = fairway("sync", "web", "--wait")
    assert done.exit_code == 1
    assert "Failed no room" in done.stdout


def test_a_second_operation_is_refused_while_one_runs(fairway: Line, world: ClusterWorld) -> None:
    world.home.answers[f"GET {APPS}/web"] = application(operation={"sync": {}})
    done = fairway("sync", "web")
    assert done.exit_code == 2
    assert "another operation of web is in progress" in done.stderr


def test_who_may_not_sync_changes_nothing(
    fairway: Line, world: ClusterWorld, api_world: ApiWorld
) -> None:
    done = fairway("sync", "web", "--token", api_world.token("max"))
    assert done.exit_code == 4, done.stderr
    assert all(method == "GET" for method, _path, _body in world.home.asked)


def test_an_application_is_awaited_until_it_is_so(fairway: Line, world: ClusterWorld) -> None:
    good = application()
    good["status"]["sync"]["status"] = "Synced"
    world.home.answers[f"GET {APPS}/web"] = [application(), good]
    done = fairway("wait", "app", "web", "--sync", "--health")
    assert (done.exit_code, done.stdout.split()[:3]) == (0, ["web", "Synced", "Healthy"])


def test_what_differs_is_shown_and_is_exit_code_1(
    fairway: Line, world: ClusterWorld, api_world: ApiWorld
) -> None:
    found = [AppDifference(kind="ConfigMap", namespace="shop", name="c", live="a: 1\n",
                           wanted="a: 2\n")]  # fmt: skip

    async def differ(name: str) -> list[AppDifference]:
        assert name == "web"
        return found

    api_world.services = structs.replace(api_world.services, app_differences=differ)
    done = fairway("diff", "app", "web")
    assert done.exit_code == 1
    assert done.stdout.splitlines()[-2:] == ["-a: 1", "+a: 2"]
    found.clear()
    assert fairway("diff", "app", "web").exit_code == 0
