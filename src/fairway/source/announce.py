"""From refs to events: every change of a branch or tag is announced once, in order.

The table `ref` holds what was announced last. A push's commands are announced in the transaction
that moves the table, before the client hears that the push succeeded. What no push told us of (a
crash in between, a fetch, a hand in the folder) is found by comparing the disk with the table.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from msgspec import Struct, field
from sqlalchemy import Connection

from fairway.git.folders import Folders
from fairway.git.packets import Command
from fairway.kit.aio import Wake, blocking
from fairway.model.errors import FairwayError
from fairway.model.events import RefUpdated
from fairway.model.repository import Repository
from fairway.model.scope import SYSTEM
from fairway.store import outbox, refs, repositories
from fairway.store.database import Database

ACTOR: Final = "fairway"  # of changes that no push told us of
EVERY_S: Final = 60.0
_SOON_S: Final = 5.0  # after start-up: a git process that outlived our former self may still write
_WAIT_S: Final = 2.0
_KINDS: Final = ("refs/heads/", "refs/tags/")
_log = logging.getLogger(__name__)


class Change(Struct, frozen=True):
    """A ref that a push has changed."""

    command: Command
    actor: str
    options: list[str] = field(default_factory=list)


class Written(Struct, frozen=True):
    """What a transaction announced: `left` could not be joined to what was announced before."""

    count: int
    left: list[Change]
    head: str = ""  # the new default branch


class Announcer:
    """The one writer of `RefUpdated`. One process owns a repository's folder."""

    def __init__(self, database: Database, folders: Folders, wake: Wake) -> None:
        self._database = database
        self._folders = folders
        self._wake = wake
        self._running: dict[int, int] = {}  # pushes under way by repository
        self._changed = Wake()
        self._dirty: set[int] = set()
        self._stir = Wake()

    def begin(self, repository_id: int) -> None:
        """A push begins: `finish` or `abandon` must follow."""
        self._running[repository_id] = self._running.get(repository_id, 0) + 1

    async def finish(self, repository_id: int, changes: Sequence[Change]) -> None:
        """Announce a push that has ended. Raises `Unavailable`: then it is announced later."""
        try:
            try:
                left = await self._write(repository_id, changes)
            finally:
                # only now: who waits for the push before it must not find nobody under way while
                # that one's transaction still runs
                self._leave(repository_id)
            while left and self._running.get(repository_id):
                # another push to the same ref came between and is about to be announced
                await self._changed.wait(_WAIT_S)
                left = await self._write(repository_id, left)
            if left:
                await self.reconcile(repository_id)
        except Exception:
            self.dirty(repository_id)
            raise

    async def abandon(self, repository_id: int) -> None:
        """Announce what a push did that was cut off: nobody knows how far it came."""
        self._leave(repository_id)
        try:
            await self.reconcile(repository_id)
        except FairwayError:
            self.dirty(repository_id)

    def dirty(self, repository_id: int) -> None:
        """Compare this repository soon."""
        self._dirty.add(repository_id)
        self._stir.set()

    async def reconcile(self, repository_id: int) -> int:
        """Announce what differs between disk and table. Returns how many refs."""
        written = await self._database.write(_write_differences, repository_id, self._folders)
        await self._after(repository_id, written)
        self._dirty.discard(repository_id)
        if written.count:
            _log.info("announced %d refs of repository %d by comparison", written.count,
                      repository_id)  # fmt: skip
        return written.count

    async def reconcile_all(self) -> int:
        """Compare every repository without a push under way; make missing folders."""
        found = await self._database.read(repositories.all_of)
        await blocking(self._mend, found)
        count = 0
        for each in found:
            if not self._running.get(each.id):
                count += await self.reconcile(each.id)
        return count

    async def run(self) -> None:
        """Compare at start-up, soon after, and now and then."""
        wait = _SOON_S
        await self._safely()
        while True:
            stirred = await self._stir.wait(wait)
            if stirred or self._dirty:
                await asyncio.sleep(1.0)
            await self._safely()
            wait = EVERY_S

    async def _safely(self) -> None:
        try:
            await self.reconcile_all()
        except FairwayError as error:
            _log.warning("refs are compared later: %s", error)

    def _mend(self, found: Sequence[Repository]) -> None:
        known = {each.id for each in found}
        for number in self._folders.numbers():
            if number not in known:
                self._folders.remove(number)
        self._folders.empty_trash()
        for each in found:
            self._folders.ensure(each.id, stamp(each), each.default_branch)
            if not self._running.get(each.id):
                self._folders.clean_locks(each.id)
            self._folders.head(each.id, each.default_branch)

    def _leave(self, repository_id: int) -> None:
        left = self._running.get(repository_id, 1) - 1
        if left > 0:
            self._running[repository_id] = left
        else:
            self._running.pop(repository_id, None)

    async def _write(self, repository_id: int, changes: Sequence[Change]) -> list[Change]:
        if not changes:
            return []
        written = await self._database.write(write_chain, repository_id, changes)
        await self._after(repository_id, written)
        return written.left

    async def _after(self, repository_id: int, written: Written) -> None:
        if written.head:
            await blocking(self._folders.head, repository_id, written.head)
        if written.count:
            self._wake.set()
        self._changed.set()


