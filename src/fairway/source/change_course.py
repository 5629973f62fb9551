"""Change requests as their branches move and their builds end: refs, merges, tests, the merge.

Everything here starts from what is on disk and in the table, and each writing is conditional on
what was read: called again, or after a crash anywhere, it arrives at the same.
"""

from __future__ import annotations

import logging
from typing import Any, Final, Protocol

from fairway.git.writing import BRANCH, Author, Method
from fairway.kit import clock
from fairway.model.change_request import ChangeRequest, ChangeState, Check
from fairway.model.errors import Conflict, FairwayError
from fairway.model.events import BuildFinished, ChangeRequestChanged, Event, RefUpdated
from fairway.model.scope import Scope
from fairway.source import change_rows
from fairway.source.change_rows import State
from fairway.source.merging import Course, Hindrance, Tips, course, hindrance, may_merge
from fairway.source.writing import Objects, Writer
from fairway.store import change_requests as rows
from fairway.store import roles
from fairway.store.database import Database

_FAIRWAY: Final = Author(name="Fairway", email="fairway@localhost")
_TESTED: Final = frozenset({"opened", "updated", "retest", "reopened"})
_TRIES: Final = 10
_log = logging.getLogger(__name__)


class Tests(Protocol):
    """The builds of change requests: the pipeline chapter's answer."""

    async def begin(self, change: ChangeRequest) -> int:
        """Build `change.merge` as a pull request, once however often it is asked.

        Returns the build's number, 0 where no pipeline is for pull requests.
        """
        ...


class Moved(Exception):
    """Somebody else changed the row since it was read: look again."""


