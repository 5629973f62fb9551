"""A cluster's addresses: all its own, the same ever after."""

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from fairway.cluster import plan as plans
from fairway.cluster.layout import layout
from fairway.model.errors import InvalidInput, Unavailable


def test_the_parts_of_a_block_do_not_overlap_and_hold_their_addresses() -> None:
    plan = plans.choose("installation", "local", [])
    block = IPv4Network(plan.block)
    parts = [IPv4Network(one) for one in (plan.network, plan.balancers, plan.services, plan.pods)]
    assert all(part.subnet_of(block) for part in parts)
    assert not [1 for a in parts for b in parts if a is not b and a.overlaps(b)]
    assert IPv4Address(plan.gateway) in parts[0]
    assert IPv4Address(plan.node) in parts[0]
    assert IPv4Address(plan.dns) in parts[2]
    assert str(plan.dns).endswith(".10")
    assert IPv4Address(plan.loopback).is_loopback
    assert parts[3].num_addresses > 2 * 250


def test_names_of_devices_and_chains_fit_the_kernel() -> None:
    plan = plans.choose("installation", "a" * 40, [])
    assert len(plan.bridge) <= 15
    assert len(plan.veth) <= 15
    assert len(plan.chain + "-OUT") <= 28


def test_every_cluster_of_every_installation_has_marks_and_addresses_of_its_own() -> None:
    taken: list[IPv4Network] = []
    made = []
    for installation in ("one", "two", "three"):
        for name in ("local", "staging"):
            plan = plans.choose(installation, name, taken)
            taken.append(IPv4Network(plan.block))
            made.append(plan)
    for key in ("id", "bridge", "veth", "block", "gateway", "loopback", "cgroup", "chain"):
        assert len({getattr(plan, key) for plan in made}) == len(made)


def test_a_plan_is_the_same_each_time() -> None:
    assert plans.choose("one", "local", []) == plans.choose("one", "local", [])


def test_a_range_that_the_machine_uses_is_not_chosen() -> None:
    first = plans.choose("one", "local", [])
    route = IPv4Network(first.pods)
    second = plans.choose("one", "local", [route])
    assert not IPv4Network(second.block).overlaps(route)


def test_the_default_route_takes_nothing() -> None:
    everything = IPv4Network("0.0.0.0/0")
    assert plans.choose("one", "local", [everything]) == plans.choose("one", "local", [])


def test_a_machine_without_a_free_range_is_told_what_else_it_can_do() -> None:
    with pytest.raises(Unavailable) as raised:
        plans.choose("one", "local", [IPv4Network(f"{n}.0.0.0/8") for n in (10, 100, 172)])
    assert raised.value.code == "no-free-addresses"
    assert "--kubeconfig" in raised.value.remedy


def test_whose_addresses_the_block_overlaps_is_found() -> None:
    plan = plans.choose("one", "local", [])
    other = IPv4Network(plan.services)
    assert plans.overlap(plan, [IPv4Network("192.0.2.0/24"), other]) == other
    assert plans.overlap(plan, [IPv4Network("192.0.2.0/24")]) is None


def test_routes_of_the_own_bridge_are_not_somebody_elses() -> None:
    text = (
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "fwk1\t0000590A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
    )
    found = [str(one) for one in plans.routes(text, "fwk1")]
    assert found == ["0.0.0.0/0", "172.17.0.0/16"]
    assert "10.89.0.0/24" in [str(one) for one in plans.routes(text)]


@pytest.mark.parametrize("name", ["local", "a", "prod-2", "a" * 40])
def test_good_names(name: str) -> None:
    assert layout(Path("/d"), name).folder == Path("/d/cluster") / name


@pytest.mark.parametrize("name", ["", "..", "a/b", "Prod", "-a", "a-", "a" * 41, "a b", "a\n"])
def test_a_name_that_could_be_a_path_or_no_dns_label_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        layout(Path("/d"), name)
    assert raised.value.code == "bad-cluster-name"


def test_a_folder_too_deep_for_sockets_is_refused_and_one_nearly_too_deep_has_them_in_run() -> None:
    with pytest.raises(Unavailable) as raised:
        layout(Path("/" + "d" * 100), "local")
    assert raised.value.code == "path-too-long"
    paths = layout(Path("/" + "d" * 53), "local")
    assert len(str(paths.kubelet / "device-plugins/kubelet.sock")) <= 107
    assert len(str(paths.socket) + ".ttrpc") <= 107
