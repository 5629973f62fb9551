"""Server and controllers in processes of their own, on one machine: what the server shows."""

from __future__ import annotations

import os
import signal
from typing import Any

from town import Town, eventually


def cluster_of(town: Town) -> dict[str, Any]:
    """As `fairway get clusters` has it."""
    [found] = town.ok("get", "clusters", "-o", "json").json()["items"]
    return dict(found)


def restarted(town: Town, name: str) -> bool:
    """Kill a component until that is counted: what ended before the controllers took it up is
    begun by them, not begun again."""
    found = town.components()[name]
    if not found.get("restarts"):
        os.kill(town.pids()[name], signal.SIGKILL)
    return bool(found.get("restarts"))


def test_a_server_shows_and_reaches_the_clusters_that_controllers_keep(cluster: Town) -> None:
    before = cluster.pids()
    cluster.kill(signal.SIGTERM)
    try:
        with cluster.serving("server", "git"), cluster.serving("controllers"):
            cluster.wait_ready()
            shown = cluster_of(cluster)
            assert (shown["kind"], shown["home"], shown["state"]) == ("embedded", True, "ready")
            assert set(before) <= set(cluster.components())
            assert cluster.pids() == before  # adopted, none was started anew
            nodes = cluster.ok("kubectl", "get", "nodes", "-o", "name").out
            assert nodes.strip() == f"node/{cluster.plan.node_name}"

            eventually(lambda: restarted(cluster, "scheduler"))
            assert "ended" in cluster.components()["scheduler"]["reason"]
            cluster.wait_ready()
            assert cluster.pids()["scheduler"] != before["scheduler"]

            done = cluster.run("cluster", "create", "further")
            assert done.code != 0
            assert "role controllers" in done.err
        with cluster.serving("server", "git"):  # nobody keeps the cluster, and it goes on
            assert cluster_of(cluster)["state"] == "ready"
            cluster.wait_ready()
            assert cluster.run("kubectl", "get", "namespaces").code == 0
    finally:
        cluster.up()
    cluster.wait_ready()
