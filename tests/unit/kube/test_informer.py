"""Informers against the model API: the contract in virtual time, and random histories."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairway.kit.aio import background
from fairway.kube import Actor, Informer, Key, Kube, Selection, objects, owner_key
from fairway.kube.errors import KubeUnavailable
from fairway.kube.informer import Habits
from fairway.kube.kind import CONFIG_MAP, DEPLOYMENT, Json
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


# ---- what only the model can show ----------------------------------------------------------------

QUICK = Habits(page=2, first_wait_s=0.1, most_wait_s=1.0)


@pytest.mark.looptime
async def test_an_answer_that_comes_after_its_object_went_brings_nothing_back(
    ground: ModelGround,
) -> None:
    informer = Informer(ground.kube, CONFIG_MAP, habits=QUICK)
    async with background(informer.run()):
        await informer.wait_synced(5)
        made = await ground.direct.create(CONFIG_MAP, marked(NAMESPACE, "a"))
        informer.observe(made)
        assert len(informer.store) == 1
        await ground.direct.delete(CONFIG_MAP, "a", NAMESPACE)
        await asyncio.sleep(1)
        informer.observe(made)
        assert len(informer.store) == 0
        elsewhere = Informer(
            ground.kube, CONFIG_MAP, selection=Selection(namespace="there"), habits=QUICK
        )
        async with background(elsewhere.run()):
            await elsewhere.wait_synced(5)
            again = await ground.direct.create(CONFIG_MAP, marked(NAMESPACE, "a"))
            elsewhere.observe(again)
            assert len(elsewhere.store) == 0


@pytest.mark.looptime
@pytest.mark.parametrize("lost", ["watch", "list"])
async def test_a_server_restored_from_a_backup_is_believed_at_last(
    ground: ModelGround, lost: str, caplog: pytest.LogCaptureFixture
) -> None:
    for name in "abc":
        await ground.direct.create(CONFIG_MAP, marked(NAMESPACE, name, x="1"))
    kept, version = dict(ground.api.objects), ground.api.version
    informer = Informer(ground.kube, CONFIG_MAP, habits=QUICK)
    async with background(informer.run()):
        await informer.wait_synced(5)
        for name in "bc":
            await ground.direct.patch(CONFIG_MAP, name, NAMESPACE, body={"data": {"x": "2"}})
        await ground.direct.create(CONFIG_MAP, marked(NAMESPACE, "d"))
        await asyncio.sleep(1)
        assert len(informer.store) == 4
        ground.api.objects, ground.api.version = dict(kept), version
        ground.api.compact()
        ground.faults.add(Fault(watch=True, status=410))
        if lost == "watch":
            ground.faults.clear()
        ground.api.cut()
        await asyncio.sleep(120)
        cached = {objects.key(e).name: objects.version(e) for e in informer.store}
        wanted = {place[2]: objects.version(obj) for place, obj in kept.items()}
        assert cached == wanted
        assert informer.problem is None
    assert "history was rewritten" in caplog.text


@pytest.mark.looptime
async def test_one_list_from_the_past_is_not_believed(ground: ModelGround) -> None:
    informer = Informer(ground.kube, CONFIG_MAP, habits=QUICK)
    watcher = Watcher(informer)
    for name in "ab":
        await ground.direct.create(CONFIG_MAP, marked(NAMESPACE, name))
    async with background(informer.run()):
        await informer.wait_synced(5)
        now, before = dict(ground.api.objects), ground.api.version
        await ground.direct.create(CONFIG_MAP, marked(NAMESPACE, "c"))
        await asyncio.sleep(1)
        after, version = dict(ground.api.objects), ground.api.version
        # A replica that lags answers the next list.
        ground.api.objects, ground.api.version = now, before
        ground.faults.add(Fault(watch=True, status=410))
        ground.api.cut()
        await asyncio.sleep(0.25)
        assert informer.problem is not None
        assert "before what was seen" in str(informer.problem)
        ground.api.objects, ground.api.version = after, version
        await asyncio.sleep(5)
        assert informer.problem is None
        assert watcher.told == [("a", "new"), ("b", "new"), ("c", "new")]


@pytest.mark.looptime
async def test_one_wrong_404_does_not_look_as_if_all_was_deleted(ground: ModelGround) -> None:
    await ground.direct.create(CONFIG_MAP, marked(NAMESPACE, "a"))
    informer = Informer(ground.kube, CONFIG_MAP, habits=QUICK, optional=True)
    watcher = Watcher(informer)
    async with background(informer.run()):
        await informer.wait_synced(5)
        for status in (404, 410):
            ground.faults.add(Fault(watch=True, status=status))
            ground.faults.add(Fault(watch=False, status=404))
            ground.api.cut()
            await asyncio.sleep(5)
        assert watcher.told == [("a", "new")]
        ground.faults.add(Fault(watch=True, status=404), Fault(watch=False, status=404, times=9))
        ground.api.cut()
        await asyncio.sleep(3)
        assert watcher.told == [("a", "new"), ("a", "gone")]
        assert informer.synced
        await asyncio.sleep(60)
        assert len(informer.store) == 1


@pytest.mark.looptime
async def test_a_defect_of_a_handler_or_transform_leaves_the_cache(
    ground: ModelGround, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    informer = Informer(ground.kube, CONFIG_MAP, habits=QUICK, transform=broken)
    informer.on_change(broken)
    watcher = Watcher(informer)
    async with background(informer.run()):
        await informer.wait_synced(5)
        await ground.direct.create(CONFIG_MAP, marked(NAMESPACE, "a"))
        await asyncio.sleep(1)
        assert watcher.told == [("a", "new")]
        late = Watcher(informer)
        assert late.told == [("a", "new")], "who comes later hears of what is there"
    assert "a handler of configmaps failed" in caplog.text
    assert "the transform of configmaps failed" in caplog.text


@pytest.mark.looptime
async def test_who_waits_is_told_what_is_in_the_way(ground: ModelGround) -> None:
    ground.faults.add(Fault(status=403, times=1000))
    informer = Informer(ground.kube, CONFIG_MAP, habits=QUICK)
    async with background(informer.run()):
        with pytest.raises(KubeUnavailable, match=r"configmaps of model .* 403"):
            await informer.wait_synced(30)


def test_a_controller_is_found_by_what_it_controls() -> None:
    keys = owner_key(DEPLOYMENT)
    owner = {"metadata": {"name": "o", "uid": "u"}}

    def owned(kind: Any, **changes: Any) -> Json:
        reference = {**objects.owner_reference(owner, kind), **changes}
        return {"metadata": {"namespace": "n", "name": "x", "ownerReferences": [reference]}}

    assert list(keys(owned(DEPLOYMENT))) == [Key("n", "o")]
    assert list(keys(owned(DEPLOYMENT, apiVersion="apps/v1beta1"))) == [Key("n", "o")]
    assert list(keys(owned(DEPLOYMENT, apiVersion="other/v1"))) == []
    assert list(keys(owned(DEPLOYMENT, controller=False))) == []
    assert list(keys(owned(CONFIG_MAP))) == []
    assert list(keys({"metadata": {}})) == []


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
