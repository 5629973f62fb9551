"""A whole voyage on other grounds, and through bad weather: it ends the same everywhere.

A push, its unit tests and image, a candidate, a release, dev, staging, production after somebody's
word; the same once more; and one command back. (`make demo` has the longer one.)
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import voyage_files as files
import voyage_foreign as foreign
from town import why_not
from voyage import ALL_HOME, Voyage, abroad, ready, until
from voyage_far import elsewhere
from voyage_storm import KILLS, storm
from voyage_story import SECOND, arrived_well, back, first_out, sail, second_out

NATIVE = os.environ.get("FAIRWAY_NATIVE__DIR", "")
pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(2400),
    pytest.mark.usefixtures("busybox", "own_loop"),
]


SEED = 6


def test_it_ends_the_same_after_twenty_kills_at_seeded_moments(tmp_path: Path) -> None:
    seed = int(os.environ.get("FAIRWAY_CRASH_SEED", SEED))
    with (
        elsewhere(tmp_path / "there", NATIVE) as (_, config),
        abroad(tmp_path / "here", config) as ground,
        ready(ground) as voyage,
        storm(ground, seed) as weather,
    ):
        sail(voyage, weather)
        assert weather.kills == sum(KILLS.values()) == 20
        arrived_well(voyage)


@pytest.mark.postgres
def test_it_ends_the_same_on_postgresql(tmp_path: Path, postgres: str) -> None:
    where = {"FAIRWAY_DATABASE__URL": postgres}
    with (
        elsewhere(tmp_path / "there", NATIVE) as (_, config),
        abroad(tmp_path / "here", config, where) as ground,
        ready(ground) as voyage,
    ):
        sail(voyage)
        arrived_well(voyage)


def test_it_ends_the_same_on_a_kubernetes_reached_by_kubeconfig_alone(tmp_path: Path) -> None:
    """One with a real node, which pulls from our registry by HTTPS with a secret."""
    if reason := why_not():
        pytest.skip(reason)
    with (
        foreign.cluster(tmp_path / "there") as there,
        foreign.fairway(tmp_path / "here", there) as ground,
    ):
        spaces = [files.namespace(name) for name in files.ENVIRONMENTS]
        foreign.let_nodes_pull(there, ground, spaces)
        values = {name: {"pullSecret": foreign.PULL_SECRET} for name in files.ENVIRONMENTS}
        with ready(ground, values=values) as voyage:
            trial = f"pullSecret: {foreign.PULL_SECRET}\n"  # the chart's own values name none
            voyage.more["chart/ci/install-values.yaml"] = trial
            sail(voyage)
            arrived_well(voyage)


def test_a_cluster_that_is_cut_off_waits_alone_and_says_why(tmp_path: Path) -> None:
    """Development and staging are in the home cluster, production is in another one."""
    with (
        elsewhere(tmp_path / "there", NATIVE) as (_, config),
        elsewhere(tmp_path / "far", NATIVE) as (line, far),
        abroad(tmp_path / "here", config) as ground,
    ):
        ground.ok("cluster", "add", "far", "--kubeconfig", str(far))
        with ready(ground, {**ALL_HOME, "production": "far"}) as voyage:
            first_out(voyage)
            line.cut()
            second_out(voyage)  # through dev and staging, which have nothing to do with it
            voyage.approve(SECOND)
            waits_for_its_cluster(voyage)
            line.mend()
            voyage.await_("production", SECOND)
            back(voyage)
            arrived_well(voyage)


def waits_for_its_cluster(voyage: Voyage) -> None:
    """Production says that it cannot be reached, and nothing was given up."""

    def says() -> bool:
        last = voyage.lane("production")[-1]
        assert (last.version, last.state) in {(SECOND, "waiting"), (SECOND, "running")}
        return "does not answer" in last.message or "unreachable" in last.message

    until("production says why it waits", says, voyage.told)
    items = voyage.ground.ok("get", "clusters", "-o", "json").json()["items"]
    states = {one["name"]: (one["state"], bool(one["reason"])) for one in items}
    assert states["far"] == ("unreachable", True)
    assert [one for one in states.values() if one == ("ready", False)], "the other is well"
