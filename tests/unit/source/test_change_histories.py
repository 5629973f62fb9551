"""Random histories of change requests: whatever comes in whatever order, what must hold holds."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import shutil
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairway.git.writing import Method
from fairway.model.change_request import ChangeState, Check
from fairway.model.errors import FairwayError, Unavailable
from fairway.model.events import ChangeRequestChanged, RefUpdated
from fairway.store.database import Database, sqlite_url
from fairway.testing.changeplace import SLUG, ChangePlace

_WORDS: Final = (
    "push feature", "push main", "clash", "deliver", "passed", "failed", "merge", "squash",
    "when green", "close", "reopen", "crash at merge", "delete", "push back",
)  # fmt: skip


class History:
    """One repository; every operation may fail, none may break what must hold."""

    def __init__(self, place: ChangePlace) -> None:
        self.place = place
        self.count = itertools.count(2)
        self.green: set[str] = set()  # merges whose last build passed
        self.ours: set[str] = set()  # merges that were carried out
        self.lost = ""  # where the deleted branch was

    async def do(self, word: str) -> None:
        with contextlib.suppress(FairwayError):
            await getattr(self, "_" + word.replace(" ", "_"))()
        told = [e for e in await self.place.events() if isinstance(e, ChangeRequestChanged)]
        ours = {event.merge for event in told if event.action == "merging"}
        assert ours - self.ours <= self.green, "what comes in was green as exactly that"
        self.ours = ours

    async def _push_feature(self) -> None:
        if await self.place.tip("feature"):
            await self.place.push("feature", {"a": str(next(self.count)).encode()})

    async def _push_main(self) -> None:
        await self.place.push("main", {"b": str(next(self.count)).encode()})

    async def _clash(self) -> None:
        await self.place.push("main", {"a": str(next(self.count)).encode()})

    async def _deliver(self) -> None:
        await self.place.settle()

    async def _passed(self) -> None:
        await self._end("passed")

    async def _failed(self) -> None:
        await self._end("failed")

    async def _end(self, status: str) -> None:
        if self.place.tests.begun:
            merge = self.place.tests.begun[-1].merge
            (self.green.add if status == "passed" else self.green.discard)(merge)
            await self.place.tests.end(self.place.course, status)

    async def _merge(self) -> None:
        await self.place.merge()

    async def _squash(self) -> None:
        await self.place.merge(Method.SQUASH)

    async def _when_green(self) -> None:
        await self.place.merge(green=True)

    async def _close(self) -> None:
        await self.place.changes.close(self.place.who, SLUG, 1)

    async def _reopen(self) -> None:
        await self.place.changes.reopen(self.place.who, SLUG, 1)

    async def _delete(self) -> None:
        self.lost = await self.place.tip("feature") or self.lost
        if await self.place.tip("feature"):
            await self.place.writer.move(
                self.place.number, "refs/heads/feature", "", expected=self.lost, actor="wim"
            )

    async def _push_back(self) -> None:
        if self.lost and not await self.place.tip("feature"):
            await self.place.writer.move(
                self.place.number, "refs/heads/feature", self.lost, expected="", actor="wim"
            )

    async def _crash_at_merge(self) -> None:
        """The target has moved, and nothing more is written."""
        move = self.place.writer.move

        async def dies(number: int, ref: str, sha: str, *, expected: str, actor: str) -> None:
            await move(number, ref, sha, expected=expected, actor=actor)
            raise Unavailable("power went", code="crash")

        self.place.writer.move = dies  # type: ignore[method-assign]
        try:
            await self.place.merge()
        finally:
            self.place.writer.move = move  # type: ignore[method-assign]

    async def check(self) -> None:
        """What holds at rest."""
        await self.place.settle()
        change = await self.place.now()
        tips = await self.place.course.tips(change)
        if change.state is ChangeState.OPEN:
            assert tips.head, "an open one has its branch"
            assert (change.head, change.base) == (tips.head, tips.base)
            assert bool(change.merge) != bool(change.conflicts)
            assert await self.place.writes.ref(self.place.number, change.ref) == change.merge
            if change.check is Check.PASSED and change.tested == change.merge:
                assert change.merge in self.green
        told = [e for e in await self.place.events() if isinstance(e, ChangeRequestChanged)]
        assert len([e for e in told if e.action == "merged"]) <= 1
        assert len({(e.change, e.action == "opened") for e in told}) == 2
        await self._in_order()

    async def _in_order(self) -> None:
        """Every move of the target was told, from where it was to where it is."""
        moved = [e for e in await self.place.events() if isinstance(e, RefUpdated)]
        mine = [e for e in moved if e.ref == "refs/heads/main"]
        assert [e.before for e in mine[1:]] == [e.after for e in mine[:-1]]


@pytest.fixture(scope="module")
def copies(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("histories")
    shutil.copyfile(sqlite_template, folder / "template.db")
    return folder


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(words=st.lists(st.sampled_from(_WORDS), max_size=14))
def test_whatever_happens_only_what_was_green_comes_in(copies: Path, words: list[str]) -> None:
    path = copies / "one.db"
    shutil.copyfile(copies / "template.db", path)
    database = Database(sqlite_url(path), durable=False)

    async def run() -> None:
        history = History(await ChangePlace(database, None).begin())
        await history.place.open()
        await history.place.settle()
        for word in words:
            await history.do(word)
        await history.check()

    try:
        asyncio.run(run())
    finally:
        database.close()
