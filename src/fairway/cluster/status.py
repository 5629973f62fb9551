"""How an embedded cluster is. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from fairway.supervise.component import ComponentStatus, State


class ClusterState(StrEnum):
    """`impossible`: it cannot run on this machine; `waiting`: for the programs, or their build."""

    IMPOSSIBLE = "impossible"
    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    DEGRADED = "degraded"
    ENDING = "ending"


class ClusterStatus(Struct, frozen=True):
    """`reason` says why it is not ready, with what to do where something can be done."""

    name: str
    state: ClusterState
    reason: str = ""
    remedy: str = ""
    components: tuple[ComponentStatus, ...] = ()


def judge(
    name: str, components: Sequence[ComponentStatus], node: str, *, was: bool
) -> ClusterStatus:
    """The state that components and node come to.

    `node`: why the node is not Ready, "" when it is. `was`: whether the cluster has been ready.
    """
    missing = [one for one in components if one.state is not State.READY]
    if not missing and not node:
        return ClusterStatus(name, ClusterState.READY, components=tuple(components))
    said = [
        f"{one.name} is {one.state}" + (f": {one.reason}" * bool(one.reason)) for one in missing
    ]
    failed = any(one.state is State.FAILED or one.restarts > 2 for one in missing)
    state = ClusterState.DEGRADED if was or failed else ClusterState.STARTING
    reason = "; ".join(said or [f"the node is not ready: {node}"])
    return ClusterStatus(name, state, reason, components=tuple(components))


def _said(one: ComponentStatus) -> str:
    return f"{one.name} is {one.state}" + (f": {one.reason}" if one.reason else "")
