"""Change requests of a voyage: who opens them, the CI that tests and builds for them, and what must
be true of them. It looks at Git and at builds itself.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Iterator
from typing import Any, Final

from fairway.git.writing import BRANCH, Method
from fairway.model.change_request import ChangeRequest, ChangeState, Check
from fairway.model.events import CandidateMade
from fairway.model.release import TRAILER
from fairway.source.change_requests import Wanted
from fairway.store import change_requests as rows
from fairway.store import outbox
from fairway.testing.voyage.release_world import MAIN, ReleaseProcess, ReleaseWorld
from fairway.testing.voyage.shop import AUTHOR

RED: Final = "red.txt"  # a tree that has it does not pass
_ALL: Final = 100_000
_CONFLICTS: Final = 0.2
_REDS: Final = 0.4
Files = dict[str, str]


class Changes:
    """One voyage's."""

    def __init__(self, world: ReleaseWorld, source: random.Random) -> None:
        self._world, self._random = world, source
        self._count = 0
        self._known: set[str] = set()  # commits of main that others build, or that are built
        self._passed: list[Files] = []  # trees that a change request's build found good

    # ---- what people do --------------------------------------------------------------------------

    def pushed(self, sha: str) -> None:
        """Somebody pushed to main and has it built."""
        self._known.add(sha)

    async def open(self, service: str) -> None:
        """A branch with a change, and the wish that it be merged when it is green.

        Raises `FairwayError`.
        """
        self._count += 1
        slug, branch = f"acme/{service}", f"change-{self._count}"
        files = {f"notes/{self._count}.txt": str(self._count)}
        if self._random.random() < _CONFLICTS:
            files["number.txt"] = f"of the change {self._count}"
        await self._push(slug, branch, files)
        method = self._random.choice(list(Method))
        wanted = Wanted(source=branch, title=f"feat: change {self._count}")
        made = await self._ask("open", slug, wanted)
        await self._ask("merge", slug, made.change.number, method=method, when_green=True)

    async def push_again(self, service: str) -> None:
        """The same branch again: another head, which is red now and then, or green again."""
        found = self._some_open(service)
        if found is None:
            return
        red = self._random.random() < _REDS
        files = {f"more-{self._count}.txt": "more", RED: "red" if red else ""}
        self._count += 1
        await self._push(f"acme/{service}", found.source, files)

    async def close(self, service: str) -> None:
        """Somebody thinks better of it."""
        found = self._some_open(service)
        if found is not None:
            await self._ask("close", f"acme/{service}", found.number)

    def _some_open(self, service: str) -> ChangeRequest | None:
        found = [one for one in self._of(service) if one.state is ChangeState.OPEN]
        return self._random.choice(found) if found else None

    async def _push(self, slug: str, branch: str, files: Files) -> None:
        world, process = self._world, self._process()
        number = world.numbers[slug]
        parent = world.code.folders.refs(number).get(BRANCH + branch) or world.head(slug)
        sha = world.code.write(number, files, message=f"feat: {branch}", parent=parent)
        world.note(f"push {slug} {branch} {sha[:7]} {sorted(files)}")
        moves = {BRANCH + branch: sha}
        await process.ask(lambda: world.code.push(process.announcer, number, moves, actor=AUTHOR))

    async def _ask(self, what: str, slug: str, *words: Any, **more: Any) -> Any:
        """A request to the process with the role git."""
        process, who = self._process(), self._world.people[AUTHOR]
        self._world.note(f"change request of {slug}: {what} {words[0]}")
        made = await process.ask(
            lambda: getattr(process.app.changes, what)(who, slug, *words, **more)
        )
        self._world.note(f"change request of {slug}: {what} was accepted")
        return made

    def _process(self) -> ReleaseProcess:
        found = self._world.processes[0]
        assert isinstance(found, ReleaseProcess), "this world has no others"
        return found

    # ---- the CI ----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run the builds that Fairway asks for, and build what it merges. Until cancelled."""
        while True:
            await asyncio.sleep(self._random.uniform(0.3, 2.0))
            for service, run in self._world.builder.pending():
                await self._test(service, run)
            for service in self._world.shape.services:
                await self._build(service)

    async def _test(self, service: str, run: Any) -> None:
        files = self._files(service, run.sha)
        good = not files.get(RED)
        if good:
            self._passed.append(files)
        await self._world.builder.end(service, run, good=good)
        self._world.note(f"{service} {run.ref}: {'passed' if good else 'failed'} {run.sha[:7]}")

    async def _build(self, service: str) -> None:
        """What was merged into main since; Fairway's own commits begin no pipeline."""
        line = self._line(service)
        new = list(itertools.takewhile(lambda sha: sha not in self._known, line))
        self._known.update(new)
        sha = next((sha for sha in new if TRAILER not in self._message(service, sha)), "")
        if not sha:
            return
        made = await self._world.builder.build(service, sha, good=True, fault="", where="")
        self._world.note(f"build of {service} {made.digest[7:19]} of what was merged {sha[:7]}")

    # ---- what must be true -----------------------------------------------------------------------

    def open_ends(self) -> Iterator[str]:
        """What is still to come of change requests."""
        for service in self._world.shape.services:
            for one in self._of(service):
                if one.state is ChangeState.OPEN and one.when_green and _goes_on(one):
                    yield f"{service} #{one.number} is {one.check} and open: {one.reason}"

    def wrong(self) -> Iterator[str]:
        """Merged exactly once, as it was tested; and no build of one made a candidate."""
        for service in self._world.shape.services:
            line = self._line(service)
            titles = [(sha, self._message(service, sha).partition("\n")[0]) for sha in line]
            for one in self._of(service):
                mine = [sha for sha, title in titles if _is_of(one, title)]
                if len(mine) != (one.state is ChangeState.MERGED):
                    yield f"{service} #{one.number} is {one.state}, and {len(mine)} times in main"
                for sha in mine:
                    if self._files(service, sha) not in self._passed:
                        yield f"{service} #{one.number} was merged as what nobody tested: {sha[:7]}"
        for _, _, event in self._world.database.read_now(outbox.since, 0, limit=_ALL):
            if isinstance(event, CandidateMade) and event.digest in self._world.builder.tried:
                yield f"{event.digest[7:19]} of a change request has become a candidate"

    def _of(self, service: str) -> list[ChangeRequest]:
        number = self._world.numbers[f"acme/{service}"]
        return self._world.database.read_now(rows.listing, number, limit=_ALL)

    def _files(self, service: str, sha: str) -> Files:
        return self._world.code.files(self._world.numbers[f"acme/{service}"], sha) or {}

    def _message(self, service: str, sha: str) -> str:
        return self._world.code.message(self._world.numbers[f"acme/{service}"], sha)

    def _line(self, service: str) -> list[str]:
        """Main's commits by first parents."""
        number = self._world.numbers[f"acme/{service}"]
        sha, found = self._world.code.folders.refs(number).get(MAIN, ""), []
        while sha:
            found.append(sha)
            sha = next(iter(self._world.code.parents(number, sha)), "")
        return found


def _goes_on(one: ChangeRequest) -> bool:
    """Whether it has not come to its end: it is being tested, or green and in nobody's way."""
    return not one.conflicts and (not one.check.settled or one.check is Check.PASSED)


def _is_of(one: ChangeRequest, title: str) -> bool:
    return title.startswith(f"Merge change request #{one.number}:") or title.endswith(
        f"(#{one.number})"
    )
