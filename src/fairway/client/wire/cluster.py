"""Clusters: the embedded ones, the existing one, and those that were registered."""

from __future__ import annotations

from msgspec import Struct, field

from fairway.client.wire.common import Request


class Cluster(Struct, kw_only=True):
    """A Kubernetes that Fairway knows, and how it is."""

    name: str
    kind: str  # embedded | existing | registered
    home: bool = False  # Fairway's own objects lie in it
    state: str = ""  # ready | starting | unreachable | refused | unusable
    reason: str = ""  # why it is not ready
    version: str = ""
    server: str = ""
    nodes: int = 0
    nodes_ready: int = 0
    namespaces: list[str] = field(default_factory=list)  # [] is all of them
    cluster_resources: bool = False
    project: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    secret: str = ""  # namespace/name of its Secret in the home cluster
    checked: str = ""


class ClusterAdd(Request):
    """A cluster to be registered by a kubeconfig with inline credentials."""

    name: str
    kubeconfig: str
    context: str = ""
    namespaces: list[str] = field(default_factory=list)
    cluster_resources: bool = False
    project: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    replace: bool = False
    unreachable: bool = False  # register it although it does not answer now


class ClusterCreate(Request):
    """A further embedded cluster to be started on the machine of the server."""

    name: str


class ClusterAccess(Struct, kw_only=True):
    """How kubectl reaches a cluster through Fairway: with a token of Fairway."""

    name: str
    server: str
    ca: str  # PEM


class ImageLoad(Request):
    """An image that nodes shall have: its digest, or its name with a tag or digest."""

    image: str


class LoadedImage(Struct, kw_only=True):
    """Whether a node has the image now."""

    node: str
    image: str
    loaded: bool
    detail: str = ""


class ClusterReach(Struct, kw_only=True):
    """Whether a cluster's nodes reach an address of Fairway."""

    what: str  # registry | api
    address: str
    reached: bool | None = None  # None: it could not be found out
    detail: str = ""


class Traffic(Struct, kw_only=True):
    """What the gateway counted for a Service, or for one version of it."""

    seconds: float  # how long the window really was
    requests: int
    errors: int  # answers 5xx
    latency_ms: dict[str, float] = field(default_factory=dict)  # by quantile: "0.99"
