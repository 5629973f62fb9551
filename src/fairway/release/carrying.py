"""One promotion under way, step by step. Every step may be done again: a restart goes on with the
step that is written down.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from fairway.kit import clock
from fairway.kube.errors import KubeConflict, KubeNotFound
from fairway.kube.fleet import find
from fairway.kube.kind import Kind
from fairway.model.errors import FairwayError, NotFound
from fairway.model.release import (
    Promotion,
    PromotionKind,
    PromotionState,
    Release,
    Service,
    Step,
)
from fairway.release import (
    arrival,
    checks,
    configuration,
    git_places,
    history,
    making,
    names,
    writing,
)
from fairway.release.arrival import Arrival, Way
from fairway.release.noting import ended, refused, told
from fairway.release.ports import Deps
from fairway.release.spec import Delivery, Environment
from fairway.store import promotions

ROLLOUT: Final = Kind("argoproj.io", "v1alpha1", "rollouts", "Rollout")
_LOOK_S: Final = 0.25
_AGAIN_S: Final = 2.0
_log = logging.getLogger(__name__)


class Stopped(Exception):
    """Somebody ended the promotion meanwhile."""


class Carrier:
    """Carries one promotion to its end."""

    def __init__(
        self,
        deps: Deps,
        delivery: Delivery,
        service: Service,
        *,
        release: Release,
        promotion: Promotion,
    ) -> None:
        found = delivery.environment(promotion.environment)
        if found is None:
            raise NotFound(
                f"{delivery.name} has no environment {promotion.environment} any more",
                code="no-environment",
            )
        self._deps = deps
        self._delivery = delivery
        self._service = service
        self._release = release
        self._environment: Environment = found
        self._now = promotion

    async def run(self) -> None:
        """Until it has passed, failed or been ended. Trouble that may pass is waited out."""
        while not self._now.state.done:
            try:
                await self._step()
            except Stopped:
                return
            except FairwayError as error:
                if not await self._may_wait(error):
                    return
                await asyncio.sleep(_AGAIN_S)

    async def _may_wait(self, error: FairwayError) -> bool:
        """It blocks until somebody mends it or it passes, visibly; a way back must not give up."""
        _log.info("%s in %s: %s", self._service.name, self._environment.name, error)
        try:
            await self._note(message=str(error))
        except Stopped:
            return False
        return True

    async def _step(self) -> None:
        match self._now.step:
            case Step.COPY:
                await self._copy()
                await self._note(step=Step.KEYS, message="")
            case Step.KEYS:
                lacking = await self._missing()
                if lacking:
                    await self._note(message=f"missing: {', '.join(lacking)}")
                    await asyncio.sleep(_AGAIN_S)
                    return
                await self._note(step=Step.COMMIT, message="")
            case Step.COMMIT:
                commit = await self._commit()
                await self._note(step=Step.SYNC, commit=commit, message="")
            case Step.SYNC:
                await self._arrive()
            case Step.VERIFY:
                await self._verify()

    async def _note(self, **values: Any) -> None:
        """Write down what changed. Raises `Stopped`."""
        if all(getattr(self._now, name) == value for name, value in values.items()):
            found = await self._deps.database.read(promotions.by_id, self._now.id)
            if found is None or found.state is not PromotionState.RUNNING:
                raise Stopped
            return
        found = await self._deps.database.write(told, self._now.id, values)
        if found is None:
            raise Stopped
        self._now = found

    # ---- steps -----------------------------------------------------------------------------------

    async def _copy(self) -> None:
        """Chart and image into the environment's part of the registry; nothing is pulled."""
        first, shelf, release = self._delivery.environments[0], self._deps.shelf, self._release
        target = names.charts(self._environment, release.chart)
        source = names.charts(first, release.chart)
        if target != source:
            await shelf.copy(source, release.chart_digest, target, version=release.version)
        image = names.image(self._environment, self._service)
        if image != names.image(first, self._service):
            await shelf.copy(
                names.image(first, self._service), release.digest, image, version=release.version
            )

    async def _missing(self) -> list[str]:
        """Keys of ConfigMaps and Secrets that the chart needs there and nobody has made."""
        if self._follows and self._now.kind is PromotionKind.PROMOTION:
            return []  # it deploys itself: what lacks shows in its health
        here = await self._here()
        release = self._release
        objects = await configuration.chart_objects(
            self._deps,
            self._delivery,
            self._service,
            here.found,
            version=release.version,
            digest=release.digest,
        )
        kube = find(self._deps.fleet, name=self._environment.cluster).client()
        return await configuration.lacking(kube, objects, here.found.namespace or "default")

    @property
    def _follows(self) -> bool:
        return bool(self._environment.follows)

    async def _here(self) -> git_places.Here:
        return await git_places.look(
            self._deps, self._environment, self._service, self._release.chart
        )

    async def _commit(self) -> str:
        """Version and digest into Git; where it follows a range, only what pins or lifts it."""
        lane = await self._deps.database.read(
            promotions.lane, self._delivery.name, self._environment.name, self._service.name
        )
        forward = self._now.kind is PromotionKind.PROMOTION
        others = [one for one in lane if one.id != self._now.id]
        if self._follows and forward and not history.pinned(others):
            return ""
        follows = self._follows and forward
        message = writing.Message(
            delivery=self._delivery.name,
            service=self._service.name,
            kind=self._now.kind,
            version=self._release.version,
            digest=self._release.digest,
            environment=self._environment.name,
            actor=self._now.actor,
            why=self._now.why,
        )
        return await git_places.change(
            self._deps,
            self._environment,
            self._service,
            chart=self._release.chart,
            revision=self._environment.follows if follows else self._release.version,
            digest="" if self._follows else self._release.digest,
            message=message,
            still=self._note,
        )

    async def _arrive(self) -> None:
        found = await self._look()
        now = clock.now()
        if found.traffic and self._now.traffic is None:
            await self._note(traffic=now)
        if found.way is Way.REFUSED:
            await self._refused(found.why)
        elif found.way is Way.ARRIVED:
            await self._note(step=Step.VERIFY, full=now, message="")
        else:
            if self._now.kind is not PromotionKind.PROMOTION:
                await self._skip_steps(found)
            await self._note(message=found.why)
            await asyncio.sleep(_LOOK_S)

    async def _look(self) -> Arrival:
        hub = find(self._deps.fleet, name="in-cluster").client()
        name = self._environment.application_of(self._service.name)
        application = await hub.find(making.APPLICATION, name, self._deps.hub_namespace)
        kube = find(self._deps.fleet, name=self._environment.cluster).client()
        workloads = []
        for group, version, kind, namespace, resource in arrival.resources(application):
            api = f"{group}/{version}" if group else version
            known = await kube.kinds.kind_of({"apiVersion": api, "kind": kind})
            one = await kube.find(known, resource, namespace)
            if one is not None:
                workloads.append({**one, "kind": kind})
        return arrival.judge(
            application,
            workloads,
            revision=self._release.version,
            digest=self._release.digest,
            chart=self._release.chart,
        )

    async def _skip_steps(self, found: Arrival) -> None:
        """A way back does not go by the canary's steps."""
        kube = find(self._deps.fleet, name=self._environment.cluster).client()
        for namespace, name in found.aside:
            rollout = await kube.find(ROLLOUT, name, namespace)
            if rollout is None or (rollout.get("status") or {}).get("promoteFull"):
                continue
            version = rollout["metadata"]["resourceVersion"]
            body = {"metadata": {"resourceVersion": version}, "status": {"promoteFull": True}}
            try:
                await kube.patch(ROLLOUT, name, namespace, body=body, subresource="status")
            except (KubeConflict, KubeNotFound):
                continue  # it has changed: looked at again at once

    async def _verify(self) -> None:
        """The environment's own verification, if it has one; a way back goes without."""
        check = self._environment.verification
        if check is None or self._now.kind is not PromotionKind.PROMOTION:
            await self._deps.database.write(ended, self._now.id, PromotionState.PASSED, "")
            raise Stopped
        records = await self._deps.database.read(promotions.verifications, [self._release.id])
        mine = (one for one in records if one.environment == self._environment.name)
        turn = await self._deps.database.read(promotions.refusals, self._now)
        key = checks.key_of(check, turn)
        found = next((one for one in mine if one.key == key), None)
        if found is None:
            await checks.start(self._deps, self._release, self._environment, check, turn=turn)
        elif found.verdict == "passed":
            await self._deps.database.write(ended, self._now.id, PromotionState.PASSED, "")
            raise Stopped
        elif found.verdict:
            await self._refused(f"its verification failed: {found.message}")
        else:
            await self._note(message=f"verification {check.key}")
            await checks.read(self._deps, found)
            await asyncio.sleep(_LOOK_S)

    async def _refused(self, why: str) -> None:
        """It did not work out: Git goes back to what was good."""
        await self._deps.database.write(refused, self._now.id, why)
        raise Stopped
