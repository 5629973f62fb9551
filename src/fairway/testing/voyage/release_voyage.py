"""One voyage with releases: pushes become candidates, candidates become releases, and those go
through gates, while people change their minds and faults have their way.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection

from fairway.access.identity import Identity
from fairway.gitops.kinds import APPLICATION
from fairway.kit.aio import background
from fairway.kube.kind import CONFIG_MAP, POD, SECRET, Json
from fairway.model.errors import FairwayError
from fairway.model.release import Promotion, PromotionState, Verdict
from fairway.release import commands
from fairway.release.asking import Asked
from fairway.release.crd import DELIVERY as KIND
from fairway.rollout.analysis.crds import ANALYSIS_TEMPLATE
from fairway.rollout.crds import ROLLOUT
from fairway.store import promotions, releases
from fairway.testing.voyage import release_verdict, shop
from fairway.testing.voyage.changes import Changes
from fairway.testing.voyage.ledger import UNFIT, Word
from fairway.testing.voyage.release_world import ReleaseProcess, ReleaseWorld
from fairway.testing.voyage.shop import ENVIRONMENTS, PEOPLE, Berth
from fairway.testing.voyage.voyage import Plan, Voyage

_COLOURS: Final = ("red", "green", "blue", "grey")
_UP_S: Final = 150.0
_QUIET_S: Final = 240.0
_RECOVERED_S: Final = 40.0  # from the last fault on
_FAULTS: Final = ("never", "crash")
_DEVELOPERS: Final = ("push_more",) * 4 + ("push_faulty",) * 2 + (
    "push_red", "push_broken", "push_unfit", "change", "change", "change", "change_more",
    "change_more", "change_closed",
)  # fmt: skip
_OPERATORS: Final = (
    "approve", "approve", "reject", "judge", "ask", "go_back", "go_back", "edit_config",
    "edit_image", "edit_image", "delete_config", "abort_one", "retry_one", "lose_secret", "run_pod",
)  # fmt: skip
Work = Callable[[Connection, Identity, Asked], Any]


class ReleaseVoyage(Voyage):
    """Carries a plan out."""

    world: ReleaseWorld

    def __init__(self, world: ReleaseWorld, plan: Plan) -> None:
        super().__init__(world, plan, fleet=[])
        self._shape = world.shape
        self.changes = Changes(world, world.random)
        self.said: list[tuple[str, str, Berth]] = []  # login, action, where: what was accepted

    def open_ends(self) -> list[str]:
        """See `Voyage`."""
        return [*release_verdict.open_ends(self.world), *self.changes.open_ends()]

    def check(self) -> None:
        """See `Voyage`."""
        release_verdict.check(self.world, self.said, [*self.changes.wrong()])

    async def run(self) -> None:
        """See `Voyage`. Beside it, the CI works."""
        async with background(self.changes.run()):
            await super().run()

    async def _begin(self) -> None:
        world = self.world
        world.fill()
        files = {one.file: shop.application(one) for one in self._shape.berths}
        world.commit(ENVIRONMENTS, files, "Say what runs where")
        for service in self._shape.services:
            await self._push(service, "feat: begin")
        for one in self._shape.berths:
            kube = world.clusters[one.cluster].kube()
            await kube.create(SECRET, shop.secret(one))
        hub = world.clusters["hub"].kube()
        await self._made(lambda: hub.create(APPLICATION, shop.root()))
        for place in self._shape.places:
            one = Berth(self._shape.services[0], place)
            kube, check = world.clusters[one.cluster].kube(), shop.check(one)
            await self._made(partial(kube.create, ANALYSIS_TEMPLATE, check))
        await self._made(lambda: hub.create(KIND, shop.delivery(self._shape)))
        await self._until_good(_UP_S, self._everybody_agrees)
        world.ledger.guards = self._shape.guarded
        world.note("all is up")

    async def _made(self, make: Callable[[], Any]) -> None:
        while True:  # until the controllers have prepared the hub
            with contextlib.suppress(FairwayError):
                await make()
                return
            await asyncio.sleep(0.2)

    # ---- what developers do ----------------------------------------------------------------------

    async def _push(
        self,
        service: str,
        message: str,
        *,
        good: bool = True,
        broken: bool = False,
        fault: str = "",
        where: str = "",
    ) -> None:
        colour = self.random.choice(_COLOURS)
        files = shop.chart(service, colour=colour, steps=self.plan.steps, broken=broken)
        files["number.txt"] = str(self._number)
        self._number += 1
        sha = self.world.commit(f"acme/{service}", files, message)
        self.changes.pushed(sha)
        await asyncio.sleep(self.random.uniform(0.2, 3.0))
        made = await self.world.builder.build(service, sha, good=good, fault=fault, where=where)
        told = f"{made.digest[7:19]} {'passed' if good else 'failed'} {fault} {where}"
        self.world.note(f"build of {service} {told}")

    async def _deed(self) -> None:
        names = self.plan.only or (_DEVELOPERS if self.random.random() < 0.4 else _OPERATORS)
        with contextlib.suppress(FairwayError):  # people are refused now and then
            deed = getattr(self, f"_{self.random.choice(names)}")
            await deed(self.random.choice(self._shape.berths))

    async def _push_more(self, berth: Berth) -> None:
        await self._push(berth.service, self.random.choice(("fix: it", "feat: more")))

    async def _push_red(self, berth: Berth) -> None:
        await self._push(berth.service, "fix: red", good=False)

    async def _push_broken(self, berth: Berth) -> None:
        await self._push(berth.service, "feat: broken", broken=True)

    async def _push_faulty(self, berth: Berth) -> None:
        fault = self.random.choice(_FAULTS)
        where = self.random.choice(("", *self._shape.places))
        await self._push(berth.service, "feat: faulty", fault=fault, where=where)

    async def _push_unfit(self, berth: Berth) -> None:
        await self._push(berth.service, "feat: unfit", fault=UNFIT)

    async def _change(self, berth: Berth) -> None:
        await self.changes.open(berth.service)

    async def _change_more(self, berth: Berth) -> None:
        await self.changes.push_again(berth.service)

    async def _change_closed(self, berth: Berth) -> None:
        await self.changes.close(berth.service)

    # ---- what operators do -----------------------------------------------------------------------

    async def _approve(self, berth: Berth) -> None:
        await self._say(berth, self.random.choice(PEOPLE), "approval", yes=True)

    async def _reject(self, berth: Berth) -> None:
        await self._say(berth, self.random.choice(PEOPLE), "approval", yes=False)

    async def _judge(self, berth: Berth) -> None:
        await self._say(berth, "quinn", "qa", yes=self.random.random() < 0.8)

    async def _everybody_agrees(self) -> None:
        """Everything that waits is approved, by those who may."""
        for berth in self._shape.berths:
            if self._shape.gate(berth):
                for login in ("bob", "eve"):
                    with contextlib.suppress(FairwayError):
                        await self._say(berth, login, "approval", yes=True)
                with contextlib.suppress(FairwayError):
                    await self._say(berth, "quinn", "qa", yes=True)

    async def _say(self, berth: Berth, login: str, kind: str, *, yes: bool) -> None:
        """Bound to the release that waits there."""
        waiting = [one for one in self._lane(berth) if one.state is PromotionState.WAITING]
        if not waiting:
            return
        number = waiting[0].release
        found = self.world.database.read_now(releases.some, [number])[number]
        if self.world.ledger.heard(berth, found.digest, login, kind):
            return
        word = Word(berth, found.digest, login, kind, yes)
        self.world.ledger.words.append(word)
        verdict = Verdict.YES if yes else Verdict.NO

        def say(db: Connection, who: Identity, what: Asked) -> None:
            commands.say(db, who, what, kind=kind, verdict=verdict, version=found.version)

        try:
            await self._person(login, f"release.{kind}", berth, say)
            word.sure = True
        except FairwayError as error:
            if not error.retriable:
                self.world.ledger.words.remove(word)
            raise

    async def _ask(self, berth: Berth) -> None:
        """`fairway promote`: the newest release, past what automation thinks of it."""

        def ask(db: Connection, who: Identity, what: Asked) -> str:
            made = commands.promote(db, who, what)
            if made.id in before:
                return ""  # it waits already: nothing has changed
            return releases.some(db, [made.release])[made.release].digest

        before = {one.id for one in self._lane(berth)}
        digest = await self._person("bob", "promotion.ask", berth, ask)
        if digest:
            self.world.ledger.asked.add((berth, digest))

    async def _go_back(self, berth: Berth) -> None:
        """`fairway rollback`."""

        def back(db: Connection, who: Identity, what: Asked) -> tuple[str, str]:
            lane = promotions.lane(db, shop.DELIVERY, berth.environment, berth.service)
            at = _holder(lane)
            made = commands.rollback(db, who, what, why="no good")
            known = releases.some(db, [made.release, *([at.release] if at else [])])
            return known[at.release].digest if at else "", known[made.release].digest

        bad, good = await self._person("eve", "promotion.rollback", berth, back)
        if bad and bad != good:
            self.world.ledger.banned.add((berth, bad))
            self.world.ledger.asked.discard((berth, bad))
        self.world.ledger.asked.add((berth, good))

    async def _person(self, login: str, action: str, berth: Berth, work: Work) -> Any:
        """What a person does by a process. Raises `Unavailable` when the answer is lost."""
        process = self.random.choice(self.world.processes)
        assert isinstance(process, ReleaseProcess), "this world has no others"
        who = self.world.people[login]

        def act(db: Connection) -> Any:
            what = commands.find(db, berth.environment, berth.service, shop.DELIVERY)
            return work(db, who, what)

        self.world.note(f"{login}: {action} {berth.application}")
        result = await process.ask(lambda: process.app.database.write(act))
        self.world.note(f"{login}: {action} {berth.application} was accepted")
        if result != "":
            self.said.append((login, action, berth))
        return result

    def _lane(self, berth: Berth) -> list[Promotion]:
        return release_verdict.lane(self.world, berth)

    # ---- what people do by hand ------------------------------------------------------------------

    async def _edit_image(self, berth: Berth) -> None:
        """`kubectl edit`: an image that nobody built, which is gone soon."""
        kube = self.world.clusters[berth.cluster].kube()
        name, namespace = berth.service, berth.environment
        found = await kube.get(ROLLOUT, name, namespace)
        digest = f"sha256:{self.random.randbytes(32).hex()}"
        container = dict(found["spec"]["template"]["spec"]["containers"][0])
        where = self.random.choice((f"{shop.REGISTRY}/{namespace}", "elsewhere.invalid"))
        container["image"] = f"{where}/acme/{name}@{digest}"
        self.world.note(f"by hand: the image of {berth.application} {digest[7:19]}")
        self.world.ledger.by_hand(berth, digest)
        body = {"spec": {"template": {"spec": {"containers": [container]}}}}
        try:
            await kube.patch(ROLLOUT, name, namespace, body=body)
        except FairwayError:
            self.world.ledger.forget(berth)
            raise

    async def _run_pod(self, berth: Berth) -> None:
        """`kubectl run`: an image of nobody's, where none of those may be or where it may."""
        self._number += 1
        name = f"by-hand-{self._number}"
        container = {"name": "main", "image": f"elsewhere.invalid/tool@sha256:{'0' * 64}"}
        meta = {"name": name, "namespace": berth.environment}
        kube = self.world.clusters[berth.cluster].kube()
        await kube.create(POD, {"metadata": meta, "spec": {"containers": [container]}})
        self.world.note(f"by hand: the pod {name} in {berth.environment}")
        await kube.delete(POD, name, berth.environment)

    async def _edit_config(self, berth: Berth) -> None:
        self.world.ledger.by_hand(berth)
        self.world.note(f"by hand: the configuration of {berth.application}")
        kube = self.world.clusters[berth.cluster].kube()
        name, body = f"{berth.service}-config", {"data": {"colour": "by hand"}}
        await kube.patch(CONFIG_MAP, name, berth.environment, body=body)

    async def _delete_config(self, berth: Berth) -> None:
        self.world.ledger.by_hand(berth)
        self.world.note(f"by hand: delete the configuration of {berth.application}")
        kube = self.world.clusters[berth.cluster].kube()
        await kube.delete(CONFIG_MAP, f"{berth.service}-config", berth.environment)

    async def _abort_one(self, berth: Berth) -> None:
        await self._tell(berth, {"abort": True})

    async def _retry_one(self, berth: Berth) -> None:
        await self._tell(berth, {"abort": False})

    async def _tell(self, berth: Berth, status: Json) -> None:
        self.world.note(f"by hand: the Rollout of {berth.application} {status}")
        kube, body = self.world.clusters[berth.cluster].kube(), {"status": status}
        name, namespace = berth.service, berth.environment
        await kube.patch(ROLLOUT, name, namespace, body=body, subresource="status")

    async def _lose_secret(self, berth: Berth) -> None:
        """A configuration is missing for a while: what comes waits for it."""
        self.world.note(f"the secret of {berth.application} is gone")
        kube = self.world.clusters[berth.cluster].kube()
        await kube.delete(SECRET, berth.service, berth.environment)
        await asyncio.sleep(self.random.uniform(1, 6))
        await kube.create(SECRET, shop.secret(berth))
        self.world.note(f"the secret of {berth.application} is back")

    async def _fault(self) -> None:
        self.world.ledger.rough_until = float("inf")
        await super()._fault()

    async def _storm(self) -> None:
        """Bad weather is bad for the chat too: requests and answers are lost."""
        self.world.line.trouble = self._line_trouble
        await super()._storm()
        self.world.line.trouble = _no_trouble

    def _line_trouble(self, _method: str) -> str:
        return self.random.choices(("", "cut", "deaf"), (6, 1, 3))[0]

    # ---- the end ---------------------------------------------------------------------------------

    async def _end(self) -> None:
        """Faults are over. Who is asked for approval gives it, or lets it wait."""
        self._calm()
        self.world.line.trouble = _no_trouble
        ledger = self.world.ledger
        if ledger.rough_until:
            ledger.rough_until = self.world.time_of_day() + _RECOVERED_S
        agrees = self.plan.deeds % 2 == 0
        await self._until_good(_QUIET_S, self._everybody_agrees if agrees else None)


def _no_trouble(_method: str) -> str:
    return ""


def _holder(lane: list[Promotion]) -> Promotion | None:
    """What holds a place: the one under way, else the last that passed."""
    for state in (PromotionState.RUNNING, PromotionState.PASSED):
        found = [one for one in lane if one.state is state]
        if found:
            return max(found, key=lambda one: one.id)
    return None
