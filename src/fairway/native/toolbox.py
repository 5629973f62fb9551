"""The toolbox: functions of Go libraries that define a language, called over a socket.

A request (`helm.HelmTemplate`, `languages.Jsonnet`, `objects.Defaults`...) knows its method and its
answer's type:

    rendered = await toolbox.ask(HelmTemplate(chart="web"), folder=checkout)

Every call has limits, and reads no file outside its folder. All of them are functions: they may be
asked again.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, Final, TypeVar

import msgspec

from fairway.kit.aio import blocking, is_virtual
from fairway.model.errors import FairwayError, InvalidInput, Unavailable
from fairway.native import wire
from fairway.native.server import Server
from fairway.native.wire import HEAD, Limits, Request

R = TypeVar("R")

_TRIES: Final = 2  # a worker that somebody killed says nothing: the next one answers
_USUAL: Final = Limits()
_PIECE: Final = 1024 * 1024


class _Opening:
    """A connection that a thread opens, which goes when nobody waits for it any more."""

    def __init__(self) -> None:
        self._found: socket.socket | None = None
        self._abandoned = False

    def connect(self, connect: Callable[[], socket.socket]) -> socket.socket:
        """In the thread."""
        found = self._found = connect()
        if self._abandoned:  # whoever waited has not seen it, or closes it as well
            found.close()
        return found

    def abandon(self) -> None:
        """In the loop."""
        self._abandoned = True
        if self._found is not None:
            self._found.close()


class Toolbox:
    """Calls to the toolbox of one data directory, which is started when it is not there.

    Raises `InvalidInput` for what was given, with its place; `TooLarge` (`toolbox-deadline`,
    `toolbox-memory`, `toolbox-output`); `Busy` (`toolbox-busy`) and `Unavailable`
    (`toolbox-unavailable`, `toolbox-unconfined`, `native-missing`), which may be tried again;
    `Internal` (`toolbox-crashed`).
    """

    def __init__(self, server: Server) -> None:
        self.server = server

    async def ask(
        self, request: Request[R], *, folder: Path | None = None, limits: Limits = _USUAL
    ) -> R:
        """Call a method. A cancelled caller ends the call."""
        if is_virtual(asyncio.get_running_loop()):
            return self.ask_now(request, folder=folder, limits=limits)
        data = wire.asked(request, checked(request, folder), limits)
        for _try in range(_TRIES):
            try:
                async with asyncio.timeout(limits.deadline_s + limits.queue_s):
                    reply = await self._exchange(data, request, limits)
            except TimeoutError:
                raise wire.busy(request, limits) from None
            if reply:
                return wire.answered(reply, request)
        raise wire.crashed(request.method, "it was killed")

    async def _exchange(self, data: bytes, request: Request[Any], limits: Limits) -> bytes:
        """A reply, or nothing from a worker that was killed."""
        opening = _Opening()
        try:
            connection = await blocking(opening.connect, self._connect)
            reader, writer = await asyncio.open_unix_connection(sock=connection)
        except BaseException:
            opening.abandon()
            raise
        try:
            writer.write(data)
            head = await reader.readexactly(HEAD)
            size = wire.length(head)
            if size is None:
                raise wire.last_words(head + await reader.read(-1), request, limits)
            return await reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def ask_now(
        self, request: Request[R], *, folder: Path | None = None, limits: Limits = _USUAL
    ) -> R:
        """The same for who may block: pure code behind `kit.aio.blocking`, the simulated world."""
        data = wire.asked(request, checked(request, folder), limits)
        for _try in range(_TRIES):
            with self._connect() as connection:
                connection.settimeout(limits.deadline_s + limits.queue_s)
                try:
                    connection.sendall(data)
                    reply = _receive(connection, request, limits)
                except TimeoutError:
                    raise wire.busy(request, limits) from None
                except ConnectionError:
                    continue
            if reply:
                return wire.answered(reply, request)
        raise wire.crashed(request.method, "it was killed")

    def _connect(self) -> socket.socket:
        for last in (False, True):
            try:
                return self.server.connect()
            except OSError as error:
                if last:
                    raise Unavailable(
                        f"the toolbox does not answer: {error.strerror}",
                        code="toolbox-unavailable",
                    ) from error
            self.server.ensure()
        raise AssertionError


def _receive(connection: socket.socket, request: Request[Any], limits: Limits) -> bytes:
    head = _exactly(connection, HEAD)
    if len(head) < HEAD:
        return b""
    size = wire.length(head)
    if size is None:
        raise wire.last_words(head + _exactly(connection, _PIECE), request, limits)
    reply = _exactly(connection, size)
    return reply if len(reply) == size else b""


def _exactly(connection: socket.socket, size: int) -> bytes:
    """So many bytes, or fewer when the other end closes before."""
    found = bytearray()
    while len(found) < size:
        piece = connection.recv(min(_PIECE, size - len(found)))
        if not piece:
            break
        found += piece
    return bytes(found)


_PATHS: Final = (
    "chart",
    "dependencies",
    "path",
    "directory",
    "value_files",
    "env_files",
    "files",
    "library_paths",
)
_BESIDE: Final = ("env_files", "files")  # relative to the request's `directory`


def checked(request: Request[Any], folder: Path | None) -> str:
    """The folder as the toolbox takes it. Raises `InvalidInput` for a path that leads out of it.

    The toolbox would not read such a file in any case; this says why.
    """
    for name in _PATHS:
        given = getattr(request, name, ())
        beside = getattr(request, "directory", "") if name in _BESIDE else ""
        for path in (given,) if isinstance(given, str) else given:
            if _leads_out(str(PurePosixPath(beside, path))):
                raise InvalidInput(
                    f"{path} leads out of the folder", code="outside-folder", where=path
                )
    return str(folder.absolute()) if folder is not None else ""


def _leads_out(path: str) -> bool:
    depth = 0
    for part in PurePosixPath(path).parts:
        depth += -1 if part == ".." else part != "."
        if depth < 0 or part == "/":
            return True
    return False


class Remembering(Toolbox):
    """A toolbox whose answers are kept by content: for the simulated world, where one history asks
    the same a thousand times.
    """

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self._kept: dict[bytes, Any] = {}

    def ask_now(
        self, request: Request[R], *, folder: Path | None = None, limits: Limits = _USUAL
    ) -> R:
        """As `Toolbox.ask_now`; errors are kept as well."""
        key = hashlib.sha256(wire.asked(request, "", limits) + contents(folder)).digest()
        if key not in self._kept:
            try:
                self._kept[key] = super().ask_now(request, folder=folder, limits=limits)
            except FairwayError as error:
                if error.retriable:
                    raise
                self._kept[key] = error
        found = self._kept[key]
        if isinstance(found, FairwayError):
            raise found
        answer: R = found
        return answer


def contents(folder: Path | None) -> bytes:
    """A digest of all names, links and contents below a folder."""
    found = hashlib.sha256()
    for where, folders, names in os.walk(folder or "/nonexistent"):
        folders.sort()
        for name in sorted(names):
            path = Path(where, name)
            data = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
            entry = [str(path.relative_to(folder or "/")), hashlib.sha256(data).hexdigest()]
            found.update(msgspec.json.encode(entry))
    return found.digest()
