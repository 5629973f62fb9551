"""One random history: what people do to the system, what goes wrong meanwhile, what was promised.

Clients are patient: a request that is not answered is sent again with the same key. What they were
told (`Promise`s) is held against the store at the end, by `fairway.testing.verdict`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from msgspec import Struct
from sqlalchemy import Connection, func, insert, select

from fairway.app import App
from fairway.kit import clock
from fairway.model.build import Build, Retry, RetryScope
from fairway.model.errors import Conflict, FairwayError, InvalidInput, NotFound
from fairway.model.status import Status
from fairway.store import builds, stages
from fairway.store import repositories as repository_rows
from fairway.store.rows import each as each_row
from fairway.store.schema import build, cron, delivery, organisation
from fairway.testing.files import FilePlan, random_file
from fairway.testing.world import Process, World

T = TypeVar("T")
MAIN: Final = "refs/heads/main"
_LATEST: Final = 1200.0  # virtual seconds after which everything must have come to rest
_REST_S: Final = 5.0


class Plan(Struct, frozen=True, kw_only=True):
    """How wild a history is."""

    actions: int = 8
    over_s: float = 25.0
    crashes: int = 2
    losses: int = 1
    outages: int = 1
    bob: bool = True
    bob_returns: bool = True  # else its first death is its last
    protected: bool = False
    auto_cancel: bool = False


class Push(Struct, frozen=True, kw_only=True):
    """A push that a client made. `accepted`: it was told that the push succeeded."""

    repository: int
    ref: str
    sha: str
    plan: FilePlan
    accepted: bool
    at: float


class Called(Struct, frozen=True, kw_only=True):
    """A call with an idempotency key that made a build."""

    key: str
    build: int


class Kept:
    """What the world's people remember."""

    def __init__(self) -> None:
        self.pushes: list[Push] = []
        self.calls: list[Called] = []
        self.plans: dict[str, FilePlan] = {}  # sha -> what its file does
        self.cancelled: set[int] = set()  # builds whose cancel was accepted
        self.maybe_cancelled: set[int] = set()  # ... or may have been, before a crash
        self.declined: set[int] = set()
        self.one_step: set[int] = set()  # retries of one step: their outcome mixes two builds


