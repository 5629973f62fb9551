"""Change requests as people make and decide them: opened, merged, closed, by the API or a push."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection

from fairway.access.authorise import Action, require
from fairway.access.identity import Identity
from fairway.access.scope import scope_of
from fairway.git.writing import BRANCH, Author, Method
from fairway.kit import clock
from fairway.model.change_request import ChangeRequest, ChangeState, Check
from fairway.model.errors import Conflict, FairwayError, InvalidInput, NotFound
from fairway.model.repository import Repository
from fairway.source.change_course import ChangeCourse, Moved
from fairway.source.change_rows import merge_message, need_only, tell
from fairway.source.merging import STATE_CODES
from fairway.source.writing import Writer
from fairway.store import change_requests as rows
from fairway.store import refs
from fairway.store.database import Database

OPTION: Final = "change-request"
_OPTIONS: Final = ("title", "target", "description")
_LONGEST_TITLE: Final = 300
_LONGEST_TEXT: Final = 50_000
_FAIRWAY: Final = Author(name="Fairway", email="fairway@localhost")
_STATES: Final = {"all": (), **{str(each): (str(each),) for each in ChangeState}}


class Wanted(Struct, frozen=True, kw_only=True):
    """A change request to be. `target` "" is the default branch; `title` "" the last commit's."""

    source: str
    target: str = ""
    title: str = ""
    description: str = ""


class Shown(Struct, frozen=True, kw_only=True):
    """A change request with its repository and its checks: the pipelines of its last build."""

    repository: Repository
    change: ChangeRequest
    checks: dict[str, str]