class ChangeCourse:
    """Brings change requests on. All methods may be called again at any time."""

    def __init__(self, database: Database, writer: Writer, tests: Tests) -> None:
        self._database = database
        self._writer = writer
        self._tests = tests

    @property
    def objects(self) -> Objects:
        """The folders' objects and refs."""
        return self._writer.objects

    # ---- what the story calls ------------------------------------------------------------------

    async def follow(self, event: Event, _key: str) -> None:
        """A branch moved: look at the change requests that come from it or go to it."""
        if not isinstance(event, RefUpdated) or not event.ref.startswith(BRANCH):
            return
        branch = event.ref.removeprefix(BRANCH)
        found = await self._database.read(rows.open_for, event.repository, branch)
        for change in found:
            await self.bring_on(change.id, actor=event.actor)

    async def test(self, event: Event, _key: str) -> None:
        """A change request has a merge that nobody tested: build it."""
        if not isinstance(event, ChangeRequestChanged) or event.action not in _TESTED:
            return
        change = await self._database.read(rows.find, event.change)
        if change is None or not change_rows.untested(change, event.merge):
            return
        number = await self._tests.begin(change)
        await self._database.write(change_rows.begun, change.id, merge=change.merge, number=number)
        await self.merge_when_green(change.id)

    async def judge(self, event: Event, _key: str) -> None:
        """A build ended: if it was of a change request's merge, that is its result."""
        if not isinstance(event, BuildFinished) or event.event != "pull_request":
            return
        number = change_rows.number_of(event.ref)
        if number is None:
            return
        change = await self._database.read(rows.by_number, event.repository, number)
        if change is None:
            return
        await self._database.write(change_rows.judged, change.id, event=event)
        await self.merge_when_green(change.id)

    # ---- where it stands -----------------------------------------------------------------------

    async def bring_on(self, change_id: int, *, actor: str, retest: bool = False) -> None:
        """Compare an open change request with its branches and do what follows.

        `retest`: also test anew where only the target has moved.
        """
        for _ in range(_TRIES):
            change = await self._database.read(rows.find, change_id)
            if change is None or change.state is not ChangeState.OPEN:
                return
            try:
                await self._bring_on(change, actor=actor, retest=retest)
            except Moved:
                continue
            return
        _log.warning("change request %d is looked at later: it changes all the time", change_id)

    async def _bring_on(self, change: ChangeRequest, *, actor: str, retest: bool) -> None:
        tips = await self.tips(change)
        contained = await self._contained(change, tips)
        step = course(change, tips, contained=contained)
        if step is Course.MOVE and retest:
            step = Course.RETEST
        match step:
            case Course.KEEP:
                return
            case Course.CLOSE:
                gone = change.target if tips.head else change.source
                why = f"the branch {gone} is gone"
                closed = {"state": ChangeState.CLOSED, "closed": clock.now(), "reason": why}
                await self.write(change, "closed", actor, **closed)
            case Course.MERGED:
                await self._settled(change, tips, actor=actor)
            case Course.UPDATE | Course.RETEST | Course.MOVE:
                await self._remerge(change, tips, step=step, actor=actor)

    async def tips(self, change: ChangeRequest) -> Tips:
        """Where its two branches are now."""
        head = await self.objects.ref(change.repository, BRANCH + change.source)
        base = await self.objects.ref(change.repository, BRANCH + change.target)
        return Tips(head, base)

    async def _contained(self, change: ChangeRequest, tips: Tips) -> bool:
        """Whether the target has the change: by its commits, or by the merge that we began."""
        if not tips.head or not tips.base:
            return False
        names = [tips.head, *([change.merging] if change.merging else [])]
        for name in names:
            if await self.objects.contains(change.repository, tips.base, name):
                return True
        return False

    async def _settled(self, change: ChangeRequest, tips: Tips, *, actor: str) -> None:
        """It has arrived in its target: by us, or by somebody's own push."""
        ours = bool(change.merging) and await self.objects.contains(
            change.repository, tips.base, change.merging
        )
        await self.write(
            change, "merged", change.merged_by if ours else actor, state=ChangeState.MERGED,
            merged=change.merging if ours else tips.base, closed=clock.now(), merging="",
            merged_by=change.merged_by if ours else actor,
        )  # fmt: skip

    async def _remerge(
        self, change: ChangeRequest, tips: Tips, *, step: Course, actor: str
    ) -> None:
        made = await self.objects.join(
            change.repository, tips.base, tips.head, method=Method.MERGE,
            message=change_rows.merge_message(change), author=_FAIRWAY,
        )  # fmt: skip
        action = {Course.UPDATE: "updated", Course.RETEST: "retest"}.get(step, "moved")
        if made.conflicts:
            action = "conflicted"
        await self.put_refs(change, tips.head, made.sha)
        fresh = {"check": Check.WAITING, "tested": "", "build": 0}
        values: dict[str, Any] = {
            "head": tips.head, "base": tips.base, "merge": made.sha, "conflicts": made.conflicts,
            "merging": "", "reason": "",
        }  # fmt: skip
        await self.write(change, action, actor, **values, **({} if action == "moved" else fresh))

    async def put_refs(self, change: ChangeRequest, head: str, merge: str) -> None:
        """Make refs/changes/N/head and /merge name these commits ("": no merge)."""
        for name, sha in ((change.head_ref, head), (change.ref, merge)):
            before = await self.objects.ref(change.repository, name)
            if before == sha:
                continue
            try:
                await self.objects.move(change.repository, name, sha, expected=before)
            except Conflict:
                raise Moved from None

    # ---- the merge -----------------------------------------------------------------------------

    async def merge_when_green(self, change_id: int) -> None:
        """Merge a change request that waits for its checks, if nothing is in the way any more."""
        state = await self.state(change_id)
        if state is None or not state.change.when_green:
            return
        change = state.change
        scope = await self._database.read(change_rows.scope_of, change.green_user)
        try:
            await self.merge(change_id, scope, change.green_by, Method(change.when_green))
        except FairwayError as error:
            if error.retriable:
                raise
            _log.info("change request %d waits on: %s", change_id, error)

    async def merge(
        self, change_id: int, scope: Scope, actor: str, method: Method
    ) -> ChangeRequest:
        """Merge now. Raises `Conflict` for what is in the way (see `merging.hindrance`)."""
        for _ in range(_TRIES):
            try:
                return await self._merge(change_id, scope, actor, method)
            except Moved:
                continue
            except Conflict as error:
                if error.code != "ref-moved":
                    raise
                await self.bring_on(change_id, actor=actor, retest=True)
        raise Conflict("its target moves all the time", code="change-request-stale",
                       remedy="try again")  # fmt: skip

    async def _merge(
        self, change_id: int, scope: Scope, actor: str, method: Method
    ) -> ChangeRequest:
        state = await self.state(change_id)
        if state is None:
            raise Conflict("it is gone", code="change-request-closed")
        change, settings = state.change, state.repository.settings
        role = await self._database.read(roles.on_repository, scope, change.repository)
        why = may_merge(settings, role, change.target) if role else "it needs the role writer"
        found = Hindrance("change-request-protected", why) if why else await self._hindrance(state)
        if found is not None:
            await self._hindered(change, found, actor=actor)
            raise Conflict(
                f"change request #{change.number} cannot be merged: {found.why}", code=found.code
            )
        return await self._carry_out(change, actor, method)

    async def _hindrance(self, state: State) -> Hindrance | None:
        change = state.change
        return hindrance(
            change,
            await self.tips(change),
            required=state.repository.settings.required_checks,
            results=state.results,
        )

    async def _hindered(self, change: ChangeRequest, found: Hindrance, *, actor: str) -> None:
        """A stale one is tested anew; one that was to be merged when green says why it is not."""
        if found.code == "change-request-stale":
            await self.bring_on(change.id, actor=actor, retest=True)
            current = await self._database.read(rows.find, change.id)
            if current is not None and change_rows.wants_test(current):
                fresh = {"check": Check.WAITING, "build": 0, "tested": ""}
                await self._try_write(current, "retest", actor, **fresh)
        elif change.when_green and not found.passes and change.state is ChangeState.OPEN:
            said = f"not merged: {found.why}"
            if change.reason != said:
                await self._try_write(change, "tested", actor, reason=said)

    async def _carry_out(self, change: ChangeRequest, actor: str, method: Method) -> ChangeRequest:
        author = await self._database.read(change_rows.author, change, actor)
        message = (
            change_rows.merge_message(change)
            if method is Method.MERGE
            else change_rows.squash_message(change)
        )
        made = await self.objects.join(
            change.repository, change.base, change.head, method=method, message=message,
            author=author,
        )  # fmt: skip
        await self.write(change, "merging", actor, merging=made.sha, merged_by=actor)
        target = BRANCH + change.target
        await self._writer.move(
            change.repository, target, made.sha, expected=change.base, actor=actor
        )
        await self.bring_on(change.id, actor=actor)  # as whoever hears of the push does, or did
        done = await self._database.read(rows.find, change.id)
        if done is None or done.state is not ChangeState.MERGED:
            raise Moved
        return done

    # ---- rows ----------------------------------------------------------------------------------

    async def state(self, change_id: int) -> State | None:
        """A change request with what decides over it."""
        return await self._database.read(change_rows.state, change_id)

    async def write(
        self, change: ChangeRequest, action: str, actor: str, **values: Any
    ) -> ChangeRequest:
        """Write and tell. Raises `Moved` when somebody else was faster."""
        done = await self._database.write(
            change_rows.put, change, action=action, actor=actor, values=values
        )
        if done is None:
            raise Moved
        return done

    async def _try_write(
        self, change: ChangeRequest, action: str, actor: str, **values: Any
    ) -> None:
        try:
            await self.write(change, action, actor, **values)
        except Moved:
            _log.debug("change request %d changed meanwhile", change.id)
