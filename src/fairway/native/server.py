"""The toolbox's process: one for a data directory, started by whoever needs it first.

It outlives a restart of Fairway and is adopted by its socket. It restarts its own workers; when it
is gone itself, the next call starts it again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from fairway.kit import processes
from fairway.model.errors import Unavailable

_START_S: Final = 60.0
_END_S: Final = 5.0
_SOCKET: Final = "socket"
_RECORD: Final = "process.json"
_CONFINE: Final = "confine"


class _Record(Struct):
    process: processes.Process
    program: str


class Server:
    """The process whose files lie in `folder`. `find` gives the program, or raises `Unavailable`
    (`native-missing`). All methods block.

    A program `confine` beside it starts it, where there is one: our image has it, because a user
    who is not root may not confine calls in a container without.
    """

    def __init__(self, folder: Path, find: Callable[[], Path]) -> None:
        self.folder = folder
        self.program = find

    def connect(self) -> socket.socket:
        """A new connection. Raises OSError when nothing listens."""
        with self._address() as address:
            made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
            try:
                made.connect(address)
            except OSError:
                made.close()
                raise
        return made

    @contextlib.contextmanager
    def _address(self) -> Iterator[str]:
        """A path of the socket that is short enough for one, however long its folder's is."""
        folder = os.open(self.folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield f"/proc/self/fd/{folder}/{_SOCKET}"
        finally:
            os.close(folder)

    def ensure(self) -> None:
        """Start it, unless it runs; replace one of another build.

        Raises `Unavailable` (`native-missing`, `toolbox-unavailable`), and as `find`.
        """
        program = self.program()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked():
            record = self._record()
            if self.answers():
                if record is None or record.program == str(program):
                    return
                processes.end(record.process, _END_S)
            self._start(program)

    def answers(self) -> bool:
        """Whether something listens."""
        try:
            self.connect().close()
        except OSError:
            return False
        return True

    def _start(self, program: Path) -> None:
        for old in self.folder.glob(".worker-*"):
            shutil.rmtree(old, ignore_errors=True)
        log = self.folder / "log"
        log.write_bytes(b"")
        command = [str(program), "toolbox", "--socket", str(self.folder / _SOCKET)]
        if (confine := program.with_name(_CONFINE)).is_file():
            command = [str(confine), *command]
        try:
            process = processes.start(command, log)
        except OSError as error:
            raise _unavailable(f"{program} cannot be started: {error.strerror}") from error
        record = msgspec.json.encode(_Record(process=process, program=str(program)))
        (self.folder / _RECORD).write_bytes(record)
        up = processes.wait_for(lambda: self.answers() or not processes.is_alive(process), _START_S)
        if not up or not self.answers():
            processes.end(process, _END_S)
            words = log.read_text(encoding="utf-8", errors="replace").strip()[-500:]
            raise _unavailable(f"the toolbox does not start: {words or 'it says nothing'}")

    def stop(self) -> bool:
        """End it. Returns whether it ran."""
        record = self._record()
        if record is None or not processes.is_alive(record.process):
            return False
        processes.end(record.process, _END_S)
        (self.folder / _RECORD).unlink(missing_ok=True)
        return True

    def kill(self) -> None:
        """End it at once, as a fault would."""
        record = self._record()
        if record is not None and processes.is_alive(record.process):
            os.kill(record.process.pid, signal.SIGKILL)
            processes.wait_for(lambda: not processes.is_alive(record.process), _END_S)

    def _record(self) -> _Record | None:
        try:
            data = (self.folder / _RECORD).read_bytes()
            return msgspec.json.decode(data, type=_Record)
        except (OSError, msgspec.MsgspecError):
            return None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _unavailable(why: str) -> Unavailable:
    return Unavailable(why, code="toolbox-unavailable", remedy="see its log: `fairway doctor`")
