"""The Kubernetes client that all chapters use: requests, informers, work queues."""

from __future__ import annotations

from fairway.kube.caller import Actor
from fairway.kube.client import Kube
from fairway.kube.connection import Connection, from_file, from_kubeconfig
from fairway.kube.http import open_transport
from fairway.kube.informer import Informer, own_key, owner_key
from fairway.kube.kind import Json, Key, Kind
from fairway.kube.page import EVERYTHING, Page, Selection
from fairway.kube.pods import Logs, Pods
from fairway.kube.workqueue import WorkQueue

__all__ = [
    "EVERYTHING",
    "Actor",
    "Connection",
    "Informer",
    "Json",
    "Key",
    "Kind",
    "Kube",
    "Logs",
    "Page",
    "Pods",
    "Selection",
    "WorkQueue",
    "connect",
    "from_file",
    "from_kubeconfig",
    "own_key",
    "owner_key",
]


async def connect(connection: Connection, actor: Actor) -> Kube:
    """A client of a real API server. Raises `InvalidInput` for credentials that cannot be right.

    Nothing is sent yet. Whoever connects closes it.
    """
    return Kube(await open_transport(connection), actor)