class History:
    """Runs one history in a world that was made for it."""

    def __init__(self, world: World, plan: Plan) -> None:
        self.world = world
        self.plan = plan
        self.kept = Kept()
        self.random: random.Random = world.random
        self.repositories: list[int] = []
        self.slow = 0
        self._keys = 0

    async def run(self) -> None:
        """Live through it, then let everything come to rest."""
        world = self.world
        self._seed()
        world.server.pause = lambda: self.random.uniform(0.1, 6.0)
        world.bob.pause = lambda: self.random.uniform(0.1, 20.0)  # longer than a lease holds
        async with asyncio.TaskGroup() as group:
            processes = [world.server, *([world.bob] if self.plan.bob else [])]
            running = [group.create_task(one.run(), name=one.name) for one in processes]
            await world.server.up.wait()
            trouble = group.create_task(self._trouble(), name="trouble")
            async with asyncio.TaskGroup() as clients:
                for _ in range(self.plan.actions):
                    clients.create_task(self._client())
            await trouble
            await self._rest()
            for task in running:
                task.cancel()
            for process in processes:
                process.life.die()
                await process.life.buried()

    # ---- beginning and end -----------------------------------------------------------------------

    def _seed(self) -> None:
        database = self.world.inspect()
        self.repositories, self.slow = database.write_now(_make_repositories, self.plan)
        database.close()

    async def _rest(self) -> None:
        """Nothing goes wrong any more: wait until nothing is left to do."""
        self.world.trouble_over()
        deadline = self.world.loop.time() + _LATEST
        while await self._busy():
            if self.world.loop.time() > deadline:
                raise AssertionError("the system did not come to rest")
            await self._approve_all()
            await asyncio.sleep(_REST_S)

    async def _busy(self) -> bool:
        if self.world.defects:
            raise self.world.defects[0]
        database = self.world.inspect()
        try:
            left = database.read_now(_left)
        finally:
            database.close()
        up = [self.world.machines["alice"], *([self.world.machines["bob"]] if self._bob_up else [])]
        return bool(left or any(machine.engine.left() for machine in up))

    @property
    def _bob_up(self) -> bool:
        return self.plan.bob and not self.world.bob.gone

    # ---- trouble ---------------------------------------------------------------------------------

    async def _trouble(self) -> None:
        plan = self.plan
        async with asyncio.TaskGroup() as group:
            for _ in range(plan.crashes):
                group.create_task(self._crash(self.world.server))
            if plan.bob:
                for _ in range(plan.losses):
                    group.create_task(self._crash(self.world.bob))
            for _ in range(plan.outages):
                group.create_task(self._outage())

    async def _crash(self, process: Process) -> None:
        await asyncio.sleep(self.random.uniform(0.0, self.plan.over_s))
        if process.gone:
            return
        await process.up.wait()
        process.gone = process is self.world.bob and not self.plan.bob_returns
        life = process.life
        kind = self.random.random()
        if kind < 0.3:
            process.machine.doomed = life  # right after its next container has started
        elif kind < 0.55 or process is not self.world.server:
            self.world.light(life, self.random.randrange(1, 60))
        else:
            life.write_counts = kind < 0.85
            life.die_at_write = life.writes + self.random.randrange(1, 12)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.plan.over_s):
                await life.dead.wait()

    async def _outage(self) -> None:
        await asyncio.sleep(self.random.uniform(0.0, self.plan.over_s))
        engine = self.random.choice(list(self.world.machines.values())).engine
        engine.down = True
        await asyncio.sleep(self.random.uniform(0.5, 15.0))
        engine.down = False

    # ---- what people do --------------------------------------------------------------------------

    async def _client(self) -> None:
        await asyncio.sleep(self.random.uniform(0.0, self.plan.over_s))
        actions: list[tuple[int, Callable[[], Coroutine[Any, Any, None]]]] = [
            (8, self._push),
            (1, self._push_endless),
            (2, self._tag),
            (2, self._custom),
            (3, self._cancel),
            (5, self._retry),
        ]
        weights = [weight for weight, _ in actions]
        chosen = self.random.choices([action for _, action in actions], weights)[0]
        await chosen()

    async def _push(self) -> None:
        await self._pushed(self.random.choice(self.repositories), random_file(self.random))

    async def _push_endless(self) -> None:
        await self._pushed(self.slow, random_file(self.random, endless=True))

    async def _tag(self) -> None:
        self._keys += 1
        repository = self.random.choice(self.repositories)
        await self._pushed(repository, random_file(self.random), ref=f"refs/tags/v{self._keys}")

    async def _pushed(self, repository: int, plan: FilePlan, *, ref: str = MAIN) -> None:
        git, server = self.world.git, self.world.server
        await server.up.wait()
        sha = git.write(repository, {".drone.yml": plan.text()})
        self.kept.plans[sha] = plan
        at, announcer = self.world.loop.time(), server.announcer
        accepted = True
        try:
            await server.life.call(lambda: git.push(announcer, repository, {ref: sha}))
        except FairwayError:
            accepted = False
        self.world.note(f"push {repository} {ref} {sha[:7]} {accepted}")
        self.kept.pushes.append(
            Push(repository=repository, ref=ref, sha=sha, plan=plan, accepted=accepted, at=at)
        )

    async def _custom(self) -> None:
        key = self._key()
        repository = self.random.choice(self.repositories)
        made = await self._insist(lambda app: app.builds.custom(repository, actor="ada", key=key))
        if made is not None:
            self.kept.calls.append(Called(key=key, build=made.id))

    async def _cancel(self) -> None:
        found = self._some_build(done=False)
        if found is None:
            return
        unsure: list[bool] = []
        done = await self._insist(
            lambda app: app.builds.cancel(found.repository, found.number, actor="ada"),
            unsure=unsure,
        )
        if done is not None:
            self.kept.cancelled.add(found.id)
        elif unsure:
            self.kept.maybe_cancelled.add(found.id)

    async def _retry(self) -> None:
        found = self._some_build(done=True)
        if found is None:
            return
        key = self._key()
        retry = self._how(found)
        made = await self._insist(
            lambda app: app.builds.retry(
                found.repository, found.number, retry=retry, actor="ada", key=key
            )
        )
        if made is not None:
            self.kept.calls.append(Called(key=key, build=made.id))
            if retry.scope is RetryScope.STEP:
                self.kept.one_step.add(made.id)

    def _how(self, parent: Build) -> Retry:
        scope = self.random.choice(list(RetryScope))
        if scope is not RetryScope.STEP:
            return Retry(scope=scope)
        plan = self.kept.plans[parent.after]
        stage = self.random.choice(plan.stages)
        step = self.random.choice(stage.steps)
        more = self.random.random() < 0.5
        return Retry(scope=scope, stage=stage.name, step=step.name, descendants=more)

    async def _approve_all(self) -> None:
        database = self.world.inspect()
        unfinished = database.read_now(builds.unfinished)
        database.close()
        for each in unfinished:
            if each.status is Status.BLOCKED:
                await self._decide(each)

    async def _decide(self, blocked: Build) -> None:
        approved = blocked.id % 4 != 0
        if not approved:
            self.kept.declined.add(blocked.id)  # asked until it is so, and nobody says otherwise
        await self._insist(
            lambda app: app.builds.decide(
                blocked.repository, blocked.number, actor="ada", approved=approved
            )
        )

    # ---- asking ----------------------------------------------------------------------------------

    def _key(self) -> str:
        self._keys += 1
        return f"key-{self._keys}"

    def _some_build(self, *, done: bool) -> Build | None:
        database = self.world.inspect()
        found = [one for one in database.read_now(all_builds) if one.status.done is done]
        database.close()
        return self.random.choice(found) if found else None

    async def _insist(
        self,
        work: Callable[[App], Coroutine[Any, Any, T]],
        *,
        unsure: list[bool] | None = None,
    ) -> T | None:
        """Ask until there is an answer; None when the answer is no."""
        while True:
            await self.world.server.up.wait()
            try:
                return await self.world.server.ask(work)
            except (Conflict, InvalidInput, NotFound) as refused:
                self.world.note(f"refused {refused.code}")
                return None
            except FairwayError:
                if unsure is not None:
                    unsure.append(True)
                await asyncio.sleep(1.0)


