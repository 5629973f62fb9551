"""The addresses of an Engine of our own collide with nothing."""

from ipaddress import IPv4Network

import pytest

from fairway.docker import addresses
from fairway.model.errors import Unavailable

ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
tun0\t0000C80A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""


def networks(*texts: str) -> list[IPv4Network]:
    return [IPv4Network(text) for text in texts]


def test_routes_are_read_with_their_masks() -> None:
    assert addresses.routes(ROUTES) == networks("0.0.0.0/0", "192.0.2.0/24", "10.200.0.0/16")


def test_name_servers_are_taken_and_other_lines_are_not() -> None:
    text = "search example\nnameserver 10.201.0.53\nnameserver fd00::1\n# nameserver 1.2.3.4\n"
    assert addresses.nameservers(text) == networks("10.201.0.53/32")


@pytest.mark.parametrize(
    ("taken", "block"),
    [
        ((), "10.200.0.0/14"),
        (("0.0.0.0/0",), "10.200.0.0/14"),
        (("10.200.7.0/24",), "10.204.0.0/14"),
        (("10.203.255.255/32",), "10.204.0.0/14"),
        (("10.200.0.0/13",), "10.128.0.0/14"),
        (("10.0.0.0/8",), "172.24.0.0/14"),
        (("10.0.0.0/8", "172.16.0.0/12"), "100.64.0.0/14"),
    ],
)
def test_the_first_block_that_overlaps_nothing_is_chosen(
    taken: tuple[str, ...], block: str
) -> None:
    assert addresses.choose(networks(*taken)).block == block


def test_the_bridge_and_the_pools_lie_apart_in_the_block() -> None:
    chosen = addresses.choose([])
    assert chosen.gateway == "10.200.0.1/24"
    assert chosen.gateway_address == "10.200.0.1"
    assert chosen.pools == ("10.201.0.0/16", "10.202.0.0/16", "10.203.0.0/16")
    assert all(chosen.holds(pool) for pool in chosen.pools)
    assert not chosen.holds("10.204.0.0/16")


def test_a_machine_without_free_addresses_is_told_so() -> None:
    everything = networks("10.0.0.0/8", "172.16.0.0/12", "100.64.0.0/10")
    with pytest.raises(Unavailable) as raised:
        addresses.choose(everything)
    assert raised.value.code == "no-free-addresses"
    assert "DOCKER_HOST" in raised.value.remedy


def test_bridge_names_fit_the_kernel_and_differ_by_folder() -> None:
    names = {addresses.bridge_name(folder) for folder in ("/a", "/b", "/" + "x" * 200)}
    assert len(names) == 3
    assert all(len(name) <= 15 and name.startswith("fairway") for name in names)
