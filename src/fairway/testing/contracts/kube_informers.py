"""What an informer keeps to on every Kubernetes API, whatever happens on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fairway.kit.aio import background
from fairway.kube import Informer, Key, Selection, WorkQueue, objects, own_key
from fairway.kube.errors import KubeExpired, KubeNotFound, KubeUnavailable
from fairway.kube.events import events
from fairway.kube.informer import Habits
from fairway.kube.kind import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, Json, Kind
from fairway.testing.contracts.kube_ground import PATIENCE_S, KubeGround, config_map, crd, until
from fairway.testing.kubefaults import Fault, expired_event

SWIFT = Habits(page=3, watch_s=300, quiet_s=60.0, first_wait_s=0.02, most_wait_s=0.5)
MARK = "suite=informers"


def marked(namespace: str, name: str, **data: str) -> Json:
    """An object that the informers of the suite select."""
    obj = config_map(namespace, name, **data)
    obj["metadata"]["labels"] = {"suite": "informers"}
    return obj


class Watcher:
    """What handlers were told: keys with what became of them; and that no version went back."""

    def __init__(self, informer: Informer) -> None:
        self.told: list[tuple[str, str]] = []
        self.back: list[str] = []
        informer.on_change(self._handle)

    def _handle(self, old: Json | None, new: Json | None) -> None:
        name = objects.key(new or old or {}).name
        self.told.append((name, "gone" if new is None else "new" if old is None else "changed"))
        if old and new and not objects.newer(objects.version(new), objects.version(old)):
            self.back.append(name)


@asynccontextmanager
async def following(
    ground: KubeGround, habits: Habits = SWIFT, **options: Any
) -> AsyncIterator[tuple[Informer, Watcher]]:
    """A synced informer for the block."""
    selection = Selection(namespace=ground.namespace, labels=MARK)
    informer = Informer(ground.kube, CONFIG_MAP, selection=selection, habits=habits, **options)
    watcher = Watcher(informer)
    async with background(informer.run()):
        await informer.wait_synced(PATIENCE_S)
        yield informer, watcher
    assert watcher.back == []


async def same(ground: KubeGround, informer: Informer) -> None:
    """Wait until the cache equals the server."""
    selection = Selection(namespace=ground.namespace, labels=MARK)
    listed = await ground.direct.list(CONFIG_MAP, selection)
    wanted = {objects.key(each): objects.version(each) for each in listed}

    def equal() -> bool:
        return {objects.key(each): objects.version(each) for each in informer.store} == wanted

    await until(equal, f"the cache has {wanted}")


async def _watch(ground: KubeGround, version: str) -> None:
    async with ground.direct.watch(CONFIG_MAP, version=version) as stream:
        async for _event in events(stream.chunks(), "the server", quiet_s=5.0):
            pass


class InformersContract:
    """The suite: lists, watches, and every way in which they end."""

    async def test_what_is_there_is_listed_by_pages_and_then_followed(
        self, ground: KubeGround
    ) -> None:
        here, kube = ground.namespace, ground.direct
        for number in range(8):
            await kube.create(CONFIG_MAP, marked(here, f"n{number}"))
        await kube.create(CONFIG_MAP, config_map(here, "unmarked"))
        async with following(ground) as (informer, watcher):
            assert sorted(watcher.told) == [(f"n{number}", "new") for number in range(8)]
            await kube.create(CONFIG_MAP, marked(here, "late", x="1"))
            await kube.patch(CONFIG_MAP, "n1", here, body={"data": {"x": "2"}})
            await kube.delete(CONFIG_MAP, "n2", here)
            await until(lambda: len(watcher.told) == 11, "three changes")
            assert watcher.told[8:] == [("late", "new"), ("n1", "changed"), ("n2", "gone")]
            found = informer.store.get(Key(here, "n1"))
            assert found is not None
            assert found["data"] == {"x": "2"}
            await same(ground, informer)

    async def test_managed_fields_are_not_kept(self, ground: KubeGround) -> None:
        await ground.direct.apply(CONFIG_MAP, marked(ground.namespace, "a"))
        async with following(ground) as (informer, watcher):
            await ground.direct.apply(CONFIG_MAP, marked(ground.namespace, "b"))
            await until(lambda: len(watcher.told) == 2, "two objects")
            for obj in informer.store:
                assert "managedFields" not in obj["metadata"]
                assert (obj["apiVersion"], obj["kind"]) == ("v1", "ConfigMap")

    async def test_what_is_no_longer_selected_is_gone(self, ground: KubeGround) -> None:
        here, kube = ground.namespace, ground.direct
        await kube.create(CONFIG_MAP, marked(here, "a"))
        async with following(ground) as (informer, watcher):
            for value in (None, "informers"):
                body = {"metadata": {"labels": {"suite": value}}}
                await kube.patch(CONFIG_MAP, "a", here, body=body)
            await until(lambda: len(watcher.told) == 3, "it went and came")
            assert watcher.told == [("a", "new"), ("a", "gone"), ("a", "new")]
            await same(ground, informer)

    async def test_metadata_alone_is_followed(self, ground: KubeGround) -> None:
        here, kube = ground.namespace, ground.direct
        await kube.create(CONFIG_MAP, marked(here, "a", x="1"))
        only = Selection(namespace=here, labels=MARK, metadata_only=True)
        informer = Informer(ground.kube, CONFIG_MAP, selection=only, habits=SWIFT)
        async with background(informer.run()):
            await informer.wait_synced(PATIENCE_S)
            await kube.create(CONFIG_MAP, marked(here, "b", x="1"))
            await until(lambda: len(informer.store) == 2, "both")
            assert all("data" not in each for each in informer.store)

    async def test_indexes_follow_every_change(self, ground: KubeGround) -> None:
        here, kube = ground.namespace, ground.direct
        index = {"colour": lambda obj: [obj.get("data", {}).get("colour", "none")]}
        await kube.create(CONFIG_MAP, marked(here, "a", colour="red"))
        async with following(ground, indexes=index) as (informer, watcher):
            await kube.create(CONFIG_MAP, marked(here, "b", colour="red"))
            await kube.patch(CONFIG_MAP, "a", here, body={"data": {"colour": "blue"}})
            await until(lambda: len(watcher.told) == 3, "a made, b made, a changed")
            names = {
                value: [objects.key(e).name for e in informer.store.by_index("colour", value)]
                for value in ("red", "blue", "none")
            }
            assert names == {"red": ["b"], "blue": ["a"], "none": []}

    async def test_ones_own_write_is_seen_at_once(self, ground: KubeGround) -> None:
        here = ground.namespace
        async with following(ground) as (informer, watcher):
            await ground.kube.create(CONFIG_MAP, marked(here, "a"))
            await until(lambda: len(informer.store) == 1, "the object")
            ground.faults.add(Fault(watch=True, delay_s=0.2))
            await ground.cut()
            body = {"data": {"x": "1"}}
            done = await ground.direct.patch(CONFIG_MAP, "a", here, body=body)
            informer.observe(done)
            found = informer.store.get(Key(here, "a"))
            assert found is not None
            assert found["data"] == {"x": "1"}
            await ground.direct.delete(CONFIG_MAP, "a", here)
            await until(lambda: len(informer.store) == 0, "it is gone")
            informer.observe(done)
            assert len(informer.store) == 0, "what is known to be gone does not come back"
            assert watcher.told == [("a", "new"), ("a", "changed"), ("a", "gone")]

    async def test_a_version_that_is_no_longer_kept_is_refused(self, ground: KubeGround) -> None:
        await ground.direct.create(CONFIG_MAP, marked(ground.namespace, "a"))
        await ground.restart()
        with pytest.raises(KubeExpired):
            await _watch(ground, "1")

    # ---- on a bad way ----------------------------------------------------------------------------

    async def test_deletions_during_a_cut_are_noticed(self, ground: KubeGround) -> None:
        here, kube = ground.namespace, ground.direct
        for name in "abcd":
            await kube.create(CONFIG_MAP, marked(here, name))
        async with following(ground) as (informer, _watcher):
            # The watch that follows is told that its version is too old: only a list can help.
            ground.faults.add(Fault(watch=True, status=410))
            await ground.cut()
            await kube.delete(CONFIG_MAP, "b", here)
            await kube.create(CONFIG_MAP, marked(here, "e"))
            await same(ground, informer)
            assert ground.faults.happened == 1

    async def test_a_cut_is_resumed_without_a_list(self, ground: KubeGround) -> None:
        here, kube = ground.namespace, ground.direct
        await kube.create(CONFIG_MAP, marked(here, "a"))
        async with following(ground) as (informer, watcher):
            ground.faults.add(Fault(path="configmaps", watch=False, status=500, times=100))
            await ground.cut()
            await kube.delete(CONFIG_MAP, "a", here)
            await kube.create(CONFIG_MAP, marked(here, "b"))
            await until(lambda: len(watcher.told) == 3, "both changes")
            assert watcher.told == [("a", "new"), ("a", "gone"), ("b", "new")]
            assert ground.faults.happened == 0, "nothing was listed"
            assert informer.synced

    @pytest.mark.parametrize("more", [0, 40], ids=["between-lines", "mid-line"])
    @pytest.mark.parametrize("then", ["cut", "end"])
    async def test_a_watch_that_ends_anywhere_is_resumed(
        self, ground: KubeGround, more: int, then: Any
    ) -> None:
        here, kube = ground.namespace, ground.direct
        ground.faults.add(Fault(watch=True, lines=1, more=more, then=then, times=3))
        async with following(ground) as (informer, watcher):
            for number in range(6):
                await kube.create(CONFIG_MAP, marked(here, f"n{number}"))
                body = {"data": {"x": "1"}}
                await kube.patch(CONFIG_MAP, f"n{number}", here, body=body)
            await same(ground, informer)
            await until(lambda: ground.faults.happened == 3, "all watches went wrong")
            assert {name for name, _ in watcher.told} == {f"n{number}" for number in range(6)}

    async def test_a_version_too_old_in_the_middle_of_a_watch_is_listed_again(
        self, ground: KubeGround
    ) -> None:
        here, kube = ground.namespace, ground.direct
        ground.faults.add(Fault(watch=True, lines=1, event=expired_event(), times=2))
        async with following(ground) as (informer, _watcher):
            for name in "abcd":
                await kube.create(CONFIG_MAP, marked(here, name))
                await same(ground, informer)
            await kube.delete(CONFIG_MAP, "a", here)
            await same(ground, informer)
            assert ground.faults.happened == 2

    async def test_a_list_that_expires_between_pages_begins_again(self, ground: KubeGround) -> None:
        here, kube = ground.namespace, ground.direct
        for number in range(8):
            await kube.create(CONFIG_MAP, marked(here, f"n{number}"))
        # Each time at its second page, in the end a list without pages.
        ground.faults.add(Fault(path="configmaps", continued=True, status=410, times=3))
        async with following(ground) as (informer, _watcher):
            await same(ground, informer)
            assert ground.faults.happened == 3

    async def test_a_list_that_fails_is_tried_again(self, ground: KubeGround) -> None:
        here, kube = ground.namespace, ground.direct
        for number in range(8):
            await kube.create(CONFIG_MAP, marked(here, f"n{number}"))
        ground.faults.add(
            Fault(path="configmaps", watch=False, status=500, times=2),
            Fault(path="configmaps", watch=False, status=429, retry_after=0.01),
            Fault(path="configmaps", watch=False, more=50, then="cut", times=2),
            Fault(path="configmaps", continued=True, status=503),
            Fault(path="configmaps", watch=False, more=50, then="end"),
        )
        async with following(ground) as (informer, _watcher):
            await same(ground, informer)
            assert ground.faults.happened == 7
            assert informer.problem is None

    async def test_a_watch_that_is_refused_is_tried_again(self, ground: KubeGround) -> None:
        ground.faults.add(
            Fault(watch=True, status=500, times=2),
            Fault(watch=True, status=429),
            Fault(watch=True, status=403),
        )
        async with following(ground) as (informer, _watcher):
            await ground.direct.create(CONFIG_MAP, marked(ground.namespace, "a"))
            await same(ground, informer)
            assert ground.faults.happened == 4
            await until(lambda: informer.problem is None, "no problem is left")

    async def test_a_slow_watch_loses_nothing(self, ground: KubeGround) -> None:
        here, kube = ground.namespace, ground.direct
        ground.faults.add(Fault(watch=True, piece=50, pause_s=0.001))
        async with following(ground) as (informer, watcher):
            for number in range(10):
                await kube.create(CONFIG_MAP, marked(here, f"n{number}", x="y" * 500))
            await same(ground, informer)
            assert watcher.told == [(f"n{number}", "new") for number in range(10)]

    async def test_a_watch_that_dies_without_a_word_is_noticed(self, ground: KubeGround) -> None:
        here, kube = ground.namespace, ground.direct
        ground.faults.add(Fault(watch=True, lines=1, then="silence"))
        hasty = Habits(page=3, quiet_s=0.5, first_wait_s=0.02, most_wait_s=0.5)
        async with following(ground, hasty) as (informer, _watcher):
            for name in "abc":
                await kube.create(CONFIG_MAP, marked(here, name))
            await same(ground, informer)

    async def test_a_watch_ends_by_the_servers_clock_and_goes_on(self, ground: KubeGround) -> None:
        here, kube = ground.namespace, ground.direct
        brief = Habits(page=3, watch_s=1, spread_s=1, first_wait_s=0.02, most_wait_s=0.5)
        async with following(ground, brief) as (informer, watcher):
            for number in range(4):
                await kube.create(CONFIG_MAP, marked(here, f"n{number}"))
                await asyncio.sleep(0.4)
            await same(ground, informer)
            assert len(watcher.told) == 4

    async def test_a_restart_of_the_server_is_survived(self, ground: KubeGround) -> None:
        here, kube = ground.namespace, ground.direct
        for name in "abc":
            await kube.create(CONFIG_MAP, marked(here, name))
        async with following(ground) as (informer, watcher):
            await ground.restart()
            await kube.delete(CONFIG_MAP, "a", here)
            await kube.create(CONFIG_MAP, marked(here, "d"))
            await same(ground, informer)
            assert watcher.told[3:] == [("a", "gone"), ("d", "new")]

    async def test_keys_reach_a_queue_and_are_worked_on_until_all_is_well(
        self, ground: KubeGround
    ) -> None:
        here, kube = ground.namespace, ground.direct
        queue: WorkQueue[Key] = WorkQueue("contract")
        seen: dict[Key, str] = {}
        async with following(ground) as (informer, _watcher):
            informer.feed(queue, own_key)

            async def work(key: Key) -> None:
                obj = informer.store.get(key)
                seen[key] = objects.version(obj) if obj else "gone"

            async with background(queue.run(work)):
                for number in range(5):
                    await kube.create(CONFIG_MAP, marked(here, f"n{number}"))
                await kube.patch(CONFIG_MAP, "n1", here, body={"data": {"x": "1"}})
                await ground.cut()
                await kube.delete(CONFIG_MAP, "n2", here)
                await same(ground, informer)
                await until(lambda: seen.get(Key(here, "n2")) == "gone", "the deletion")
                await until(lambda: queue.idle, "no work is left")
                versions = {objects.key(e): objects.version(e) for e in informer.store}
                assert seen == {**versions, Key(here, "n2"): "gone"}


class AbsentKindsContract:
    """Kinds that come and go."""

    async def test_an_optional_kind_is_empty_until_it_comes_and_after_it_went(
        self, ground: KubeGround
    ) -> None:
        kind = Kind(f"{ground.namespace}.example.com", "v1", "sizes", "Size")
        informer = Informer(ground.kube, kind, optional=True, habits=SWIFT)
        async with background(informer.run()):
            await informer.wait_synced(PATIENCE_S)
            assert len(informer.store) == 0
            await ground.direct.create(CUSTOM_RESOURCE_DEFINITION, crd(kind))
            try:
                await _make(ground, kind)
                await until(lambda: len(informer.store) == 1, "the object")
            finally:
                await ground.direct.delete(CUSTOM_RESOURCE_DEFINITION, kind.resource)
            await until(lambda: len(informer.store) == 0, "it went with its kind")
            assert informer.problem is None

    async def test_a_kind_that_must_be_there_is_missed(self, ground: KubeGround) -> None:
        kind = Kind("fairway.invalid", "v1", "things", "Thing")
        informer = Informer(ground.kube, kind, habits=SWIFT)
        async with background(informer.run()):
            with pytest.raises(KubeUnavailable, match=r"things\.fairway\.invalid"):
                await informer.wait_synced(0.5)
            assert informer.problem is not None


async def _make(ground: KubeGround, kind: Kind) -> None:
    """Make an object of a kind that is just coming."""
    obj = {"metadata": {"name": "a", "namespace": ground.namespace}, "spec": {"size": 1}}
    async with asyncio.timeout(PATIENCE_S):
        while await ground.direct.find(kind, "a", ground.namespace) is None:
            try:
                await ground.direct.create(kind, obj)
            except KubeNotFound:
                await asyncio.sleep(0.1)
