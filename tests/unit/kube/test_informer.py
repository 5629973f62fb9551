"""Informers against the model API: the contract in virtual time, and random histories."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairway.kit.aio import background
from fairway.kube import Actor, Informer, Kube, Selection, objects
from fairway.kube.informer import Habits
from fairway.kube.kind import CONFIG_MAP, Json
from fairway.testing.contracts.kube_informers import InformersContract, Watcher, marked
from fairway.testing.kube_model import ModelApi
from fairway.testing.kubefaults import Fault, Faults, expired_event
from fairway.testing.virtual import VirtualLoop

ACTOR = Actor(manager="test")
NAMESPACE = "here"


class ModelGround:
    """`KubeGround` on the model."""

    def __init__(self) -> None:
        self.api = ModelApi()
        self.faults = Faults()
        self.kube = Kube(self.api.transport(self.faults), ACTOR)
        self.direct = Kube(self.api.transport(), ACTOR)
        self.namespace = NAMESPACE

    async def cut(self) -> None:
        """Cut the watches."""
        self.api.cut()

    async def restart(self) -> None:
        """Forget history."""
        self.api.restart()


@pytest.fixture
def ground() -> ModelGround:
    return ModelGround()


@pytest.mark.looptime
class TestInformersOnTheModel(InformersContract):
    pass


# ---- random histories ----------------------------------------------------------------------------

NAMES = st.sampled_from("abc")
WRITES = st.tuples(st.sampled_from(["make", "own", "late", "unmark", "delete"]), NAMES)
# What happens while the line is cut, and whether the server forgets it meanwhile.
AWAY = st.tuples(st.just("away"), st.tuples(st.lists(WRITES, min_size=2), st.booleans()))
OPERATIONS = st.one_of(
    WRITES,
    *[AWAY] * 3,
    st.tuples(st.just("told"), st.none()),
    st.tuples(st.just("cut"), st.none()),
    st.tuples(st.just("compact"), st.none()),
    st.tuples(st.just("restart"), st.none()),
    st.tuples(st.just("own"), NAMES),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 0.01, 0.3, 70.0, 400.0])),
    st.tuples(
        st.just("fault"),
        st.builds(
            Fault,
            watch=st.sampled_from([True, False, None]),
            continued=st.sampled_from([True, None]),
            times=st.integers(1, 3),
            status=st.sampled_from([403, 404, 410, 429, 500]),
        ),
    ),
    st.tuples(
        st.just("fault"),
        st.builds(
            Fault,
            watch=st.sampled_from([True, False]),
            times=st.integers(1, 2),
            delay_s=st.sampled_from([0.0, 0.2]),
            lines=st.integers(0, 3),
            more=st.sampled_from([0, 25]),
            then=st.sampled_from(["cut", "end"]),
        ),
    ),
    st.tuples(
        st.just("fault"),
        st.builds(
            Fault,
            watch=st.just(True),
            lines=st.integers(0, 2),
            then=st.sampled_from(["", "silence"]),
            event=st.sampled_from(["", expired_event(), "no JSON"]),
        ),
    ),
)


class Mirror:
    """What a consumer knows who heard of the changes only."""

    def __init__(self, informer: Informer) -> None:
        self.versions: dict[str, str] = {}
        self.wrong: list[str] = []  # a handler's own errors go to the log only
        informer.on_change(self._handle)

    def _handle(self, old: Json | None, new: Json | None) -> None:
        name = objects.key(new or old or {}).name
        if self.versions.get(name, "") != (objects.version(old) if old else ""):
            self.wrong.append(name)
        if new is None:
            self.versions.pop(name, None)
        else:
            self.versions[name] = objects.version(new)


class History:
    """A random history, carried out beside an informer."""

    def __init__(self, labels: str = "") -> None:
        self.ground = ModelGround()
        self.labels = labels
        selection = Selection(namespace=NAMESPACE, labels=labels)
        habits = Habits(page=2, first_wait_s=0.1, most_wait_s=5.0)
        self.informer = Informer(self.ground.kube, CONFIG_MAP, selection=selection, habits=habits)
        self.watcher = Watcher(self.informer)
        self.mirror = Mirror(self.informer)
        self.answers: list[Json] = []  # of own writes, which arrive late

    def selected(self) -> dict[str, str]:
        """What the cache has to come to."""
        return {
            place[2]: objects.version(obj)
            for place, obj in self.ground.api.objects.items()
            if objects.labels(obj) or not self.labels
        }

    async def run(self, operations: list[tuple[str, Any]]) -> None:
        """Carry it out; after quiet, everything fits."""
        async with background(self.informer.run()):
            for number, (what, argument) in enumerate(operations):
                await self.step(what, argument, number)
                await asyncio.sleep(0.001)
            self.ground.faults.clear()
            await asyncio.sleep(600)
            cached = {objects.key(e).name: objects.version(e) for e in self.informer.store}
            assert cached == self.selected()
            assert self.mirror.versions == cached
            assert self.mirror.wrong == []
            assert self.informer.synced
            assert self.informer.problem is None
        assert self.watcher.back == []

    def away(self, writes: list[tuple[str, str]], forgotten: bool, number: int) -> None:
        """What happens while the line is cut."""
        self.ground.api.cut()
        for each, (kind, name) in enumerate(writes):
            self.write(kind, name, f"{number}.{each}")
        if forgotten:
            self.ground.api.compact()

    async def step(self, what: str, argument: Any, number: int) -> None:
        """One operation."""
        if what == "away":
            self.away(*argument, number)
        elif what == "wait":
            await asyncio.sleep(argument)
        elif what == "fault":
            self.ground.faults.add(argument)
        elif what == "told":
            self.tell_late()
        elif what in ("cut", "compact", "restart"):
            getattr(self.ground.api, what)()
        else:
            self.write(what, argument, str(number))

    def tell_late(self) -> None:
        """Answers of own writes arrive, in any order."""
        while self.answers:
            self.informer.observe(self.answers.pop())

    def write(self, what: str, name: str, value: str) -> None:
        """A write by somebody, or by the informer's own process, which is told sooner or later."""
        api = self.ground.api
        place = ("api/v1/configmaps", NAMESPACE, name)
        if what in ("make", "own", "late"):
            made = api.write(place, marked(NAMESPACE, name, x=value))
            if what == "own":
                self.informer.observe(made)
            if what == "late":
                self.answers.append(made)
        elif what == "unmark" and place in api.objects:
            obj = marked(NAMESPACE, name)
            del obj["metadata"]["labels"]
            api.write(place, obj)
        elif what == "delete" and place in api.objects:
            api.write(place, None)


@settings(max_examples=150, deadline=None)
@given(
    operations=st.lists(OPERATIONS, max_size=40),
    seed=st.integers(0, 1000),
    labels=st.sampled_from(["", "suite=informers"]),
)
def test_after_any_history_the_cache_equals_the_server(
    operations: list[tuple[str, Any]], seed: int, labels: str
) -> None:
    loop = VirtualLoop(seed)
    try:
        loop.run_until_complete(History(labels).run(operations))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