class ChangeRequests:
    """Change requests of our own repositories. Every method authorises who asks."""

    def __init__(
        self, database: Database, writer: Writer, course: ChangeCourse, *, url: str = ""
    ) -> None:
        """`url` is ours from outside."""
        self._database = database
        self._writer = writer
        self.course = course
        self._url = url.rstrip("/")

    async def open(self, who: Identity, slug: str, wanted: Wanted) -> Shown:
        """Open one. An open one between the same branches is answered as it is.

        Raises `NotFound` for a branch (`no-branch`), `InvalidInput`, `Conflict` where there is
        nothing to merge (`change-request-empty`).
        """
        found = await self._allowed(who, Action.WRITE_REPOSITORY, slug)
        target = wanted.target or found.default_branch
        check_branches(wanted.source, target)
        number = found.id
        known = await self._database.read(rows.open_between, number, wanted.source, target)
        if known is not None:
            await self.course.bring_on(known.id, actor=who.login)
            return await self.shown(who, slug, known.number)
        head, base = [await self._branch(found, name) for name in (wanted.source, target)]
        if await self._writer.objects.contains(number, base, head):
            raise Conflict(
                f"{target} has all of {wanted.source} already",
                code="change-request-empty",
                remedy=f"commit something on {wanted.source} and push it",
            )
        values = {
            "source": wanted.source,
            "target": target,
            "title": await self._title(found, wanted, head),
            "description": _checked(wanted.description, "description", _LONGEST_TEXT),
            "author": who.login,
        }
        made = await self._database.write(_create, number, values)
        await self._begin(made, head, base, actor=who.login, action="opened")
        return await self.shown(who, slug, made.number)

    async def _begin(
        self, change: ChangeRequest, head: str, base: str, *, actor: str, action: str
    ) -> None:
        """Its first merge. What moved meanwhile is for `bring_on`."""
        made = await self._writer.objects.join(
            change.repository, base, head, method=Method.MERGE, message=merge_message(change),
            author=_FAIRWAY,
        )  # fmt: skip
        try:
            await self.course.put_refs(change, head, made.sha)
            await self.course.write(
                change, action, actor, state=ChangeState.OPEN, head=head, base=base,
                merge=made.sha, conflicts=made.conflicts, check=Check.WAITING, tested="", build=0,
                closed=None, reason="",
            )  # fmt: skip
        except Moved:
            await self.course.bring_on(change.id, actor=actor)

    async def merge(
        self, who: Identity, slug: str, number: int, *, method: Method, when_green: bool
    ) -> Shown:
        """Merge it, or with `when_green` as soon as its checks have passed.

        Raises `Conflict` with what is in the way: codes `change-request-conflicts`, `-stale`
        (it is being tested anew), `-pending`, `-not-green`, `-protected`, `-merged`, `-closed`.
        """
        change = await self._one(who, Action.WRITE_REPOSITORY, slug, number)
        scope = scope_of(who)
        try:
            await self.course.merge(change.id, scope, who.login, method)
        except Conflict as error:
            waits = error.code in {"change-request-stale", "change-request-pending"}
            if not (when_green and waits):
                raise
            await self._queue(change.id, who, method)
            await self.course.merge_when_green(change.id)  # it may have become green just now
        return await self.shown(who, slug, number)

    async def _queue(self, change_id: int, who: Identity, method: Method) -> None:
        def work(db: Connection) -> None:
            change = rows.locked(db, change_id)
            if change is None or change.state is not ChangeState.OPEN:
                return
            done = rows.change(
                db, change, when_green=method, green_by=who.login, green_user=who.user_id
            )
            if done is not None:
                tell(db, done, "queued", who.login)

        await self._database.write(work)

    async def close(self, who: Identity, slug: str, number: int, *, reason: str = "") -> Shown:
        """Close it without merging. Raises `Conflict` for one that is not open."""
        change = await self._one(who, Action.WRITE_REPOSITORY, slug, number)
        _need(change, ChangeState.OPEN)
        said = _checked(reason, "reason", _LONGEST_TITLE) or f"closed by {who.login}"
        await self._set(
            change, "closed", who, state=ChangeState.CLOSED, closed=clock.now(), reason=said,
            when_green="", green_by="", green_user=None,
        )  # fmt: skip
        return await self.shown(who, slug, number)

    async def reopen(self, who: Identity, slug: str, number: int) -> Shown:
        """Open a closed one again, on its branches as they are now.

        Raises `Conflict` when it is not closed, or another is open between its branches.
        """
        change = await self._one(who, Action.WRITE_REPOSITORY, slug, number)
        _need(change, ChangeState.CLOSED)
        found = await self._allowed(who, Action.WRITE_REPOSITORY, slug)
        await self._database.read(need_only, change)
        head, base = [await self._branch(found, name) for name in (change.source, change.target)]
        await self._begin(change, head, base, actor=who.login, action="reopened")
        return await self.shown(who, slug, number)

    async def _set(
        self, change: ChangeRequest, action: str, who: Identity, **values: object
    ) -> None:
        try:
            await self.course.write(change, action, who.login, **values)
        except Moved:
            raise Conflict(
                f"change request #{change.number} has been changed meanwhile",
                code="change-request-changed",
                remedy="look at it and do it again",
            ) from None

    # ---- looking -------------------------------------------------------------------------------

    async def shown(self, who: Identity, slug: str, number: int) -> Shown:
        """One with its checks. Raises `NotFound` (`no-change-request`)."""
        return await self._database.read(_shown, who, slug, number)

    async def listing(
        self, who: Identity, slug: str, *, state: str, before: int | None, limit: int
    ) -> list[Shown]:
        """Those in a state (open, merged, closed, all), newest first."""
        if state not in _STATES:
            raise InvalidInput(
                f"{state[:40]!r} is no state of change requests",
                code="bad-state",
                where="query.status",
                remedy="one of: " + ", ".join(sorted(_STATES)),
            )
        return await self._database.read(
            _listing, who, slug, states=_STATES[state], before=before, limit=limit
        )

    def link(self, slug: str, number: int) -> str:
        """Where it can be seen."""
        return f"{self._url}/api/v1/repos/{slug}/changes/{number}"

    # ---- a push --------------------------------------------------------------------------------

    async def pushed(
        self, who: Identity, slug: str, branches: Sequence[str], options: Sequence[str]
    ) -> list[str]:
        """What `git push -o change-request` is answered: lines for the person. Never raises a
        `FairwayError`: the push itself has succeeded.
        """
        asked = [each for each in options if each.partition("=")[0] == OPTION]
        if not asked:
            return []
        lines = []
        try:
            wanted = options_of(options)
            if not branches:
                raise InvalidInput("no branch was pushed", code="push-without-branch")
            for branch in branches:
                lines += await self._pushed(who, slug, branch, wanted)
        except FairwayError as error:
            lines += [f"No change request: {error}", *([error.remedy] if error.remedy else [])]
        return lines

    async def _pushed(
        self, who: Identity, slug: str, branch: str, wanted: dict[str, str]
    ) -> list[str]:
        shown = await self.open(who, slug, Wanted(source=branch, **wanted))
        change = shown.change
        lines = [
            f"Change request #{change.number}: {change.title} ({change.source} -> {change.target})",
            f"  {self.link(slug, change.number)}",
        ]
        if change.conflicts:
            lines.append(f"  conflicts with {change.target}: {', '.join(change.conflicts[:5])}")
        lines.append(f"  fairway change-request watch {change.number} -R {slug}")
        return lines

    # ---- helpers -------------------------------------------------------------------------------

    async def _allowed(self, who: Identity, action: Action, slug: str) -> Repository:
        found: Repository = await self._database.read(require, who, action, slug)
        return await self._writer.repository(found.id)

    async def _one(self, who: Identity, action: Action, slug: str, number: int) -> ChangeRequest:
        return await self._database.read(_one, who, action, slug, number=number)

    async def _branch(self, found: Repository, name: str) -> str:
        sha = await self._writer.objects.ref(found.id, BRANCH + name)
        if not sha:
            raise NotFound(f"{found.slug} has no branch {name[:200]!r}", code="no-branch")
        return sha

    async def _title(self, found: Repository, wanted: Wanted, head: str) -> str:
        given = _checked(wanted.title, "title", _LONGEST_TITLE)
        return given or await self._writer.objects.title(found.id, head) or wanted.source


