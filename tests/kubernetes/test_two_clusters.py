"""A second embedded cluster beside the first: nothing is shared, and it goes without a trace."""

from __future__ import annotations

import traces
from town import Town, eventually, get, web

from fairway.cluster.layout import layout
from fairway.cluster.setting_up import read_plan

SECOND = "staging"


def test_a_second_cluster_lives_beside_the_first_and_goes_without_a_trace(cluster: Town) -> None:
    first = cluster.pids()
    cluster.ok("cluster", "create", SECOND)
    cluster.wait_ready(SECOND)
    paths = layout(cluster.data, SECOND)
    plan = read_plan(paths)
    assert plan is not None
    for key in ("id", "block", "bridge", "gateway", "node", "loopback", "cgroup"):
        assert getattr(plan, key) != getattr(cluster.plan, key)

    with cluster.namespace("beside") as space:
        cluster.apply(*web("web", space))
        cluster.wait("deployment", "web", "condition=Available", space)
        mine = cluster.get("service", "web", "-n", space)["spec"]["clusterIP"]
        cluster.load_busybox(SECOND)
        cluster.apply(*web("web"), cluster=SECOND)
        cluster.kubectl("rollout", "status", "deployment/web", "--timeout=240s", cluster=SECOND)
        theirs = cluster.get("service", "web", cluster=SECOND)["spec"]["clusterIP"]
        assert "web-" in eventually(lambda: get(mine, 80))
        assert "web-" in eventually(lambda: get(theirs, 80))
        (pod,) = cluster.get("pods", cluster=SECOND)["items"]
        ask = f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 {mine} 80"
        words = ("exec", pod["metadata"]["name"], "--", "sh", "-c", ask)
        assert "web-" not in cluster.kubectl(*words, cluster=SECOND, check=False).all
        assert space not in cluster.namespaces(SECOND)

        assert traces.of(paths, plan).devices
        cluster.ok("cluster", "delete", SECOND, "--yes")
        assert traces.of(paths, plan) == traces.NOTHING
        assert not paths.folder.exists()
        assert "web-" in eventually(lambda: get(mine, 80))
    assert cluster.pids() == first
    cluster.wait_ready()


def test_the_installations_own_cluster_is_not_deleted(cluster: Town) -> None:
    done = cluster.run("cluster", "delete", cluster.name, "--yes")
    assert done.code != 0
    assert "own cluster" in done.all
    cluster.wait_ready()


def test_a_cluster_needs_a_name_that_is_free_and_fit(cluster: Town) -> None:
    assert cluster.run("cluster", "create", cluster.name).code != 0
    done = cluster.run("cluster", "create", "Bad/Name")
    assert done.code != 0
    assert not (cluster.data / "cluster" / "Bad").exists()
