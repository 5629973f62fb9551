"""What is known of each cluster, and whose word decides about it. Pure data."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Protocol

from msgspec import Struct

from fairway.cluster.registered import Registered
from fairway.cluster.target import Target
from fairway.kit.clock import Millis


class Kind(StrEnum):
    """Where a cluster comes from."""

    EMBEDDED = "embedded"  # started by this installation
    EXISTING = "existing"  # given at the start, by a kubeconfig
    REGISTERED = "registered"  # by a Secret in the home cluster


class State(StrEnum):
    """How a cluster is, as we see it."""

    READY = "ready"
    STARTING = "starting"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"  # it answers, and our credentials do not hold
    UNUSABLE = "unusable"  # what is known of it cannot be right


class Own(Struct, frozen=True, kw_only=True):
    """A cluster of this installation itself. `target` None: not yet, and `reason` says why."""

    name: str
    kind: Kind
    target: Target | None = None
    reason: str = ""


class Health(Struct, frozen=True, kw_only=True):
    """What a look at a cluster found."""

    state: State
    reason: str = ""
    version: str = ""
    nodes: int = 0
    nodes_ready: int = 0
    checked: Millis = Millis(0)


class Known(Struct, frozen=True, kw_only=True):
    """A cluster with its health."""

    name: str
    kind: Kind
    server: str
    health: Health
    home: bool = False
    registered: Registered | None = None


class Owned(Protocol):
    """The clusters of this installation: the first one is its home."""

    async def own(self) -> Sequence[Own]:
        """All of them; none where there is no cluster here."""
        ...

    async def create(self, name: str) -> None:
        """Start a further embedded cluster. Raises `Conflict`, `InvalidInput`, `Unavailable`."""
        ...

    async def delete(self, name: str) -> None:
        """End an embedded cluster for ever. Raises `NotFound`, `Conflict`."""
        ...


class Door(Protocol):
    """The users' way to clusters, through Fairway."""

    def address(self, cluster: str) -> str:
        """The server that a kubeconfig names. Raises `Unavailable` before it is open."""
        ...

    async def authority(self) -> str:
        """The authority that it trusts, PEM. Raises as `address`."""
        ...


class Client(Protocol):
    """A Kubernetes API as one identity; errors are of our tree.

    `NotFound`, `Conflict`, `Forbidden`, `Unauthenticated`, `InvalidInput`, `Unavailable`.
    """

    async def request(
        self, method: str, path: str, body: Any = None, *, content_type: str = ""
    ) -> Any:
        """One request; the answer's JSON, or its text."""
        ...

    async def close(self) -> None:
        """End its connections."""
        ...


class Dial(Protocol):
    """Makes a client of a cluster."""

    def __call__(self, target: Target, *, timeout_s: float) -> Client:
        """A client whose requests take at most so long."""
        ...
