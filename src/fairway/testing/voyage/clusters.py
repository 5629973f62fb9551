"""The clusters of a voyage, with a gateway that confirms late and a lookout who sees everything."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

from fairway.gateway.live import Live, Share, with_condition
from fairway.gateway.snapshot import CONTROLLER
from fairway.gitops.kinds import APPLICATION_CRD, PROJECT_CRD
from fairway.kube import Actor, Kube, objects
from fairway.kube.crd import Crd, definition
from fairway.kube.kind import NAMESPACE, POD, SERVICE, Json
from fairway.release.crd import CRD as DELIVERY_CRD
from fairway.rollout.analysis import crds as analysis
from fairway.rollout.crds import ROLLOUT, ROLLOUT_CRD
from fairway.rollout.objects import HASH
from fairway.rollout.routers.gateway_api import HTTP_ROUTE
from fairway.testing.life import Life, Severed
from fairway.testing.simkube import SimApi, SimTransport, Weather
from fairway.testing.simkube.server import Place
from fairway.testing.simkube.workloads import Fate, Workloads, is_ready
from fairway.testing.voyage.goods import SHOP, Cargo

ROUTES: Final = Crd(kind=HTTP_ROUTE, fields={"spec": "any", "status": "any"})
CRDS: Final = (ROUTES, APPLICATION_CRD, PROJECT_CRD, ROLLOUT_CRD, DELIVERY_CRD, *analysis.CRDS)
_WATCHED: Final = (POD.path(), SERVICE.path(), HTTP_ROUTE.path())


class SimCluster:
    """One cluster: its API, its pods, its gateway."""

    def __init__(
        self,
        name: str,
        source: random.Random,
        note: Callable[[str], None],
        *,
        known: bool,
        namespaces: Sequence[str] = (SHOP,),
    ) -> None:
        """`known`: our kinds are there from the start; otherwise controllers bring them."""
        self.name = name
        self.random = source
        self.note = note
        self.api = SimApi(name, seed=source.randrange(1 << 30))
        self.weather = Weather(latency=(0.001, 0.02))
        self.workloads = Workloads(self.api, self._fate, source=source)
        self.live: dict[
            Place, dict[str, int]
        ] = {}  # routes' weights by Service, as users meet them
        self.broken: list[str] = []  # what must not have happened
        self.fleet: list[Cargo] = []
        self._served: set[str] = set()  # Services behind which there were pods once
        self.judge: Callable[[Json], str] = by_tag
        for one in namespaces:
            self.api.put((NAMESPACE.path(), "", one), {"metadata": {"name": one}})
        self.api.install(*_definitions(known=known))
        self.api.on_change(self._changed)

    def kube(self, life: Life | None = None) -> Kube:
        """A way in: of an incarnation, with this cluster's weather; or of a bystander."""
        if life is None:
            return Kube(SimTransport(self.api), Actor(manager="bystander"))
        transport = SimTransport(self.api, weather=self.weather, source=self.random)
        severed: Any = Severed(transport, life)
        return Kube(severed, Actor(manager=life.name))

    def part(self, *, parted: bool) -> None:
        """The cluster is cut off, or reached again."""
        self.weather.parted = parted
        self.api.cut()

    def _fate(self, pod: Json) -> Fate:
        after_s = self.random.uniform(0.2, 4.0)
        word = self.judge(pod)
        if word == "never":
            return Fate("never")
        return Fate("crash" if word == "crash" else "ready", after_s)

    # ---- the gateway -----------------------------------------------------------------------------

    def _changed(self, place: Place, _before: Json | None, after: Json | None) -> None:
        if place[0] == HTTP_ROUTE.path() and after is not None and not _confirmed(after):
            pause = self.random.uniform(0.05, 3.0)
            asyncio.get_running_loop().call_later(pause, self._confirm, place)
        if place[0] in _WATCHED:
            self._look_out()

    def _confirm(self, place: Place) -> None:
        """The gateway has taken a route up, and says so."""
        route = self.api.objects.get(place)
        if route is None or _confirmed(route):
            return
        refs = route["spec"]["rules"][0]["backendRefs"]
        if any("weight" in one for one in refs):
            self.live[place] = {one["name"]: int(one.get("weight", 1)) for one in refs}
        generation = route["metadata"]["generation"]
        shares = tuple(Share(place[1], o["name"], 80, int(o.get("weight", 1))) for o in refs)
        accepted = {"type": "Accepted", "status": "True", "observedGeneration": generation}
        parent = {"parentRef": {"name": "gateway"}, "controllerName": CONTROLLER}
        status = {"parents": [{**parent, "conditions": [accepted]}]}
        told = with_condition(status, Live(str(generation), {0: shares}, generation))
        self.api.put(place, {**route, "status": told})
        self._look_out()

    # ---- the lookout -----------------------------------------------------------------------------

    def _look_out(self) -> None:
        """Nobody's request goes to a version without pods."""
        for cargo in self.fleet:
            for name in self._reached(cargo):
                found = self.api.find(SERVICE, name, cargo.namespace)
                hash_ = ((found or {}).get("spec") or {}).get("selector", {}).get(HASH)
                if not hash_:
                    continue
                which = f"{cargo.namespace}/{name}"
                if self._pods(cargo.namespace, hash_):
                    self._served.add(f"{cargo.namespace}/{cargo.name}")
                elif f"{cargo.namespace}/{cargo.name}" in self._served:
                    told = f"{which} in {self.name} sends users to {hash_}, which has no pods"
                    if told not in self.broken:
                        self.broken.append(told)
                        self.note(f"BROKEN {told}")

    def _reached(self, cargo: Cargo) -> list[str]:
        """The Services that users' requests reach now."""
        if cargo.strategy == "blueGreen":
            return cargo.services()[:1]
        weights = self.live.get((HTTP_ROUTE.path(), cargo.namespace, cargo.name), {})
        return [name for name, weight in weights.items() if weight]

    def _pods(self, namespace: str, hash_: str) -> int:
        pods = self.api.of(POD, namespace)
        return sum(is_ready(o) for _, o in pods if objects.labels(o).get(HASH) == hash_)

    def rollout(self, name: str, namespace: str = SHOP) -> Json | None:
        """A Rollout as it is."""
        return self.api.find(ROLLOUT, name, namespace)


def by_tag(pod: Json) -> str:
    """What becomes of a pod: "never" ready, "crash", or "" for a good one; by its image's tag."""
    image = str(pod["spec"]["containers"][0]["image"])
    return next((word for word in ("never", "crash") if f":{word}" in image), "")


@cache
def _definitions(*, known: bool) -> list[Json]:
    return [definition(one) for one in (CRDS if known else (ROUTES,))]


def _confirmed(route: Json) -> bool:
    generation = route["metadata"]["generation"]
    parents = (route.get("status") or {}).get("parents") or ()
    said = [one for parent in parents for one in parent.get("conditions") or ()]
    return bool(said) and all(one.get("observedGeneration") == generation for one in said)
