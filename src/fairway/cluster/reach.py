"""What the nodes of a cluster reach of Fairway: found out by having one of them pull.

A pod whose image cannot exist is put onto a node: what the kubelet says of it tells whether our
registry was reached (it answers that there is no such image) or why not. Registry and API are one
server, so that a pull from the API's host shows that this is reached, too.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from fairway.cluster import loading
from fairway.cluster.known import Client
from fairway.cluster.looking import node_ready
from fairway.cluster.registered import NAMESPACE
from fairway.kit.aio import shielded
from fairway.kit.net import is_loopback
from fairway.model.errors import FairwayError, NotFound

_IMAGE: Final = "fairway/reach:check"  # of no repository: the answer is "not found" or "denied"
_PODS: Final = f"/api/v1/namespaces/{NAMESPACE}/pods"
_WAIT_S: Final = 60.0
_LOOK_S: Final = 0.2
_REACHED: Final = re.compile(
    r"not found|manifest unknown|name unknown|denied|unauthorized|authorization failed"
    r"|insufficient_scope|authentication required|\b40[134]\b",
    re.IGNORECASE,
)


class Reach(Struct, frozen=True):
    """Whether nodes reach an address. `reached` None: it could not be found out, see `detail`."""

    what: str
    address: str
    reached: bool | None
    detail: str = ""


async def reach(
    client: Client, addresses: Mapping[str, str], *, leads_here: bool = False
) -> list[Reach]:
    """Find out for each address (host[:port] by what it is). Never raises for what it finds.

    `leads_here`: its nodes were told where our names lead, also those of loopback.
    """
    found = {what: at for what, at in addresses.items() if is_loopback(at) and not leads_here}
    told = [
        Reach(what, at, reached=False, detail="to the nodes this name means themselves")
        for what, at in found.items()
    ]
    rest = {what: at for what, at in addresses.items() if what not in found}
    if not rest:
        return told
    try:
        node = await _node(client)
    except FairwayError as error:
        return [*told, *(_unknown(what, at, error) for what, at in rest.items())]
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_try(client, node, what, at), name=f"reach {at}")
            for what, at in rest.items()
        ]
    return [*told, *(task.result() for task in tasks)]


async def _node(client: Client) -> str:
    for node in (await client.request("GET", "/api/v1/nodes?limit=500")).get("items") or []:
        if node_ready(node):
            return str(node["metadata"]["name"])
    raise NotFound("it has no node that is ready")


async def _try(client: Client, node: str, what: str, address: str) -> Reach:
    image = f"{address}/{_IMAGE}"
    made = loading.pod(node, image, pull_secret="", timeout_s=_WAIT_S)
    name = made["metadata"]["name"]
    try:
        await loading.create(client, made)
        try:
            async with asyncio.timeout(_WAIT_S):
                said = await _wait(client, name)
        finally:
            await shielded(loading.remove(client, name))
    except TimeoutError:
        return Reach(what, address, reached=False, detail=f"no answer within {_WAIT_S:g} s")
    except FairwayError as error:
        return _unknown(what, address, error)
    return Reach(what, address, *judge(said))


async def _wait(client: Client, name: str) -> str:
    while True:
        said = _said(await client.request("GET", f"{_PODS}/{name}"))
        if said is not None:
            return said
        await asyncio.sleep(_LOOK_S)


def _said(pod: Mapping[str, Any]) -> str | None:
    """What the kubelet says of the pull; None while it says nothing."""
    judged = loading.judge(pod)
    if judged is None:
        return None
    there, message = judged
    return "not found, and yet it is there" if there else message


def judge(message: str) -> tuple[bool, str]:
    """(whether the registry was reached, else why not) by the kubelet's words."""
    words = message.rpartition("failed to resolve reference")[2] or message
    if _REACHED.search(words) and "no such host" not in words:
        return True, ""
    return False, message


def _unknown(what: str, address: str, error: FairwayError) -> Reach:
    return Reach(what, address, reached=None, detail=f"not found out: {error.message}")
