"""A fleet of clusters that a test gives: they come, go and fall out of reach when it says so."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from fairway.kit.aio import Wake
from fairway.kube.client import Kube
from fairway.kube.fleet import Member
from fairway.model.errors import FairwayError


class StaticFleet:
    """`kube.fleet.Fleet` over given clients. The first cluster is the hub."""

    def __init__(self, **clusters: Kube) -> None:
        self.changed = Wake()
        self._members: dict[str, Member] = {}
        for name, kube in clusters.items():
            self.add(name, kube)

    def members(self) -> Mapping[str, Member]:
        """Every cluster by its name."""
        return self._members

    def add(self, name: str, kube: Kube | None, problem: FairwayError | None = None) -> None:
        """A cluster comes, or is reached otherwise; with no `kube`, `problem` says why not."""
        server = kube.server if kube is not None else f"https://{name}.invalid"
        home = not self._members or (name in self._members and self._members[name].home)
        self._members[name] = Member(
            name=name, server=server, home=home, kube=kube, problem=problem
        )
        self.changed.set()

    def lose(self, name: str, problem: FairwayError) -> None:
        """There is no way into a cluster any more."""
        self._members[name] = replace(self._members[name], kube=None, problem=problem)
        self.changed.set()

    def remove(self, name: str) -> None:
        """A cluster goes."""
        del self._members[name]
        self.changed.set()
