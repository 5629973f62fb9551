"""The contract of traffic routers: what splits requests between the stable version and the canary.

A router is pure: it reads the objects that were observed and says which patches bring them to a
weight, and whether a weight is live. The shell fetches the objects that `keys` names and performs
the patches; a change of one of them makes the Rollout be looked at again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Protocol

from fairway.kube import Json, Key
from fairway.rollout.objects import Rollout
from fairway.rollout.plan import ChangeRoute

Routes = Mapping[Key, Json]


class Confirmed(Enum):
    """Whether a weight is live."""

    YES = "yes"
    NOT_YET = "not yet"


class Router(Protocol):
    """One kind of router, for one Rollout."""

    def keys(self, rollout: Rollout) -> Sequence[Key]:
        """The routes that the Rollout names."""
        ...

    def problem(self, rollout: Rollout, routes: Routes) -> str:
        """Why these routes cannot be used, "" when they can."""
        ...

    def shift(self, rollout: Rollout, routes: Routes, weight: int) -> Sequence[ChangeRoute]:
        """The patches that give the canary `weight` of 100; none when it has it."""
        ...

    def confirmed(self, rollout: Rollout, routes: Routes, weight: int) -> Confirmed:
        """Whether all of the routes split by `weight` for every request from now on."""
        ...


class Share(Protocol):
    """A backend's part of a rule's traffic, as a gateway tells that it is live."""

    @property
    def namespace(self) -> str: ...
    @property
    def service(self) -> str: ...
    @property
    def weight(self) -> int: ...


class Live(Protocol):
    """What a gateway tells of a route: the generation, and each rule's shares by its place."""

    @property
    def generation(self) -> int: ...
    @property
    def rules(self) -> Mapping[int, Sequence[Any]]: ...


class Told(Protocol):
    """Reads from a route's status what a gateway of ours has confirmed; None for nothing yet."""

    def __call__(self, route: Mapping[str, Any]) -> Live | None: ...
