"""Fairway's own bridge on an Engine that is not ours: the address at which containers reach us."""

from __future__ import annotations

import contextlib
from typing import Final

from fairway.docker.client import Docker
from fairway.model.errors import FairwayError, Unavailable

LABEL: Final = "fairway.bridge"


def bridge_name(owner: str) -> str:
    """The network's name. `owner` is the installation's id."""
    return f"fairway-{owner}"


async def gateway(docker: Docker, owner: str) -> str:
    """This machine's address on our bridge network, which is made where it is missing.

    Raises `Unavailable` (code `bridge-unavailable`) when the Engine gives it no address.
    """
    name = bridge_name(owner)
    await docker.create_network(name, {LABEL: owner})
    for network in await docker.networks([f"{LABEL}={owner}"]):
        for config in (network.get("IPAM") or {}).get("Config") or []:
            if address := config.get("Gateway"):
                return str(address)
    raise Unavailable(
        f"the Docker network {name} has no gateway address",
        code="bridge-unavailable",
        remedy=f"`docker network rm {name}`, then start Fairway again",
    )


async def remove(docker: Docker, owner: str) -> None:
    """Remove our bridge network; what is gone already is fine."""
    with contextlib.suppress(FairwayError):
        await docker.remove_network(bridge_name(owner))
