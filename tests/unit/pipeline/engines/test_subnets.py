"""Where networks go when the engine has no room of its own left."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from fairway.pipeline.engines.subnets import spare_subnets

HEAD = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"


def test_candidates_are_small_private_distinct_and_the_same_for_a_name(tmp_path: Path) -> None:
    routes = tmp_path / "route"
    routes.write_text(HEAD + "eth0 00000000 010011AC 0003 0 0 0 00000000 0 0 0\n")
    found = list(spare_subnets("fairway-b1-s1", routes))
    assert len(set(found)) == 16
    assert all(ipaddress.ip_network(each).prefixlen == 26 for each in found)
    assert all(ipaddress.ip_network(each).is_private for each in found)
    assert found == list(spare_subnets("fairway-b1-s1", routes))
    assert found != list(spare_subnets("fairway-b1-s2", routes))


def test_no_candidate_hides_a_network_that_the_machine_reaches(tmp_path: Path) -> None:
    routes = tmp_path / "route"
    routes.write_text(HEAD + "tun0 0000E00A 00000000 0001 0 0 0 0000F0FF 0 0 0\n")
    taken = ipaddress.ip_network("10.224.0.0/12")
    found = list(spare_subnets("x", routes))
    assert 0 < len(found) < 16
    assert not any(ipaddress.ip_network(each).overlaps(taken) for each in found)


def test_a_machine_that_tells_no_routes_takes_them_all(tmp_path: Path) -> None:
    assert len(list(spare_subnets("x", tmp_path / "none"))) == 16
