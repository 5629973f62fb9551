"""What means this machine to whoever reads it."""

import pytest

from fairway.kit.net import is_loopback


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