def _make_repositories(db: Connection, plan: Plan) -> tuple[list[int], int]:
    made = db.execute(
        insert(organisation).values(name="acme", created=clock.now()).returning(organisation.c.id)
    ).scalar_one()
    settings = {"auto_cancel_pushes": plan.auto_cancel, "auto_cancel_running": plan.auto_cancel}
    names = ["site", "tool", "slow"]
    found = []
    for name in names:
        values: dict[str, Any] = {"settings": settings if name == "site" else {}}
        values["protected"] = plan.protected and name == "tool"
        values["timeout_s"] = 30 if name == "slow" else 3600
        row = repository_rows.create(db, organisation=made, slug=f"acme/{name}", values=values)
        found.append(row.id)
    minute = {"expression": "* * * * *", "branch": "main", "next_at": clock.now() + 20_000}
    db.execute(insert(cron).values(repository=found[0], name="often", created=0, **minute))
    return found[:2], found[2]


def all_builds(db: Connection) -> list[Build]:
    """Every build there is, eldest first."""
    return each_row(db.execute(select(build).order_by(build.c.id)), Build)


def _left(db: Connection) -> int:
    """How much there is still to do: unfinished builds, and events that a handler waits for."""
    waiting = db.execute(
        select(func.count()).select_from(delivery).where(delivery.c.parked.is_(False))
    ).scalar_one()
    return int(waiting) + len(builds.unfinished(db)) + len(stages.active(db))
