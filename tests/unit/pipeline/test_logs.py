"""Logs: appended once whatever is repeated, indexed, followed, searched, cut and removed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fairway.blob.folder import Folder
from fairway.model.errors import Conflict, NotFound
from fairway.model.status import Status
from fairway.pipeline.logs import Logs, key_of
from fairway.store import logs as rows

FILE = """
kind: pipeline
type: docker
name: default
steps:
- {name: test, image: busybox, commands: ["true"]}
"""


@pytest.fixture
async def step(chapter: Any) -> int:
    """The id of a step that has a lease."""
    await chapter.push(FILE)
    chapter.leased = await chapter.lease()
    found: int = (await chapter.steps(1))[0].id
    return found


async def text(logs: Logs, step: int, **how: Any) -> bytes:
    return b"".join([chunk async for chunk in logs.read(step, 1, **how)])


async def test_appends_may_overlap_but_leave_no_hole(chapter: Any, step: int) -> None:
    lease, append = chapter.leased, chapter.dispatch.append
    ends = [
        await append(
            lease.stage, lease.token, 1, attempt=1, offset=at, raw=at + len(data), data=data
        )
        for at, data in ((0, b"one\n"), (0, b"one\n"), (2, b"e\ntwo"), (7, b""))
    ]
    assert ends == [4, 4, 7, 7]
    with pytest.raises(Conflict) as gap:
        await append(lease.stage, lease.token, 1, attempt=1, offset=9, raw=9, data=b"x")
    assert gap.value.code == "log-gap"
    assert await text(chapter.logs, step) == b"one\ntwo"
    row = await chapter.logs.about(step)
    assert (row.size, row.raw, row.lines) == (7, 7, 1)


async def test_after_a_crash_between_blob_and_row_the_row_decides(
    chapter: Any, step: int, tmp_path: Any
) -> None:
    await chapter.logs.append(step, 1, offset=0, raw=4, data=b"one\n")
    blobs = Folder(tmp_path / "blobs")
    await blobs.append(key_of(step, 1), 4, b"torn by the crash")
    restarted = Logs(chapter.database, blobs)
    assert await text(restarted, step) == b"one\n"
    await restarted.append(step, 1, offset=4, raw=8, data=b"two\n")
    assert await text(restarted, step) == b"one\ntwo\n"


async def test_lines_are_found_by_the_index(chapter: Any, step: int) -> None:
    every = [f"line {number}\n".encode() for number in range(3000)]
    whole = b"".join(every)
    at = 0
    while at < len(whole):
        piece = whole[at : at + 1777]
        await chapter.logs.append(step, 1, offset=at, raw=at + len(piece), data=piece)
        at += len(piece)
    for first, count in ((0, 1), (255, 3), (256, 1), (511, 2), (2998, 5), (3000, 2)):
        found = [part async for part in chapter.logs.lines(step, 1, first=first, count=count)]
        assert b"".join(found) == b"".join(every[first : first + count]), first


async def test_a_follower_sees_every_byte_as_it_comes_and_ends_with_the_log(
    chapter: Any, step: int
) -> None:
    pieces: list[tuple[int, bytes]] = []

    async def follow(start: int) -> None:
        async for piece in chapter.logs.follow(step, 1, start=start):
            pieces.append((piece.offset, piece.data))  # noqa: PERF401 seen while it goes on

    async with asyncio.TaskGroup() as group:
        group.create_task(follow(0))
        for at, data in ((0, b"one\n"), (4, b"two\n")):
            await chapter.logs.append(step, 1, offset=at, raw=at + 4, data=data)
        await chapter.logs.end(step, 1)
    assert b"".join(data for _, data in pieces) == b"one\ntwo\n"
    pieces.clear()
    await follow(5)
    assert pieces == [(5, b"wo\n")]


async def test_a_follower_of_a_step_that_never_had_a_log_ends_with_the_step(
    chapter: Any, step: int
) -> None:
    await chapter.finish(chapter.leased, Status.PASSED)
    assert [piece async for piece in chapter.logs.follow(step, 1)] == []


async def test_a_search_finds_lines_across_chunks(chapter: Any, step: int) -> None:
    data = b"a" * 70_000 + b"\nthe Needle\n" + b"b" * (1 << 20) + b"\nneedle again"
    await chapter.logs.append(step, 1, offset=0, raw=1, data=data)
    found = await chapter.logs.search(step, 1, "needle")
    assert [(match.line, match.text) for match in found] == [
        (1, "the Needle"),
        (3, "needle again"),
    ]
    assert data[found[1].offset :] == b"needle again"
    exact = await chapter.logs.search(step, 1, "Needle", exact_case=True)
    assert [match.line for match in exact] == [1]
    assert len(await chapter.logs.search(step, 1, "needle", limit=1)) == 1


async def test_a_log_past_its_limit_is_cut_with_a_visible_marker(
    chapter: Any, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fairway.pipeline.logs.SLACK", 0)
    chapter.logs._limit = 10
    end = await chapter.logs.append(step, 1, offset=0, raw=16, data=b"0123456789abcdef")
    assert end >= 16
    assert await chapter.logs.append(step, 1, offset=end, raw=20, data=b"more") == end + 4
    kept = await text(chapter.logs, step)
    assert kept.startswith(b"0123456789\n[fairway] the log reached its limit")
    assert (await chapter.logs.about(step)).truncated


async def test_a_log_that_its_runner_cut_says_so_and_takes_the_tail(
    chapter: Any, step: int
) -> None:
    chapter.logs._limit = 10
    head = b"0123456789\n[a marker]\n"
    end = await chapter.logs.append(step, 1, offset=0, raw=16, data=head)
    assert (await chapter.logs.about(step)).truncated
    await chapter.logs.append(step, 1, offset=end, raw=99, data=b"the tail\n")
    assert await text(chapter.logs, step) == head + b"the tail\n"


async def test_a_removed_log_leaves_a_note(chapter: Any, step: int) -> None:
    await chapter.logs.append(step, 1, offset=0, raw=4, data=b"one\n")
    await chapter.logs.end(step, 1)
    kept = await chapter.database.read(rows.kept)
    await chapter.logs.remove(kept[0][0])
    with pytest.raises(NotFound) as removed:
        await chapter.logs.about(step)
    assert removed.value.code == "log-removed"
    assert await chapter.database.read(rows.kept) == []


async def test_a_stages_end_ends_its_logs(chapter: Any, step: int) -> None:
    await chapter.logs.append(step, 1, offset=0, raw=4, data=b"one\n")
    await chapter.finish(chapter.leased, Status.FAILED)
    assert (await chapter.logs.about(step)).done
