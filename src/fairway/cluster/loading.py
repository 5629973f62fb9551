"""Images onto nodes beforehand: a pod on each node whose only task is to have its image pulled.

The kubelet pulls as it does for any pod, so this works on every cluster and needs no access to its
nodes. The pod's command does not exist in the image: it never runs anything.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from fairway.cluster.known import Client
from fairway.cluster.looking import node_ready
from fairway.cluster.registered import NAMESPACE
from fairway.kit.aio import shielded
from fairway.model.errors import FairwayError, Forbidden, NotFound, Unavailable

LABEL: Final = "fairway.dev/load"
_PODS: Final = f"/api/v1/namespaces/{NAMESPACE}/pods"
_LOOK_S: Final = 0.2
_ACCOUNT_S: Final = 30.0  # a new namespace gets its ServiceAccount in a moment
_NOBODY: Final = 65534
_PULL_FAILED: Final = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName"})
_PULLED: Final = frozenset(
    {"RunContainerError", "CreateContainerError", "StartError", "CrashLoopBackOff"}
)


class Loaded(Struct, frozen=True):
    """What became of one image on one node."""

    node: str
    image: str
    loaded: bool
    detail: str = ""


async def load(
    client: Client, images: Sequence[str], *, pull_secret: str = "", timeout_s: float = 600.0
) -> list[Loaded]:
    """Have every node pull the images. Returns what became of it, node by node.

    Raises `Forbidden` where we may not see nodes or make pods, and `Unavailable` (code `no-nodes`).
    """
    nodes = (await client.request("GET", "/api/v1/nodes?limit=5000")).get("items") or []
    if not nodes:
        raise Unavailable("the cluster has no nodes yet", code="no-nodes", remedy="try again later")
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(
                _on_node(client, node, image, pull_secret=pull_secret, timeout_s=timeout_s),
                name=f"load {image}",
            )
            for node in nodes
            for image in images
        ]
    return [task.result() for task in tasks]


async def _on_node(
    client: Client, node: Mapping[str, Any], image: str, *, pull_secret: str, timeout_s: float
) -> Loaded:
    name = str(node["metadata"]["name"])
    if not node_ready(node):
        return Loaded(name, image, loaded=False, detail="the node is not ready")
    made = pod(name, image, pull_secret=pull_secret, timeout_s=timeout_s)
    try:
        await create(client, made)
        try:
            async with asyncio.timeout(timeout_s):
                return Loaded(name, image, *await _wait(client, made["metadata"]["name"]))
        finally:
            await shielded(remove(client, made["metadata"]["name"]))
    except TimeoutError:
        detail = f"it was not pulled within {timeout_s:g} s"
        return Loaded(name, image, loaded=False, detail=detail)
    except FairwayError as error:
        return Loaded(name, image, loaded=False, detail=error.message)


async def create(client: Client, made: Mapping[str, Any]) -> None:
    """Make the pod; a new namespace refuses it until its ServiceAccount is there."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _ACCOUNT_S
    while True:
        try:
            await client.request("POST", _PODS, made)
        except Forbidden as error:
            if "serviceaccount" not in error.message.lower() or loop.time() > end:
                raise
            await asyncio.sleep(_LOOK_S)
        else:
            return


async def _wait(client: Client, name: str) -> tuple[bool, str]:
    while True:
        found = await client.request("GET", f"{_PODS}/{name}")
        judged = judge(found)
        if judged is not None:
            return judged
        await asyncio.sleep(_LOOK_S)


async def remove(client: Client, name: str) -> None:
    """Remove such a pod; one that has gone is fine."""
    try:
        await client.request("DELETE", f"{_PODS}/{name}?gracePeriodSeconds=0")
    except NotFound:
        return


def judge(found: Mapping[str, Any]) -> tuple[bool, str] | None:
    """(whether the image is there, why not) of such a pod; None while it is being pulled."""
    status = found.get("status") or {}
    for container in status.get("containerStatuses") or []:
        state = container.get("state") or {}
        waiting = state.get("waiting") or {}
        reason = str(waiting.get("reason") or "")
        if reason in _PULL_FAILED:
            return False, str(waiting.get("message") or reason)
        if container.get("imageID") or reason in _PULLED or {"terminated", "running"} & set(state):
            return True, ""
    if status.get("phase") == "Failed":
        told = status.get("message") or status.get("reason") or "the node refused the pod"
        return False, str(told)
    return None


def pod(node: str, image: str, *, pull_secret: str, timeout_s: float) -> dict[str, Any]:
    """The pod that has a node pull an image. It fits the strictest pod security standard."""
    digest = hashlib.sha256(f"{node}/{image}".encode()).hexdigest()[:8]
    spec: dict[str, Any] = {
        "nodeName": node,
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 0,
        "activeDeadlineSeconds": int(timeout_s) + 60,
        "tolerations": [{"operator": "Exists"}],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "image",
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "command": ["/fairway-image-load-runs-nothing"],
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
    }
    if pull_secret:
        spec["imagePullSecrets"] = [{"name": pull_secret}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"load-{digest}-{secrets.token_hex(4)}",
            "namespace": NAMESPACE,
            "labels": {LABEL: digest},
        },
        "spec": spec,
    }
