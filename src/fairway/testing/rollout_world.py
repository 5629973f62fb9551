"""One Rollout in a simulated cluster: pods that start slowly or never, a gateway that confirms
late, analyses that take their time, people who change their minds, a controller that dies.

Pure and seeded: the same seed is the same history. What the controller writes is checked at every
single write (`Broken`).
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from typing import Any, Final

from fairway.kube import Json, Key, objects
from fairway.rollout import plan as p
from fairway.rollout import services
from fairway.rollout.acting import patch, set_patch
from fairway.rollout.decide import decide
from fairway.rollout.draft import selected
from fairway.rollout.objects import HASH, Moment, Rollout, after, written
from fairway.rollout.plan import Plan, Seen
from fairway.rollout.routers.gateway_api import GatewayApi

START: Final = Moment.fromisoformat("2026-01-01T00:00:00+00:00")
ROUTE: Final = Key("shop", "web")
TEMPLATE: Final = {
    "metadata": {"name": "good", "namespace": "shop"},
    "spec": {"metrics": [{"name": "m", "provider": {"web": {"url": "http://x"}}}]},
}


class Broken(AssertionError):
    """An invariant does not hold."""


class Crash(Exception):
    """The controller ends, between two writes."""


class RolloutWorld:
    """The cluster. `bad` are images whose pods never become available."""

    def __init__(self, rollout: Json, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 a history is to be repeated
        self.now = START
        self.bad: set[str] = set()
        self.verdict = "Successful"  # of analyses; "" for runs that never end
        self.versions = 0
        self.rollout = self._stored(rollout)
        self.sets: dict[str, Json] = {}
        self.runs: dict[str, Json] = {}
        self.services: dict[str, Json] = {}
        self.route: Json = {}
        self.live: dict[str, int] = {}  # weights that the gateway really uses
        self.switches: list[tuple[str, str]] = []
        self.told: list[p.Tell] = []
        self.checked = True  # whether traffic is checked: not after a person scaled to nothing
        self._make_network()

    def _make_network(self) -> None:
        rollout = Rollout(self.rollout)
        part = rollout.canary if rollout.canary is not None else rollout.blue_green or {}
        for name in ("stableService", "canaryService", "activeService", "previewService"):
            if part.get(name):
                self.services[part[name]] = self._stored(
                    {
                        "metadata": {"name": part[name], "namespace": "shop"},
                        "spec": {"selector": {"app": "web"}},
                    }
                )
        if rollout.routing is not None:
            refs = [{"name": part[name], "weight": weight} for name, weight in _SIDES.items()]
            self.route = self._stored(
                {
                    "metadata": {"name": "web", "namespace": "shop", "generation": 1},
                    "spec": {"rules": [{"backendRefs": refs}]},
                }
            )
            self.confirm()

    def _stored(self, obj: Json) -> Json:
        self.versions += 1
        made: Json = objects.copy(obj)
        meta = made.setdefault("metadata", {})
        meta["resourceVersion"] = str(self.versions)
        meta.setdefault("uid", f"uid-{self.versions}")
        return made

    # ---- the controller --------------------------------------------------------------------------

    def seen(self) -> Seen:
        """A snapshot of everything."""
        # Objects are replaced and never changed, so that a snapshot may share them.
        return Seen(
            rollout=self.rollout,
            sets=tuple(self.sets.values()),
            services=dict(self.services),
            runs=tuple(self.runs.values()),
            templates={"good": TEMPLATE},
            routes={ROUTE: self.route} if self.route else {},
        )

    def decide(self, seen: Seen | None = None) -> Plan:
        """The controller's decision."""
        return decide(seen or self.seen(), self.now, ROUTER)

    def carry_out(self, plan: Plan, seen: Seen | None = None, *, crash: float = 0.0) -> bool:
        """Write what is decided; False when an object has changed since `seen`. With `crash` the
        controller may die before each write."""
        stale = seen is not None and not self._fresh(seen)
        for action in plan.actions:
            if self.random.random() < crash:
                raise Crash
            if isinstance(action, p.Tell):
                self.told.append(action)
            elif stale:
                return False  # a conditional write is refused
            else:
                self._act(action)
                self.check()
        if self.random.random() < crash:
            raise Crash
        if plan.status is None or stale:
            return not stale
        status = patch(self.rollout.get("status") or {}, plan.status)
        self.patch("rollout", {"status": status})
        return True

    def _fresh(self, seen: Seen) -> bool:
        now = self.seen()
        return _marks(now) == _marks(seen)

    def _act(self, action: Any) -> None:
        match action:
            case p.ChangeSet(name=name):
                before = self.sets[name]["spec"]["replicas"]
                self.sets[name] = self._merged(self.sets[name], set_patch(action))
                self._check_scaled(name, before)
            case p.SwitchService(name=name, hash=hash_):
                self.services[name] = self._merged(self.services[name], services.patch(action))
                self.switches.append((name, hash_))
            case p.ReleaseService(name=name):
                self.services[name] = self._merged(self.services[name], services.RELEASED)
            case p.ChangeRoute(body=body):
                self.route = self._merged(self.route, body)
                if "spec" in body:
                    self.route["metadata"]["generation"] += 1
            case p.ChangeRollout(body=body):
                self.patch("rollout", body)
            case _:
                self._make_or_end(action)

    def _make_or_end(self, action: Any) -> None:
        match action:
            case p.CreateSet(body=body):
                self.sets.setdefault(body["metadata"]["name"], self._stored(body))
            case p.DeleteSet(name=name):
                del self.sets[name]
            case p.CreateRun(body=body):
                self._create_run(body)
            case p.EndRun(name=name):
                self.runs[name] = self._merged(self.runs[name], {"spec": {"terminate": True}})
            case p.DeleteRun(name=name):
                self.runs.pop(name, None)

    def _create_run(self, body: Json) -> None:
        name = body["metadata"]["name"]
        if name in self.runs:
            raise Broken(f"the run {name} is made twice")
        self.runs[name] = self._stored(body)

    def patch(self, what: str, body: Json) -> None:
        """A merge patch of the Rollout, as a client makes it."""
        del what
        before = self.rollout["spec"]
        self.rollout = self._merged(self.rollout, body)
        if self.rollout["spec"] != before:
            self.rollout["metadata"]["generation"] += 1

    def _merged(self, obj: Json, body: Json) -> Json:
        self.versions += 1
        made: Json = _merge(obj, body)
        made["metadata"] = {**made["metadata"], "resourceVersion": str(self.versions)}
        return made

    # ---- what must hold --------------------------------------------------------------------------

    def available(self, hash_: str) -> int:
        """Available pods of a version."""
        return sum(
            (one.get("status") or {}).get("availableReplicas", 0)
            for one in self.sets.values()
            if objects.labels(one)[HASH] == hash_
        )

    def serving(self) -> dict[str, int]:
        """The Services that users' requests reach, with their weights."""
        part = Rollout(self.rollout)
        if part.blue_green is not None:
            return {str(part.blue_green["activeService"]): 100}
        return {name: weight for name, weight in self.live.items() if weight}

    def check(self) -> None:
        """Nobody's request goes to a version without pods."""
        if not self.checked:
            return
        for name in self.serving():
            hash_ = selected(self.services[name])
            if hash_ and not self.available(hash_) and self._had_pods():
                raise Broken(f"the service {name} points at {hash_}, which has no pods: {self}")

    def _had_pods(self) -> bool:
        return any(self.available(objects.labels(one)[HASH]) for one in self.sets.values())

    def _check_scaled(self, name: str, before: int) -> None:
        """What gets requests is never scaled to nothing."""
        one = self.sets[name]
        if one["spec"]["replicas"] or not before or not self.checked:
            return
        for service in self.serving():
            if selected(self.services[service]) == objects.labels(one)[HASH]:
                raise Broken(f"{name} gets requests by {service} and is scaled to 0: {self}")

    # ---- the world around it ---------------------------------------------------------------------

    def confirm(self) -> None:
        """The gateway makes the route live and says so."""
        refs = self.route["spec"]["rules"][0]["backendRefs"]
        self.live = {one["name"]: one["weight"] for one in refs}
        generation = self.route["metadata"]["generation"]
        accepted = {"type": "Accepted", "status": "True", "observedGeneration": generation}
        parents = [{"controllerName": "example", "conditions": [accepted]}]
        self.route = self._merged(self.route, {"status": {"parents": parents}})
        self.check()

    def confirmed(self) -> bool:
        """Whether the gateway has caught up."""
        if not self.route:
            return True
        parent = self.route["status"]["parents"][0]["conditions"][0]
        return bool(parent["observedGeneration"] == self.route["metadata"]["generation"])

    def pods(self, *, all_at_once: bool = False) -> bool:
        """The ReplicaSet controller and the kubelets do something; False when all is done."""
        moved = False
        for name, one in self.sets.items():
            status = dict(one.get("status") or {})
            wanted = one["spec"]["replicas"]
            image = one["spec"]["template"]["spec"]["containers"][0]["image"]
            there = wanted if all_at_once else self._towards(status.get("replicas", 0), wanted)
            good = 0 if image in self.bad else there
            now = min(status.get("availableReplicas", 0), there)
            now = good if all_at_once else max(min(now, good), self._towards(now, good))
            made = {"replicas": there, "availableReplicas": now, "readyReplicas": now}
            made["observedGeneration"] = objects.metadata(one).get("generation", 0)
            if made != status:
                moved = True
                self.sets[name] = self._merged(one, {"status": made})
        return moved

    def _towards(self, now: int, goal: int) -> int:
        if now == goal:
            return now
        return now + (1 if goal > now else -1) * self.random.randint(0, abs(goal - now))

    def judge(self) -> bool:
        """Analyses end with the verdict; those that are to terminate are successful, as in Argo."""
        moved = False
        for name, run in self.runs.items():
            if (run.get("status") or {}).get("phase") not in (None, "", "Running"):
                continue
            ended = "Successful" if run["spec"].get("terminate") else self.verdict
            if ended:
                moved = True
                self.runs[name] = self._merged(run, {"status": {"phase": ended}})
        return moved

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now = after(self.now, seconds)

    def move(self, what: str) -> None:
        """One thing that the cluster does."""
        if what == "pods":
            self.pods()
        elif what == "gateway" and self.route:
            self.confirm()
        elif what == "verdict":
            self.judge()
        elif what == "time":
            self.wait(self.random.choice((1, 5, 31, 700)))

    def settle(self, *, most: int = 400) -> Plan:
        """Let everything happen until nothing more does; the last, empty plan.

        Raises `Broken` when it does not come to an end.
        """
        for _ in range(most):
            moved = self.pods(all_at_once=True)
            moved |= self.judge()
            if not self.confirmed():
                self.confirm()
                moved = True
            self.check()
            plan = self.decide()
            self.carry_out(plan)
            if moved or plan.status is not None or any(map(_does, plan.actions)):
                self.wait(1)
            elif plan.again is None or plan.again > 86400:
                return plan
            else:
                self.wait(plan.again + 1)
        raise Broken(f"it does not come to rest: {plan} {self}")

    # ---- people ----------------------------------------------------------------------------------

    def image(self, tag: str, *, bad: bool = False) -> None:
        """Another version."""
        image = f"web:{tag}"
        if bad:
            self.bad.add(image)
        containers = [{"name": "web", "image": image}]
        self.patch("rollout", {"spec": {"template": {"spec": {"containers": containers}}}})

    @property
    def status(self) -> Json:
        """The Rollout's status."""
        found: Json = self.rollout.get("status") or {}
        return found

    def __repr__(self) -> str:
        sets = [
            f"{name}={(one.get('status') or {}).get('availableReplicas', 0)}/"
            f"{one['spec']['replicas']}"
            for name, one in self.sets.items()
        ]
        chosen = {name: selected(one) for name, one in self.services.items()}
        return f"{written(self.now)} {sets} {chosen} {self.live} {self.status}"


