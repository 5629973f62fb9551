"""What contracts of Kubernetes APIs stand on: a server, faults on the way, and small objects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

import pytest

from fairway.kube import Actor, Kube
from fairway.kube.kind import Json, Kind
from fairway.testing.kubefaults import Faults

PATIENCE_S = 90.0


class KubeGround(Protocol):
    """A server, a namespace of the test's own, and faults on the way."""

    kube: Kube  # by the way on which faults happen
    direct: Kube  # by a way without faults
    faults: Faults
    namespace: str

    async def cut(self) -> None:
        """Cut every connection of `kube`, as a network that goes away for a moment."""
        ...

    async def restart(self) -> None:
        """The server ends without a word and comes back with what it had stored."""
        ...


async def until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE_S) -> None:
    """Wait for a condition; fails after so many seconds with what it was."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 whose condition it is cannot tell
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"not within {seconds:g} s: {what}")


def config_map(namespace: str, name: str, **data: str) -> Json:
    """A small object."""
    return {"metadata": {"name": name, "namespace": namespace}, "data": data}


def deployment(namespace: str, name: str, *, replicas: int = 1, image: str = "a:1") -> Json:
    """An object with status and scale."""
    labels = {"app": name}
    container = {"name": "main", "image": image}
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def crd(kind: Kind) -> Json:
    """A definition with a status subresource, whose spec has one number, `size`."""
    spec = {"type": "object", "properties": {"size": {"type": "integer", "minimum": 0}}}
    status = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": spec, "status": status}}
    version = {
        "name": kind.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }
    return {
        "metadata": {"name": kind.resource},
        "spec": {
            "group": kind.group,
            "scope": "Namespaced",
            "names": {"plural": kind.plural, "kind": kind.kind, "singular": kind.kind.lower()},
            "versions": [version],
        },
    }


def other(kube: Kube, manager: str = "other") -> Kube:
    """The same server for another manager of fields."""
    return kube.acting(Actor(manager=manager))
