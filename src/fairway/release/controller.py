"""Runs deliveries: candidates become releases, releases wait at gates, promotions are carried out.

Everything is decided from the store again and again; a wake-up is only a hint. A delivery is
worked on by the process that holds its shard.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from sqlalchemy import Connection

from fairway.kit import clock
from fairway.model.errors import FairwayError
from fairway.model.release import Promotion, PromotionState, Release, Verification
from fairway.queue.shards import Shards, key_of
from fairway.release import checks, decide, gates, making, noting, recording
from fairway.release.admission import Admission
from fairway.release.carrying import Carrier
from fairway.release.decide import End, Lane, Offer, Start, Verify, Wait
from fairway.release.deliveries import Deliveries
from fairway.release.ports import Deps
from fairway.release.spec import Delivery, Environment, VerificationGate
from fairway.store import approvals, promotions, releases

_ROUND_S: Final = 5.0
_SOON_S: Final = 0.25
_LEAST_S: Final = 0.15
_HUB_S: Final = 2.0
_BACK_OFF_S: Final = 2.0
_log = logging.getLogger(__name__)


class ReleaseController:
    """`run` is the task. What people say comes as events of the database."""

    def __init__(self, deps: Deps, shards: Shards) -> None:
        self._deps = deps
        self._shards = shards
        self.deliveries = Deliveries(deps)
        self._admission = Admission(deps)
        self._busy: set[str] = set()
        self._hint = asyncio.Event()
        self._read_at = float("-inf")

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._shards.run(), name="shards of releases")
            group.create_task(self._follow(), name="release events")
            said = ""
            while True:
                self._hint.clear()
                try:
                    wait = await self._round(group)
                    said = ""
                except FairwayError as error:
                    if str(error) != said:
                        said = str(error)
                        _log.info("releases wait: %s", said)
                    await asyncio.sleep(_BACK_OFF_S)
                    continue
                await asyncio.sleep(_LEAST_S)  # many events in a row are one look
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, wait - _LEAST_S)):
                        await self._hint.wait()

    async def _follow(self) -> None:
        """An event that comes during a round counts for the next one."""
        while True:
            if await self._deps.database.events.wait(_ROUND_S):
                self._hint.set()

    async def _round(self, group: asyncio.TaskGroup) -> float:
        """One look at everything; how long until the next."""
        now = asyncio.get_running_loop().time()
        if now - self._read_at >= _HUB_S or not self.deliveries.known:
            await self.deliveries.refresh()
            self._read_at = asyncio.get_running_loop().time()
        wait = _HUB_S
        for delivery in list(self.deliveries.known.values()):
            if self._shards.owns(_key(delivery)):
                wait = min(wait, await self._of_delivery(group, delivery))
        return wait

    async def _of_delivery(self, group: asyncio.TaskGroup, delivery: Delivery) -> float:
        for service in delivery.services:
            try:
                await recording.record(self._deps, delivery, service)
            except FairwayError as error:
                _log.info("candidates of %s: %s", service.name, error)
        for release in await self._deps.database.read(releases.pending):
            if release.delivery == delivery.name:
                self._publish(group, delivery, release)
        wait = _ROUND_S
        for environment in delivery.environments:
            for service in delivery.services:
                wait = min(wait, await self._lane(group, delivery, environment, service.name))
        await self._read_checks(group, delivery)
        await self._admission.ensure(delivery)
        return wait

    # ---- releases --------------------------------------------------------------------------------

    def _publish(self, group: asyncio.TaskGroup, delivery: Delivery, release: Release) -> None:
        """One after another of a service; different services side by side."""

        async def work() -> None:
            await making.publish(self._deps, delivery, release)

        self._once(group, delivery, f"publish/{delivery.name}/{release.service}", work)

    def _once(
        self,
        group: asyncio.TaskGroup,
        delivery: Delivery,
        name: str,
        work: Callable[[], Awaitable[None]],
    ) -> None:
        """Begin a work unless it goes on already. It ends with the shard."""
        if name in self._busy:
            return
        self._busy.add(name)

        async def alone() -> None:
            try:
                await self._shards.guarded(_key(delivery), work)
            except FairwayError as error:
                _log.info("%s: %s", name, error)
                await asyncio.sleep(_BACK_OFF_S)
            except Exception:  # noqa: BLE001 a defect in one work must not end the others
                _log.exception("%s failed: tried again", name)
                await asyncio.sleep(_BACK_OFF_S)
            finally:
                self._busy.discard(name)
                self._hint.set()

        group.create_task(alone(), name=name)

    # ---- promotions ------------------------------------------------------------------------------

    async def _lane(
        self, group: asyncio.TaskGroup, delivery: Delivery, environment: Environment, service: str
    ) -> float:
        members = await self._members(environment, service)
        lane = await self._deps.database.read(
            read_lane, delivery, environment, service, members=members
        )
        decision = decide.decide(lane, clock.now())
        for action in decision.actions:
            await self._act(delivery, lane, action)
        for one in lane.here:
            if one.state is PromotionState.RUNNING:
                self._carry(group, delivery, lane, one)
        if decision.actions:
            return _SOON_S
        if decision.at is not None:
            return min(_ROUND_S, (decision.at - clock.now()) / 1000)
        return _ROUND_S

    async def _members(self, environment: Environment, service: str) -> dict[str, frozenset[str]]:
        teams = {
            leaf.approval.team
            for leaf in gates.leaves(environment.gates_of(service))
            if leaf.approval is not None and leaf.approval.team
        }
        return {team: frozenset(await self._deps.teams.members(team)) for team in sorted(teams)}

    async def _act(self, delivery: Delivery, lane: Lane, action: decide.Action) -> None:
        database = self._deps.database
        match action:
            case Offer(release):
                made = Promotion(
                    id=0,
                    release=release,
                    delivery=delivery.name,
                    service=lane.service,
                    environment=lane.environment.name,
                )
                await database.write(noting.offered, made)
            case Start(promotion):
                await database.write(noting.started, promotion)
            case Wait(promotion, waits):
                await database.write(noting.waits, promotion, waits)
            case End(promotion, state, message):
                await database.write(noting.ended, promotion, state, message)
            case Verify(release, check):
                before = delivery.before(lane.environment.name)
                if before is not None:
                    await self._try_check(lane.releases[release], before, check)

    async def _try_check(
        self, release: Release, place: Environment, check: VerificationGate
    ) -> None:
        try:
            await checks.start(self._deps, release, place, check)
        except FairwayError as error:
            _log.info("%s in %s cannot be started yet: %s", check.key, place.name, error)

    def _carry(
        self, group: asyncio.TaskGroup, delivery: Delivery, lane: Lane, one: Promotion
    ) -> None:
        service = delivery.service(lane.service)
        release = lane.releases.get(one.release)
        if service is None or release is None:
            return

        async def work() -> None:
            carrier = Carrier(self._deps, delivery, service, release=release, promotion=one)
            await carrier.run()

        self._once(group, delivery, f"promotion/{one.id}", work)

    async def _read_checks(self, group: asyncio.TaskGroup, delivery: Delivery) -> None:
        open_ones = await self._deps.database.read(promotions.unfinished)
        if not open_ones:
            return
        known = await self._deps.database.read(releases.some, {one.release for one in open_ones})
        for one in open_ones:
            if one.release in known and known[one.release].delivery == delivery.name:
                self._read_check(group, delivery, one)

    def _read_check(self, group: asyncio.TaskGroup, delivery: Delivery, one: Verification) -> None:
        async def work() -> None:
            await checks.read(self._deps, one)
            await asyncio.sleep(_SOON_S)

        self._once(group, delivery, f"verification/{one.id}", work)


def _key(delivery: Delivery) -> str:
    return key_of("", "delivery", delivery.name)


def read_lane(
    db: Connection,
    delivery: Delivery,
    environment: Environment,
    service: str,
    *,
    members: Mapping[str, frozenset[str]],
) -> Lane:
    """Everything that decides over one service in one environment."""
    here = promotions.lane(db, delivery.name, environment.name, service)
    before = delivery.before(environment.name)
    earlier = promotions.lane(db, delivery.name, before.name, service) if before else None
    found = {one.id: one for one in releases.of_service(db, delivery.name, service)}
    found |= releases.some(db, {one.release for one in (*here, *(earlier or ()))} - set(found))
    waiting = [one.release for one in here if one.state is PromotionState.WAITING]
    said = approvals.of(db, waiting, environment.name)
    checked = promotions.verifications(db, waiting)
    place = before.name if before else ""
    return Lane(
        environment=environment,
        service=service,
        releases=found,
        here=here,
        before=earlier,
        before_name=place,
        approvals={number: [one for one in said if one.release == number] for number in waiting},
        verifications={
            number: {
                one.key: one
                for one in checked
                if one.release == number and one.environment == place
            }
            for number in waiting
        },
        members=members,
    )