def _nothing_told(route: Any) -> None:
    del route


ROUTER: Final = GatewayApi(_nothing_told)
_SIDES: Final = {"stableService": 100, "canaryService": 0}


def _does(action: p.Action) -> bool:
    return not isinstance(action, p.Tell)


def _marks(seen: Seen) -> list[str]:
    found = [seen.rollout, *seen.sets, *seen.services.values(), *seen.runs, *seen.routes.values()]
    return [objects.version(one) for one in found]


def _merge(obj: Any, body: Any) -> Any:
    """RFC 7386."""
    if not isinstance(body, dict):
        return objects.copy(body)
    made = dict(obj) if isinstance(obj, dict) else {}
    for name, value in body.items():
        if value is None:
            made.pop(name, None)
        else:
            made[name] = _merge(made.get(name), value)
    return made


def history(world: RolloutWorld, deeds: list[Callable[[], None]], length: int) -> None:
    """A random history after the first deployment: what people do, what the cluster does, and the
    controller with crashes and old caches in between."""
    world.settle()
    old = world.seen()
    for _ in range(length):
        what = world.random.choices(_PARTS, _ODDS)[0]
        if what == "deed":
            world.random.choice(deeds)()
        elif what == "old cache":
            world.carry_out(world.decide(old), old)
        elif what == "controller":
            with contextlib.suppress(Crash):
                world.carry_out(world.decide(), crash=0.05)
        else:
            world.move(what)
        if what == "looked":
            old = world.seen()
        world.check()


_PARTS: Final = ("deed", "old cache", "controller", "pods", "gateway", "verdict", "time", "looked")
_ODDS: Final = (6, 4, 50, 18, 10, 5, 5, 5)
