"""Fairway's own commits: announced as pushes are, and quiet only when they are its deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from fairway.git.folders import Folders
from fairway.git.writing import Author, Writes
from fairway.kit.aio import Wake
from fairway.model.errors import Conflict, FairwayError, NotFound, Unavailable
from fairway.model.events import RefUpdated
from fairway.source.announce import Announcer
from fairway.source.writing import Writer
from fairway.store import outbox, quiet_commits
from fairway.store.database import Database
from fairway.store.schema import repository
from fairway.testing.people import People

FAIRWAY = Author(name="Fairway", email="fairway@localhost")
MAIN = "refs/heads/main"
DELIVERY = "Deploy 1.2.0\n\nFairway-Delivery: shop/catalogue promote 1.2.0 dev\n"


class Place:
    """A writer over real folders."""

    def __init__(self, database: Database, root: Path) -> None:
        self.database = database
        self.number = People(database).ids["tide/app"]
        self.folders = Folders(root)
        self.folders.prepare()
        self.announcer = Announcer(database, self.folders, Wake())
        self.writes = Writes(self.folders)
        self.writer = Writer(database, self.writes, self.folders, self.announcer)

    async def commit(
        self,
        files: Mapping[str, bytes | None],
        *,
        message: str = "change",
        expected: str | None = None,
    ) -> str:
        return await self.writer.commit(
            self.number, "main", files, message=message, author=FAIRWAY, expected=expected
        )

    async def told(self) -> list[tuple[str, str, str]]:
        found = await self.database.read(outbox.since, 0)
        return [(e.ref, e.before, e.after) for _, _, e in found if isinstance(e, RefUpdated)]

    async def quiet(self, sha: str) -> bool:
        return await self.database.read(quiet_commits.has, self.number, sha)


@pytest.fixture
def place(database: Database, tmp_path: Path) -> Place:
    return Place(database, tmp_path / "git")


async def test_a_commit_is_announced_once_in_order(place: Place) -> None:
    one = await place.commit({"a": b"1"})
    two = await place.commit({"a": b"2"}, expected=one)
    assert await place.told() == [(MAIN, "", one), (MAIN, one, two)]
    assert await place.announcer.reconcile(place.number) == 0


async def test_the_same_content_again_moves_nothing(place: Place) -> None:
    one = await place.commit({"a": b"1"})
    assert await place.commit({"a": b"1"}) == one
    assert len(await place.told()) == 1


async def test_a_branch_elsewhere_than_expected_is_left_alone(place: Place) -> None:
    one = await place.commit({"a": b"1"})
    two = await place.commit({"a": b"2"})
    for expected in ("", one):
        with pytest.raises(Conflict) as caught:
            await place.commit({"a": b"3"}, expected=expected)
        assert caught.value.code == "ref-moved"
    assert await place.writes.ref(place.number, MAIN) == two
    assert len(await place.told()) == 2


async def test_without_an_expectation_a_commit_follows_whoever_was_faster(place: Place) -> None:
    await place.commit({"a": b"1"})
    make = place.writes.make
    raced: list[str] = []

    async def slow(number: int, parent: str, *args: object, **kwargs: object) -> str:
        sha: str = await make(number, parent, *args, **kwargs)  # type: ignore[arg-type]
        if not raced:
            raced.append("begun")
            raced.append(await place.commit({"b": b"faster"}))
        return sha

    place.writes.make = slow  # type: ignore[assignment]
    last = await place.commit({"a": b"2"})
    assert [after for _, _, after in await place.told()][1:] == [raced[1], last]


@pytest.mark.parametrize(
    ("message", "quiet"),
    [
        (DELIVERY, True),
        ("Deploy\n\nFairway-Delivery:\n", False),
        ("Say that Fairway-Delivery: x is a trailer", False),
        ("change", False),
    ],
)
async def test_only_the_trailer_makes_a_commit_quiet(
    place: Place, message: str, *, quiet: bool
) -> None:
    sha = await place.commit({"a": message.encode()}, message=message)
    assert await place.quiet(sha) is quiet


async def test_a_commit_is_quiet_before_its_branch_names_it(place: Place) -> None:
    await place.commit({"a": b"1"})
    made: list[str] = []

    async def dies(number: int, name: str, sha: str, *, expected: str) -> None:
        made.append(sha)
        raise Unavailable(f"{number} {name} {expected}", code="crash")

    place.writes.move = dies  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        await place.commit({"a": b"2"}, message=DELIVERY)
    assert await place.quiet(made[0])


async def test_what_lives_elsewhere_or_nowhere_is_not_written(place: Place) -> None:
    with pytest.raises(NotFound):
        await place.writer.commit(9999, "main", {"a": b""}, message="x", author=FAIRWAY)

    def far(db: object) -> None:
        place_it = repository.update().where(repository.c.id == place.number)
        db.execute(place_it.values(remote_url="https://example.org/x.git"))  # type: ignore[attr-defined]

    place.database.write_now(far)
    with pytest.raises(FairwayError) as caught:
        await place.commit({"a": b"1"})
    assert caught.value.code == "not-hosted"
