"""The Deliveries of the hub, read again and again; what cannot be carried out says so itself."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection

from fairway.kit import clock
from fairway.kube import Kube, Selection, crd
from fairway.kube.fleet import home
from fairway.model.errors import FairwayError, InvalidInput, NotFound, Unavailable
from fairway.release import spec
from fairway.release.crd import CRD, DELIVERY
from fairway.release.ports import Deps
from fairway.release.spec import Delivery
from fairway.store import releases

_log = logging.getLogger(__name__)
Json = dict[str, Any]
READY: Final = "Ready"


class Deliveries:
    """What was read last. `refresh` belongs to the controllers' process; see `kept`."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._made: Kube | None = None
        self._specs: Json | None = None
        self.known: dict[str, Delivery] = {}

    async def refresh(self) -> None:
        """Read all; have their kind in the hub, their names reserved, their status told."""
        kube = self._hub()
        if self._made is not kube:
            await crd.ensure(kube, [CRD])
            self._made = kube
        found: dict[str, Delivery] = {}
        specs: Json = {}
        for obj in await self._objects(kube):
            delivery, problem = judged(obj)
            if delivery is not None:
                found[delivery.name] = delivery
                specs[delivery.name] = obj["spec"]
            await self._say(kube, obj, problem)
        self.known = found
        if specs != self._specs:
            await self._deps.database.write(_keep, specs, found)
            self._specs = specs

    def _hub(self) -> Kube:
        member = home(self._deps.fleet)
        if member is None:
            raise Unavailable(
                "there is no cluster yet to keep deliveries in",
                code="no-hub",
                remedy="`fairway get clusters` says how it comes along",
            )
        return member.client()

    async def _objects(self, kube: Kube) -> list[Json]:
        try:
            return await kube.list(DELIVERY, Selection(namespace=self._deps.hub_namespace))
        except NotFound:  # the kind is not there yet
            return []

    async def _say(self, kube: Kube, obj: Json, problem: FairwayError | None) -> None:
        status = condition(obj, problem)
        if status is None:
            return
        meta = obj["metadata"]
        body = {"metadata": {"resourceVersion": meta["resourceVersion"]}, "status": status}
        try:
            await kube.patch(
                DELIVERY, meta["name"], meta["namespace"], body=body, subresource="status"
            )
        except FairwayError as error:
            _log.info("the status of the delivery %s cannot be written: %s", meta["name"], error)


def _keep(db: Connection, specs: Json, found: Mapping[str, Delivery]) -> None:
    releases.keep(db, specs)
    releases.free_others(db, found)
    for delivery in found.values():
        releases.reserve(db, delivery.name, {one.home: one.name for one in delivery.environments})


def kept(db: Connection) -> dict[str, Delivery]:
    """The deliveries as they were read last: for whoever answers questions about them."""
    pairs = releases.deliveries(db).items()
    return {name: spec.read({"metadata": {"name": name}, "spec": one}) for name, one in pairs}


def judged(obj: Json) -> tuple[Delivery | None, InvalidInput | None]:
    """A delivery, or what is wrong with it."""
    try:
        return spec.read(obj), None
    except InvalidInput as error:
        return None, error


def condition(obj: Json, problem: FairwayError | None) -> Json | None:
    """The status that an object should have; None where it says so already. Pure."""
    status = obj.get("status") or {}
    generation = obj["metadata"].get("generation")
    said = {
        "type": READY,
        "status": "False" if problem else "True",
        "reason": "Invalid" if problem else "Accepted",
        "message": str(problem) if problem else "",
    }
    conditions: list[Json] = status.get("conditions") or []
    before = next((one for one in conditions if one["type"] == READY), Json())
    same = all(before.get(name, "") == value for name, value in said.items())
    if same and status.get("observedGeneration") == generation:
        return None
    since = before.get("lastTransitionTime")
    if not since or before.get("status") != said["status"]:
        since = clock.text(clock.now())
    return {
        "observedGeneration": generation,
        "conditions": [{**said, "lastTransitionTime": since}],
    }