def stamp(repository: Repository) -> str:
    """What tells a repository's folder from that of an earlier one of the same number."""
    return f"{repository.id} {repository.created}"


def write_chain(db: Connection, repository_id: int, changes: Sequence[Change]) -> Written:
    """Announce changes in the order in which they follow from one another."""
    found = _locked(db, repository_id)
    if found is None:
        return Written(0, [])
    changes = [each for each in changes if each.command.ref.startswith(_KINDS)]
    known = refs.of_names(db, repository_id, [each.command.ref for each in changes])
    had_branch = refs.has_branch(db, repository_id)
    count = 0
    left = list(changes)
    while (change := _next(left, known)) is not None:
        left.remove(change)
        _announce(db, found, change)
        known[change.command.ref] = change.command.after
        count += 1
    left = [each for each in left if known.get(each.command.ref, "") != each.command.after]
    return Written(count, left, "" if had_branch else _adopt(db, found))


def _locked(db: Connection, repository_id: int) -> Repository | None:
    """The repository as nobody else changes it until the transaction ends."""
    refs.lock(db, repository_id)
    return repositories.by_id(db, SYSTEM, repository_id)


def _next(left: list[Change], known: dict[str, str]) -> Change | None:
    for each in left:
        command = each.command
        if known.get(command.ref, "") == command.before != command.after:
            return each
    return None


def _write_differences(db: Connection, repository_id: int, folders: Folders) -> Written:
    found = _locked(db, repository_id)
    if found is None:
        return Written(0, [])
    known = refs.announced(db, repository_id)
    disk = folders.refs(repository_id)
    if found.remote_url and not known:
        return _first_sight(db, found, disk)
    had_branch = refs.has_branch(db, repository_id)
    count = 0
    for name in sorted(known.keys() | disk.keys()):
        command = Command(name, known.get(name, ""), disk.get(name, ""))
        if command.before != command.after:
            _announce(db, found, Change(command, ACTOR))
            count += 1
    return Written(count, [], "" if had_branch else _adopt(db, found))


def _first_sight(db: Connection, repository: Repository, disk: dict[str, str]) -> Written:
    """A repository that lives elsewhere brings its past along: only its default branch is news."""
    for name, sha in disk.items():
        refs.put(db, repository.id, name, sha)
    chosen = _adopt(db, repository)
    head = f"refs/heads/{chosen or repository.default_branch}"
    if head not in disk:
        return Written(0, [], chosen)
    _announce(db, repository, Change(Command(head, "", disk[head]), ACTOR))
    return Written(1, [], chosen)


def _announce(db: Connection, repository: Repository, change: Change) -> None:
    command = change.command
    refs.put(db, repository.id, command.ref, command.after)
    outbox.append(
        db,
        RefUpdated(
            repository=repository.id,
            slug=repository.slug,
            ref=command.ref,
            before=command.before,
            after=command.after,
            actor=change.actor,
            options=change.options,
        ),
    )


def _adopt(db: Connection, repository: Repository) -> str:
    """The first push decides the default branch, where it lacks the one set."""
    names = [name for name, _ in refs.listing(db, repository.id, prefix="refs/heads/")]
    short = [name.removeprefix("refs/heads/") for name in names]
    if not short or repository.default_branch in short:
        return ""
    chosen = next((name for name in ("main", "master") if name in short), short[0])
    repositories.change(db, repository.id, repository.version, {"default_branch": chosen})
    return chosen
