"""Long-lived processes: started to outlive us, and known again by pid and start time."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

_PROC: Final = Path("/proc")
_STATE, _START = 0, 19  # fields of /proc/PID/stat after the name
_STEP: Final = 0.02


class Process(Struct, frozen=True):
    """A pid alone may be another process by now; with the boot and the start time it is not."""

    pid: int
    started: int
    boot: str


def boot_id() -> str:
    """Changes with every start of the machine."""
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def _stat(pid: int) -> list[str] | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def identify(pid: int) -> Process | None:
    """A running process, or None when there is none of that pid."""
    fields = _stat(pid)
    if fields is None or fields[_STATE] in "ZX":
        return None
    return Process(pid=pid, started=int(fields[_START]), boot=boot_id())


def is_alive(process: Process | None) -> bool:
    """Whether it still runs. Reaps it when it was our child and has ended."""
    if process is None:
        return False
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
    return identify(process.pid) == process


def start(command: Sequence[str], log: Path) -> Process:
    """Start a process in a session of its own, its output to the end of `log`.

    Raises OSError when the program is not there.
    """
    with log.open("ab") as output:
        child = subprocess.Popen(  # noqa: S603 the caller's own argument list, no shell
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
        )
    child.returncode = 0  # `is_alive` reaps it; Popen must not warn of a child that outlives it
    found = identify(child.pid)
    return found or Process(pid=child.pid, started=-1, boot=boot_id())


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Ask until it is so, at most `seconds`. Blocks: for `kit.aio.blocking`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_STEP)  # noqa: TID251 a thread of its own waits for a process, never the loop
    return True


def end(process: Process | None, seconds: float) -> None:
    """End a process: asked first, then made to after `seconds`."""
    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 10.0)):
        if process is None or not is_alive(process):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)
        wait_for(lambda: not is_alive(process), patience)


def everything() -> Iterator[tuple[int, list[str]]]:
    """All processes and their arguments."""
    for path in _PROC.iterdir():
        if path.name.isdigit():
            with contextlib.suppress(OSError):
                words = (path / "cmdline").read_bytes().split(b"\0")
                yield int(path.name), [word.decode("utf-8", "replace") for word in words if word]


def same_network(pid: int) -> bool:
    """Whether a process shares our network namespace, and so our iptables."""
    try:
        return (_PROC / str(pid) / "ns/net").readlink() == Path("/proc/self/ns/net").readlink()
    except OSError:
        return False


def same_root(pid: int) -> bool:
    """Whether a process sees the same files as we do, and so means the same by a path."""
    try:
        return os.path.samestat((_PROC / str(pid) / "root").stat(), Path("/").stat())
    except OSError:
        return False


def mounts_below(folder: Path) -> list[Path]:
    """Mount points in or below a folder, deepest first."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = Path(line.split()[4].encode().decode("unicode_escape"))
        if point == folder or folder in point.parents:
            found.append(point)
    return sorted(found, key=lambda path: len(path.parts), reverse=True)