def options_of(options: Sequence[str]) -> dict[str, str]:
    """What `git push -o NAME=VALUE` says of a change request. Raises `InvalidInput`."""
    found: dict[str, str] = {}
    for option in options:
        name, equals, value = option.partition("=")
        if name == OPTION and equals:
            raise InvalidInput(
                f"the push option {OPTION} takes no value", code="bad-push-option",
                remedy="git push -o change-request -o title=... -o target=main",
            )  # fmt: skip
        if name in _OPTIONS:
            found[name] = value
    return found


def check_branches(source: str, target: str) -> None:
    """Raise `InvalidInput` for branches between which nothing can be asked."""
    if source == target:
        raise InvalidInput(
            f"{source} cannot be merged into itself",
            code="bad-change-request",
            remedy="push a branch of its own and name the target: -o target=main",
        )


def _checked(text: str, what: str, longest: int) -> str:
    clean = text.strip()
    if len(clean) > longest or "\x00" in clean or (what == "title" and "\n" in clean):
        raise InvalidInput(
            f"the {what} has more than {longest} characters, or more than a line",
            code="bad-change-request",
            where=f"body.{what}",
        )
    return clean


def _need(change: ChangeRequest, state: ChangeState) -> None:
    if change.state is not state:
        raise Conflict(
            f"change request #{change.number} is {change.state}",
            code=STATE_CODES[change.state],
        )


def _create(db: Connection, repository_id: int, values: dict[str, str]) -> ChangeRequest:
    """Of two at once between the same branches, the first one counts."""
    refs.lock(db, repository_id)
    known = rows.open_between(db, repository_id, values["source"], values["target"])
    return known or rows.create(db, repository_id, values)


def _one(db: Connection, who: Identity, action: Action, slug: str, *, number: int) -> ChangeRequest:
    found = require(db, who, action, slug)
    change = rows.by_number(db, found.id, number)
    if change is None:
        raise NotFound(
            f"{slug} has no change request #{number}",
            code="no-change-request",
            remedy=f"`fairway change-request list -R {slug}`",
        )
    return change


def _shown(db: Connection, who: Identity, slug: str, number: int) -> Shown:
    change = _one(db, who, Action.READ_REPOSITORY, slug, number=number)
    return _with(db, require(db, who, Action.READ_REPOSITORY, slug), change)


def _with(db: Connection, found: Repository, change: ChangeRequest) -> Shown:
    checks = rows.results(db, found.id, change.build) if change.build else {}
    return Shown(repository=found, change=change, checks=checks)


def _listing(
    db: Connection,
    who: Identity,
    slug: str,
    *,
    states: Sequence[str],
    before: int | None,
    limit: int,
) -> list[Shown]:
    found = require(db, who, Action.READ_REPOSITORY, slug)
    changes = rows.listing(db, found.id, states=states, before=before, limit=limit)
    return [_with(db, found, change) for change in changes]
