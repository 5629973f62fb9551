"""Git over HTTP: raw ASGI over `git http-backend`, streamed both ways.

A push is read up to the end of its commands before git sees it: they say whether the repository
is to be made, and which protected refs are touched. What git answers passes at once, but for its
report on the refs: that is held back until their events are in the outbox.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection

from fairway.access.authorise import Action, require, unseen
from fairway.access.identity import Identity
from fairway.access.scope import scope_of
from fairway.access.tokens import Tokens
from fairway.git.backend import IDLE_S, Backend, backend_program
from fairway.git.folders import Folders, environment
from fairway.git.packets import PushHead, ReportReader
from fairway.git.writing import BRANCH
from fairway.kit.aio import blocking, shielded
from fairway.model.errors import FairwayError, Forbidden, Internal, Unavailable
from fairway.model.repository import Repository
from fairway.model.role import Role
from fairway.source.announce import Announcer, Change, stamp
from fairway.source.change_requests import ChangeRequests
from fairway.source.protection import Judgement, judge
from fairway.source.repositories import Repositories, RepositoryChange, may_create
from fairway.source.wire import (
    FETCH,
    PUSH,
    Answer,
    Asgi,
    ClientGone,
    Receive,
    Request,
    Send,
    Wire,
    read_request,
)
from fairway.store import repositories, roles
from fairway.store.database import Database

_V2: Final = "version=2"
_FLUSH: Final = b"0000"
_OK: Final = 200
_log = logging.getLogger(__name__)


class GitDeps(Struct, frozen=True):
    """What hosting needs."""

    database: Database
    tokens: Tokens
    folders: Folders
    repositories: Repositories
    announcer: Announcer
    changes: ChangeRequests


class Target(Struct, frozen=True):
    """What a request is about, and what the asker may do there."""

    repository: Repository | None  # None: a push may make it
    role: Role


def git_app(deps: GitDeps) -> Hosting:
    """The ASGI application for `/ORG/NAME.git/...`. Raises `Unavailable` where git is missing."""
    return Hosting(deps, backend_program())


class Hosting:
    """The ASGI application."""

    def __init__(self, deps: GitDeps, program: Path) -> None:
        self._deps = deps
        self._program = program
        # What git can do, by service: the first answer to a clone in protocol 2, which names no
        # ref, and that to a push which will make its repository. They are always the same, so two
        # processes are saved each time.
        self._greetings: dict[str, tuple[tuple[int, list[tuple[bytes, bytes]]], bytes]] = {}

    async def __call__(self, scope: Asgi, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        answer = Answer(send)
        try:
            request = read_request(scope)
            identity = await self._deps.tokens.identify(request.authorization)
            target = await self._deps.database.read(_target, identity, request)
            if request.service == PUSH and not request.advertise:
                await self._push(request, identity, target, wire=Wire(receive, answer))
            else:
                await self._serve(request, identity, target, wire=Wire(receive, answer))
        except* ClientGone:
            _log.debug("the client is gone: %s", scope.get("path"))
        except* TimeoutError:
            await answer.error(_silent())
        except* FairwayError as group:
            await answer.error(_first(group))
        except* Exception:  # noqa: BLE001 the edge: it is logged and answered
            _log.exception("a git exchange failed: %s", scope.get("path"))
            await answer.error(_defect())

    async def _serve(
        self, request: Request, identity: Identity, target: Target, *, wire: Wire
    ) -> None:
        """Advertisements and fetches."""
        greets = request.advertise and request.protocol == _V2
        greets = greets and (request.service == FETCH or target.repository is None)
        if greets and (kept := self._greetings.get(request.service)) is not None:
            await _say(wire, *kept)
            return
        folder = await self._folder(target.repository)
        variables = self._environment(request, identity, folder)
        said = bytearray()
        async with Backend(self._program, variables) as child, asyncio.TaskGroup() as group:
            feeder = group.create_task(wire.feed(child, b""), name="git request body")
            head = await child.headers()
            await wire.answer.start(head)
            async for data in child.chunks():
                await wire.answer.body(data)
                if greets:
                    said += data
            await wire.answer.end()
            feeder.cancel()
        if greets and head[0] == _OK and said.endswith(_FLUSH):
            self._greetings[request.service] = (head, bytes(said))

    async def _push(
        self, request: Request, identity: Identity, target: Target, *, wire: Wire
    ) -> None:
        wire.inflate(gzip=request.gzip)
        head, begun = await wire.head()
        repository = target.repository
        if head.commands and repository is None:
            repository = await self._create(identity, request.slug)
            target = Target(repository, Role.ADMIN)
        judgement = _judged(target, head)
        if repository is None or not head.commands:
            await _nothing_to_do(wire)  # git's probe before a large push: are we let in?
            return
        folder = await self._folder(repository)
        variables = self._environment(request, identity, folder, judgement)
        run = (variables, begun)
        await self._announced(repository, identity, head, wire=wire, run=run)

    async def _announced(
        self,
        repository: Repository,
        identity: Identity,
        head: PushHead,
        *,
        wire: Wire,
        run: tuple[dict[str, str], bytes],
    ) -> None:
        """Run a push; its events are written before its report is sent, or when it is cut off."""
        announcer, number = self._deps.announcer, repository.id
        announcer.begin(number)
        try:
            report = await self._receive(*run, head, wire=wire)
        except BaseException:
            await shielded(announcer.abandon(number))
            raise
        accepted = report.accepted()
        if accepted is None:
            await shielded(announcer.abandon(number))
        else:
            changes = [
                Change(command, identity.login, head.options)
                for command in head.commands
                if command.ref in accepted
            ]
            await shielded(announcer.finish(number, changes))
            said = await self._change_requests(identity, repository, changes)
            await wire.answer.body(report.progress(said))
        await wire.answer.body(report.rest())
        await wire.answer.end()

    async def _change_requests(
        self, identity: Identity, repository: Repository, changes: list[Change]
    ) -> list[str]:
        """Open what the push options ask for; what the person is told of it."""
        branches = [
            each.command.ref.removeprefix(BRANCH)
            for each in changes
            if each.command.ref.startswith(BRANCH) and each.command.after
        ]
        options = changes[0].options if changes else []
        return await self._deps.changes.pushed(identity, repository.slug, branches, options)

    async def _receive(
        self, variables: dict[str, str], begun: bytes, head: PushHead, *, wire: Wire
    ) -> ReportReader:
        """Let git take the push. Returns its report, which the client has not seen yet."""
        banded = bool(head.capabilities & {"side-band-64k", "side-band"})
        report = ReportReader(banded=banded)
        async with Backend(self._program, variables) as child, asyncio.TaskGroup() as group:
            feeder = group.create_task(wire.feed(child, begun), name="git push body")
            await wire.answer.start(await child.headers())
            async for data in child.chunks():
                await wire.answer.body(report.feed(data))
            feeder.cancel()
        return report

    async def _create(self, identity: Identity, slug: str) -> Repository:
        try:
            return await self._deps.repositories.create(identity, slug, RepositoryChange())
        except FairwayError as error:
            if error.code != "repository-exists":
                raise
        found: Repository = await self._deps.database.read(
            require, identity, Action.WRITE_REPOSITORY, slug
        )
        return found

    async def _folder(self, repository: Repository | None) -> Path:
        folders = self._deps.folders
        if repository is None:
            return folders.empty
        path = folders.path(repository.id)
        if not path.exists():
            return await blocking(
                folders.ensure, repository.id, stamp(repository), repository.default_branch
            )
        return path

    def _environment(
        self,
        request: Request,
        identity: Identity,
        folder: Path,
        judgement: Judgement | None = None,
    ) -> dict[str, str]:
        variables = {
            **environment(self._deps.folders),
            "GIT_PROJECT_ROOT": str(folder.parent),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": f"/{folder.name}/"
            + ("info/refs" if request.advertise else request.service),
            "REQUEST_METHOD": "GET" if request.advertise else "POST",
            "QUERY_STRING": request.query,
            "CONTENT_TYPE": request.type,
            "GIT_PROTOCOL": request.protocol,
            "REMOTE_ADDR": "",
        }
        if request.gzip and request.service == FETCH:
            variables["HTTP_CONTENT_ENCODING"] = "gzip"
        if request.service == PUSH:
            variables["REMOTE_USER"] = identity.login or "fairway"
        if judgement is not None and (told := judgement.environment()):
            hooks = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.hooksPath"}
            variables |= {**told, **hooks, "GIT_CONFIG_VALUE_0": str(self._deps.folders.hooks)}
        return variables


def _target(db: Connection, identity: Identity, request: Request) -> Target:
    """The repository and the asker's role there, or the right to make it."""
    pushing = request.service == PUSH
    action = Action.WRITE_REPOSITORY if pushing else Action.READ_REPOSITORY
    if pushing and repositories.named(db, request.slug) is None:
        return _unborn(db, identity, request)
    found = require(db, identity, action, request.slug)
    if pushing and found.remote_url:
        raise Forbidden(
            f"{found.slug} lives elsewhere: Fairway only reads it",
            code="remote-repository",
            remedy="push to where it lives",
        )
    return Target(found, roles.on_repository(db, scope_of(identity), found.id) or Role.READER)


