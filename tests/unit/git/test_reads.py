"""Reading Git: log, tree, blob, diff, within limits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fairway.git.folders import Folders
from fairway.git.reads import CONFIG_BYTES, Reads
from fairway.model.errors import BadFile, InvalidInput, NotFound, TooLarge, Unavailable
from fairway.testing.gitwriter import write_commit


def handles() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


class Place:
    """Repository 1 and its reads."""

    def __init__(self, root: Path) -> None:
        self.folders = Folders(root)
        self.folders.prepare()
        self.path = self.folders.ensure(1, "1", "main")
        self.reads = Reads(self.folders)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path / "git")
    yield made
    made.reads.close()


async def test_a_log_goes_backwards_and_can_follow_a_path(place: Place) -> None:
    shas = [
        write_commit(place.path, {name: str(number)}, message=f"{number}")
        for number, name in enumerate(["a", "b", "a", "b", "a"])
    ]
    found = await place.reads.log(1, "main")
    assert {each.sha for each in found} == set(shas)
    assert [each.title for each in await place.reads.log(1, "main", path="a", limit=2)] == [
        "4",
        "2",
    ]
    assert [each.title for each in await place.reads.log(1, "main", path="b")] == ["3", "1"]
    assert [each.title for each in await place.reads.log(1, "main", path="a", skip=2)] == ["0"]


async def test_a_tree_lists_folders_first(place: Place) -> None:
    write_commit(place.path, {"b": "12", "a/x": "1", "l": "b"}, links=frozenset({"l"}))
    top = await place.reads.tree(1, "main")
    assert [(each.name, each.kind, each.size) for each in top] == [
        ("a", "folder", None),
        ("b", "file", 2),
        ("l", "link", 1),
    ]
    assert [each.path for each in await place.reads.tree(1, "main", "a/")] == ["a/x"]
    with pytest.raises(NotFound):
        await place.reads.tree(1, "main", "b")


@pytest.mark.parametrize("path", ["../etc/passwd", "a/../../b", "./a", "a//b"])
async def test_a_path_stays_in_the_repository(place: Place, path: str) -> None:
    write_commit(place.path, {"a/b": "x"})
    with pytest.raises(InvalidInput):
        await place.reads.blob(1, "main", path)


async def test_a_large_file_is_refused(place: Place) -> None:
    write_commit(place.path, {"a": b"\x00\xff" * 10})
    assert await place.reads.blob(1, "main", "a") == b"\x00\xff" * 10
    with pytest.raises(TooLarge):
        await place.reads.blob(1, "main", "a", limit=19)


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"x" * (CONFIG_BYTES + 1), "config-too-large"), (b"caf\xe9", "config-not-utf-8")],
)
async def test_a_pipeline_file_must_be_readable(place: Place, data: bytes, code: str) -> None:
    sha = write_commit(place.path, {".drone.yml": data})
    with pytest.raises(BadFile) as caught:
        await place.reads.config(1, sha, ".drone.yml")
    assert caught.value.code == code


async def test_a_pipeline_file_is_no_link(place: Place) -> None:
    sha = write_commit(place.path, {".drone.yml": "/etc/passwd"}, links=frozenset({".drone.yml"}))
    with pytest.raises(BadFile) as caught:
        await place.reads.config(1, sha, ".drone.yml")
    assert caught.value.code == "config-no-file"


async def test_a_difference_shows_what_changed(place: Place) -> None:
    lines = "".join(f"line {number}\n" for number in range(20))
    first = write_commit(place.path, {"keep": "1", "old": lines, "gone": "x\n", "bin": b"\x00"})
    second = write_commit(
        place.path,
        {"keep": "1\n2\n", "old": None, "new": lines, "gone": None, "bin": b"\x00\x01"},
    )
    found = {each.path: each for each in (await place.reads.diff(1, first, second)).files}
    assert {path: each.status for path, each in found.items()} == {
        "keep": "changed",
        "new": "renamed",
        "gone": "deleted",
        "bin": "changed",
    }
    assert found["new"].former == "old"
    assert (found["keep"].added, found["keep"].deleted) == (2, 1)
    assert "+2" in found["keep"].patch
    assert found["bin"].binary
    assert not found["bin"].patch
    assert await place.reads.changed(1, first, second) == ["bin", "gone", "keep", "new", "old"]
    everything = await place.reads.diff(1, "", first)
    assert {each.status for each in everything.files} == {"added"}


async def test_a_long_difference_is_cut_and_says_so(place: Place) -> None:
    first = write_commit(place.path, {"a": "x"})
    second = write_commit(place.path, {"long": "y\n" * 100_000})
    (change,) = (await place.reads.diff(1, first, second)).files
    assert change.cut
    assert len(change.patch) == 64 * 1024
    third = write_commit(place.path, {f"f{number}": "z" for number in range(310)})
    many = await place.reads.diff(1, second, third)
    assert many.cut
    assert len(many.files) == 300


async def test_where_two_histories_part(place: Place) -> None:
    first = write_commit(place.path, {"a": "x"})
    (place.path / "refs/heads/side").write_text(first + "\n")
    write_commit(place.path, {"a": "y"})
    write_commit(place.path, {"a": "z"}, branch="side")
    assert await place.reads.merge_base(1, "main", "side") == first


@pytest.mark.parametrize("name", ["main~1", "main^", ":/x", "a..b", "-x", "x\ny", "main@{1}", "/x"])
async def test_only_names_stand_for_commits(place: Place, name: str) -> None:
    write_commit(place.path, {"a": "x"})
    write_commit(place.path, {"a": "y"})
    assert await place.reads.resolve(1, name) is None


async def test_a_repository_that_is_not_there_is_unavailable(place: Place) -> None:
    with pytest.raises(Unavailable) as caught:
        await place.reads.log(99, "main")
    assert caught.value.code == "repository-unreadable"


async def test_reads_leave_no_handles_open(place: Place) -> None:
    before = handles()
    for number in range(2, 60):
        path = place.folders.ensure(number, str(number), "main")
        write_commit(path, {"a": "x"})
        assert await place.reads.resolve(number, "main")
    place.reads.close()
    assert handles() <= before + 1
