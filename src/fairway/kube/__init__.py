"""The Kubernetes client that all chapters use: requests, informers, work queues."""

from __future__ import annotations

from fairway.kube.caller import Actor
from fairway.kube.client import EVERYTHING, Kube, Page, Selection
from fairway.kube.connection import Connection, from_file, from_kubeconfig
from fairway.kube.http import open_transport
from fairway.kube.kind import Json, Key, Kind

__all__ = [
    "EVERYTHING",
    "Actor",
    "Connection",
    "Json",
    "Key",
    "Kind",
    "Kube",
    "Page",
    "Selection",
    "connect",
    "from_file",
    "from_kubeconfig",
]


async def connect(connection: Connection, actor: Actor) -> Kube:
    """A client of a real API server. Raises `InvalidInput` for credentials that cannot be right.

    Nothing is sent yet. Whoever connects closes it.
    """
    return Kube(await open_transport(connection), actor)