def _unborn(db: Connection, identity: Identity, request: Request) -> Target:
    """Who may not make it is told what whoever may not see it is told."""
    try:
        may_create(db, identity, request.slug)
    except Forbidden:
        raise unseen(identity, request.slug) from None
    return Target(None, Role.ADMIN)


def _judged(target: Target, head: PushHead) -> Judgement | None:
    if target.repository is None:
        return None
    judgement = judge(target.repository.settings, target.role, head.commands)
    refusals = {
        each.ref: f"{each.ref} is Fairway's own"
        for each in head.commands
        if each.ref.startswith(("refs/fairway/", "refs/changes/"))
    }
    return Judgement({**judgement.refused, **refusals}, judgement.forward)


def _first(group: BaseExceptionGroup[FairwayError]) -> FairwayError:
    """One error of a group: they have one cause."""
    for error in group.exceptions:
        return _first(error) if isinstance(error, BaseExceptionGroup) else error
    raise group


def _silent() -> Unavailable:
    return Unavailable(
        f"git gave no sign of life for {IDLE_S:.0f} s",
        code="git-silent",
        remedy="try again; look at the machine's load and disk",
    )


def _defect() -> Internal:
    return Internal("Fairway failed at this; its log has the trace", remedy="report it, please")


async def _nothing_to_do(wire: Wire) -> None:
    """What `receive-pack` says to no commands."""
    await _say(wire, (_OK, [(b"content-type", b"application/x-git-receive-pack-result")]), b"")


async def _say(wire: Wire, head: tuple[int, list[tuple[bytes, bytes]]], body: bytes) -> None:
    """A whole answer."""
    await wire.answer.start(head)
    await wire.answer.body(body)
    await wire.answer.end()
