"""Writing Git: commits without a working copy, merges, refs by compare-and-swap."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pygit2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairway.git.folders import Folders
from fairway.git.reads import Reads
from fairway.git.writing import Author, Method, Writes
from fairway.model.errors import Conflict, FairwayError, InvalidInput, NotFound, Unavailable
from fairway.testing.gitwriter import write_commit

ADA = Author(name="Ada <x>", email="ada@example.org")
MAIN = "refs/heads/main"


class Place:
    """Repository 1, writes and reads."""

    def __init__(self, root: Path) -> None:
        self.folders = Folders(root)
        self.folders.prepare()
        self.path = self.folders.ensure(1, "1", "main")
        self.writes = Writes(self.folders)
        self.reads = Reads(self.folders)

    async def make(
        self, parent: str, files: Mapping[str, bytes | None] | None = None, **more: bytes | None
    ) -> str:
        given = {**(files or {}), **more}
        return await self.writes.make(1, parent, given, message="change", author=ADA)

    async def join(self, target: str, source: str, method: Method = Method.MERGE) -> list[str]:
        made = await self.writes.join(1, target, source, method=method, message="merge", author=ADA)
        return [made.sha, *made.conflicts]

    async def files(self, rev: str) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        todo = [""]
        while todo:
            for entry in await self.reads.tree(1, rev, todo.pop()):
                if entry.kind == "folder":
                    todo.append(entry.path)
                else:
                    found[entry.path] = await self.reads.blob(1, rev, entry.path)
        return found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "git")


async def test_a_commit_changes_adds_and_deletes_files_and_keeps_the_rest(place: Place) -> None:
    first = await place.make("", {"a": b"1", "deep/er/b": b"2", "deep/c": b"3"})
    second = await place.make(first, {"a": b"9", "deep/er/b": None, "new/x": b"4"})
    assert await place.files(second) == {"a": b"9", "deep/c": b"3", "new/x": b"4"}
    facts = await place.reads.commit(1, second)
    assert (facts.parents, facts.author_name, facts.committer_name) == ([first], "Ada x", "Fairway")
    assert facts.message == "change"


async def test_what_changes_nothing_makes_no_commit(place: Place) -> None:
    first = await place.make("", a=b"1")
    assert await place.make(first, a=b"1", missing=None) == first


async def test_a_file_keeps_its_mode(place: Place) -> None:
    sha = write_commit(place.path, {"run": "old"})
    repo = pygit2.Repository(str(place.path))
    builder = repo.TreeBuilder(repo[sha].peel(pygit2.Commit).tree)
    builder.insert("run", repo.create_blob(b"old"), pygit2.enums.FileMode.BLOB_EXECUTABLE)
    who = pygit2.Signature("A", "a@example.org", 1, 0)
    base = str(repo.create_commit(None, who, who, "x", builder.write(), []))
    made = await place.make(base, run=b"new")
    (entry,) = await place.reads.tree(1, made)
    assert entry.executable
    repo.free()


@pytest.mark.parametrize(
    "path", ["", "/a", "a/", "a//b", "../a", "a/./b", ".git/config", "a/.GIT/b", "a\0b"]
)
async def test_a_path_that_leads_elsewhere_is_refused(place: Place, path: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await place.make("", {path: b"1"})
    assert caught.value.code == "bad-path"


async def test_a_file_cannot_be_a_folder_at_once(place: Place) -> None:
    with pytest.raises(InvalidInput):
        await place.make("", {"a": b"1", "a/b": b"2"})
    first = await place.make("", a=b"1")
    assert await place.files(await place.make(first, {"a/b": b"2"})) == {"a/b": b"2"}


async def test_a_commit_on_nothing_known_is_refused(place: Place) -> None:
    for parent in ("f" * 40, "main", "abc"):
        with pytest.raises(NotFound):
            await place.make(parent, a=b"1")


async def test_a_merge_has_both_parents_and_a_squash_one(place: Place) -> None:
    base = await place.make("", a=b"1", b=b"1")
    ours, theirs = await place.make(base, a=b"2"), await place.make(base, b=b"2")
    merged = (await place.join(ours, theirs))[0]
    squashed = (await place.join(ours, theirs, Method.SQUASH))[0]
    assert (await place.reads.commit(1, merged)).parents == [ours, theirs]
    assert (await place.reads.commit(1, squashed)).parents == [ours]
    for sha in (merged, squashed):
        assert await place.files(sha) == {"a": b"2", "b": b"2"}


async def test_a_conflict_is_told_by_path(place: Place) -> None:
    base = await place.make("", a=b"1", b=b"1", c=b"1")
    ours = await place.make(base, a=b"2", b=b"2", c=b"3")
    theirs = await place.make(base, a=b"3", b=None, c=b"3")
    assert await place.join(ours, theirs) == ["", "a", "b"]


async def test_a_ref_moves_only_from_where_it_was_seen(place: Place) -> None:
    one, two = await place.make("", a=b"1"), await place.make("", a=b"2")
    await place.writes.move(1, MAIN, one, expected="")
    for expected in ("", two):
        with pytest.raises(Conflict) as caught:
            await place.writes.move(1, MAIN, two, expected=expected)
        assert caught.value.code == "ref-moved"
    assert await place.writes.ref(1, MAIN) == one
    await place.writes.move(1, MAIN, two, expected=one)
    assert place.folders.refs(1) == {MAIN: two}
    await place.writes.move(1, MAIN, "", expected=two)
    assert (await place.writes.ref(1, MAIN), place.folders.refs(1)) == ("", {})


async def test_of_many_who_move_a_ref_at_once_one_succeeds(place: Place) -> None:
    base = await place.make("", a=b"0")
    await place.writes.move(1, MAIN, base, expected="")
    shas = [await place.make(base, a=str(number).encode()) for number in range(1, 9)]

    async def move(sha: str) -> bool:
        try:
            await place.writes.move(1, MAIN, sha, expected=base)
        except Conflict:
            return False
        return True

    won = [sha for sha, did in zip(shas, await _all(move, shas), strict=True) if did]
    assert won == [await place.writes.ref(1, MAIN)]


async def _all(call: object, values: list[str]) -> list[bool]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(call(value)) for value in values]  # type: ignore[operator]
    return [task.result() for task in tasks]


async def test_a_ref_that_git_holds_is_said_to_be_busy(place: Place) -> None:
    one = await place.make("", a=b"1")
    await place.writes.move(1, MAIN, one, expected="")
    lock = place.path / f"{MAIN}.lock"
    lock.touch()
    two = await place.make(one, a=b"2")
    with pytest.raises(Unavailable) as caught:
        await place.writes.move(1, MAIN, two, expected=one)
    assert caught.value.code == "ref-locked"
    lock.unlink()
    await place.writes.move(1, MAIN, two, expected=one)


@pytest.mark.parametrize("name", ["main", "refs/heads/a..b", "refs/heads/a.lock", "refs/heads/"])
async def test_a_bad_ref_is_refused(place: Place, name: str) -> None:
    with pytest.raises(FairwayError) as caught:
        await place.writes.move(1, name, "", expected="")
    assert caught.value.code == "bad-ref"


async def test_a_repository_that_is_not_there_is_unavailable(place: Place) -> None:
    with pytest.raises(Unavailable):
        await place.writes.make(2, "", {"a": b"1"}, message="x", author=ADA)


_PATHS = st.sampled_from(["a", "b", "d/a", "d/b", "d/e/f", "g/h"])


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.dictionaries(_PATHS, st.one_of(st.none(), st.binary(max_size=3)))))
def test_any_chain_of_commits_ends_with_the_files_that_were_written(
    tmp_path_factory: pytest.TempPathFactory, steps: list[dict[str, bytes | None]]
) -> None:
    place = Place(tmp_path_factory.mktemp("git"))

    async def run() -> None:
        sha, want = await place.make("", z=b"0"), {"z": b"0"}
        for step in steps:
            sha = await place.make(sha, step)
            want |= {name: data for name, data in step.items() if data is not None}
            want = {name: data for name, data in want.items() if step.get(name, b"") is not None}
        assert await place.files(sha) == want

    asyncio.run(run())
    place.reads.close()
