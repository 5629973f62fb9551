"""Every change of a ref is announced once, in order, whatever comes between."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter

import pytest

from fairway.git.packets import Command
from fairway.kit.aio import Wake
from fairway.model.events import RefUpdated
from fairway.model.scope import SYSTEM
from fairway.source.announce import ACTOR, Announcer, Change, write_chain
from fairway.store import outbox, refs, repositories
from fairway.store.database import Database
from fairway.testing.git import SimulatedGit
from fairway.testing.people import People

MAIN = "refs/heads/main"
A, B, C, D = ("a" * 40, "b" * 40, "c" * 40, "d" * 40)


class Place:
    """An announcer over simulated folders."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.number = People(database).ids["tide/app"]
        self.git = SimulatedGit()
        self.announcer = Announcer(database, self.git.folders, Wake())

    def disk(self, **values: str) -> None:
        self.git.folders.all_refs[self.number] = {
            f"refs/heads/{name}": sha for name, sha in values.items()
        }

    async def told(self, ref: str = MAIN) -> list[tuple[str, str]]:
        found = await self.database.read(outbox.since, 0)
        return [
            (event.before, event.after)
            for _, _, event in found
            if isinstance(event, RefUpdated) and event.ref == ref
        ]


@pytest.fixture
def place(database: Database) -> Place:
    return Place(database)


def change(before: str, after: str, ref: str = MAIN) -> Change:
    return Change(Command(ref, before, after), "ada", ["o"])


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_a_chain_is_told_in_order_however_it_arrives(
    place: Place, order: tuple[int, ...]
) -> None:
    changes = [change("", A), change(A, B), change(B, C)]
    given = [changes[number] for number in order]
    written = await place.database.write(write_chain, place.number, given)
    assert (written.count, written.left) == (3, [])
    assert await place.told() == [("", A), (A, B), (B, C)]


async def test_what_was_told_is_not_told_again(place: Place) -> None:
    for _ in range(2):
        await place.database.write(write_chain, place.number, [change("", A)])
    assert await place.told() == [("", A)]


async def test_a_push_that_overtook_waits_for_the_one_before_it(place: Place) -> None:
    place.disk(main=B)
    place.announcer.begin(place.number)
    place.announcer.begin(place.number)
    late = asyncio.ensure_future(place.announcer.finish(place.number, [change(A, B)]))
    await asyncio.sleep(0)
    await place.announcer.finish(place.number, [change("", A)])
    await late
    assert await place.told() == [("", A), (A, B)]


async def test_a_gap_that_nobody_fills_is_told_from_the_disk(place: Place) -> None:
    place.disk(main=C)
    place.announcer.begin(place.number)
    await place.announcer.finish(place.number, [change(B, C)])
    assert await place.told() == [("", C)]
    found = await place.database.read(outbox.since, 0)
    assert found[0][2].actor == ACTOR  # type: ignore[attr-defined]


async def test_deletions_and_other_namespaces(place: Place) -> None:
    changes = [change("", A), change(A, ""), change("", B, "refs/notes/x")]
    await place.database.write(write_chain, place.number, changes)
    assert await place.told() == [("", A), (A, "")]
    assert await place.told("refs/notes/x") == []
    assert await place.database.read(refs.announced, place.number) == {}


async def test_deleting_what_is_not_there_is_no_event(place: Place) -> None:
    written = await place.database.write(write_chain, place.number, [change("", "")])
    assert (written.count, written.left) == (0, [])


async def test_a_start_finds_what_a_crash_left_untold_once(place: Place) -> None:
    place.git.folders.ensure(place.number, "x", "main")
    await place.announcer.reconcile_all()
    place.disk(main=A, other=B)
    assert await place.announcer.reconcile_all() == 2
    assert await Announcer(place.database, place.git.folders, Wake()).reconcile_all() == 0
    assert await place.told() == [("", A)]


async def test_a_repository_with_a_push_under_way_is_not_compared(place: Place) -> None:
    await place.announcer.reconcile_all()
    place.disk(main=A)
    place.announcer.begin(place.number)
    assert await place.announcer.reconcile_all() == 0
    await place.announcer.finish(place.number, [change("", A)])
    assert await place.told() == [("", A)]


async def test_a_folder_without_its_repository_is_removed(place: Place) -> None:
    place.git.folders.ensure(99, "gone", "main")
    await place.announcer.reconcile_all()
    assert 99 not in place.git.folders.numbers()


@pytest.mark.parametrize(
    ("names", "expected"),
    [(["main"], "main"), (["dev", "master"], "master"), (["dev"], "dev"), (["b", "a"], "a")],
)
async def test_the_first_branches_decide_the_default(
    place: Place, names: list[str], expected: str
) -> None:
    changes = [change("", A, f"refs/heads/{name}") for name in names]
    place.announcer.begin(place.number)
    await place.announcer.finish(place.number, changes)
    found = await place.database.read(repositories.by_id, SYSTEM, place.number)
    assert found is not None
    assert found.default_branch == expected


@pytest.mark.parametrize("seed", range(8))
async def test_any_history_of_pushes_crashes_and_starts_is_told_whole(
    place: Place, seed: int
) -> None:
    """Each step moves a branch; some are cut off before they are told."""
    chance = random.Random(seed)
    await place.announcer.reconcile_all()
    disk: dict[str, str] = {}
    moves: Counter[str] = Counter()
    for number in range(12):
        name, sha = f"b{chance.randrange(3)}", f"{number + 1:040x}"
        before = disk.get(name, "")
        disk[name] = sha
        moves[name] += 1
        place.disk(**disk)
        if chance.random() < 0.4:
            place.announcer = Announcer(place.database, place.git.folders, Wake())
            await place.announcer.reconcile_all()
        else:
            place.announcer.begin(place.number)
            await place.announcer.finish(place.number, [change(before, sha, f"refs/heads/{name}")])
    for name, sha in disk.items():
        told = await place.told(f"refs/heads/{name}")
        assert told[-1][1] == sha
        assert all(one[1] == two[0] for one, two in itertools.pairwise(told))
        assert len(told) == moves[name]
