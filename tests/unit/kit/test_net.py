"""What means this machine to whoever reads it."""

import socket

import pytest

from fairway.kit import net
from fairway.kit.net import free_port, is_loopback


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.0.1:80",
        "::1",
        "[::1]:80",
        "localhost",
        "localhost:5000",
        "a.localhost:80",
    ],
)
def test_loopback_is_known_with_and_without_a_port(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["10.0.0.1:80", "registry.example", "localhost.example", "::2"])
def test_other_machines_are_not_loopback(address: str) -> None:
    assert not is_loopback(address)


def test_free_ports_differ_and_none_is_of_those_that_connections_take() -> None:
    found = [free_port() for _ in range(200)]
    assert len(set(found)) == len(found)
    assert all(net._FIRST <= port <= net._LAST for port in found)


def test_a_port_that_somebody_listens_on_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(net, "_FIRST", port)
        monkeypatch.setattr(net, "_LAST", port)
        assert free_port() != port
