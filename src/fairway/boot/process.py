"""One Fairway process of a data directory: found again by pid and start time, started, stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from fairway.kit import clock
from fairway.kit.files import replace_file
from fairway.model.errors import Unavailable

_LAST_LINES: Final = 20


class Running(Struct, frozen=True):
    """What a process writes down of itself. `birth` guards against a pid used again."""

    pid: int
    birth: int  # clock ticks since the machine's boot
    url: str
    version: str
    started: int
    ca: str = ""  # PEM file by which its certificate is known; "": the machine's authorities


def run_file(data: Path) -> Path:
    """Where it is written down."""
    return data / "run" / "fairway.json"


def log_file(data: Path) -> Path:
    """Where a process in the background writes its log."""
    return data / "run" / "fairway.log"


def write_down(data: Path, url: str, version: str, *, ca: str = "") -> None:
    """Write down this process as the one of `data`."""
    known = str(Path(ca).absolute()) if ca else ""
    _write(run_file(data), os.getpid(), url, version, ca=known)


def _write(path: Path, pid: int, url: str, version: str, *, ca: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    one = Running(
        pid=pid, birth=birth(pid) or 0, url=url, version=version, started=clock.now(), ca=ca
    )
    replace_file(path, msgspec.json.encode(one))


def forget(data: Path) -> None:
    """This process ends. What another process of `data` has written down stays."""
    found = _written(run_file(data))
    if found is not None and found.pid == os.getpid():
        run_file(data).unlink(missing_ok=True)


def find(data: Path) -> Running | None:
    """The process of `data` that lives, if any."""
    return _alive(_written(run_file(data)))


def find_starting(data: Path) -> Running | None:
    """The process of a start that was interrupted before it was ready. It has no `url`."""
    return _alive(_written(_starting_file(data)))


def _starting_file(data: Path) -> Path:
    return data / "run" / "starting.json"


def _alive(found: Running | None) -> Running | None:
    return found if found is not None and birth(found.pid) == found.birth else None


def _written(path: Path) -> Running | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Running)
    except (FileNotFoundError, msgspec.DecodeError, msgspec.ValidationError):
        return None


def birth(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None when it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def start(
    data: Path,
    arguments: Sequence[str],
    ready: Callable[[], bool],
    *,
    timeout_s: float,
    unready: Callable[[], str] = str,
) -> Running:
    """Start `fairway serve` in the background and wait until `ready` says so. Blocks.

    `unready` names the parts that are not, for the error.
    Raises `Unavailable` (code `start-failed`) with the last lines of its log when it ends or is
    not ready in time; it is ended then.
    """
    log = log_file(data)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        begin = out.tell()
        child = subprocess.Popen(  # noqa: S603 our own program
            [sys.executable, "-m", "fairway", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
        )
    _write(_starting_file(data), child.pid, "", "")  # until it has written itself down
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if child.poll() is not None:
            raise _start_failed(log, begin, f"it ended with exit status {child.returncode}")
        if (found := find(data)) and found.pid == child.pid and ready():
            _starting_file(data).unlink(missing_ok=True)
            return found
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(0.1)
    missing = unready()
    child.terminate()
    why = f"it was not ready within {timeout_s:g} s" + (f" ({missing})" if missing else "")
    raise _start_failed(log, begin, why)


def stop(found: Running, *, timeout_s: float = 30) -> bool:
    """End a process: ask, and after `timeout_s` kill. Returns whether it went by itself. Blocks."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(found.pid, signal.SIGTERM)
    if _gone(found, timeout_s):
        return True
    with contextlib.suppress(ProcessLookupError):
        os.kill(found.pid, signal.SIGKILL)
    _gone(found, 5)
    return False


def _gone(found: Running, timeout_s: float) -> bool:
    end = time.monotonic() + timeout_s
    while birth(found.pid) == found.birth:
        if time.monotonic() > end:
            return False
        with contextlib.suppress(ChildProcessError):
            os.waitpid(found.pid, os.WNOHANG)  # where it is our own child
        time.sleep(0.02)  # noqa: TID251 a command waits for another process; no loop runs here
    return True


def _start_failed(log: Path, begin: int, why: str) -> Unavailable:
    said = log.read_bytes()[begin:].decode("utf-8", "replace")
    lines = said.splitlines()[-_LAST_LINES:]
    return Unavailable(
        f"Fairway did not start: {why}. Its last words:\n" + "\n".join(lines),
        code="start-failed",
        remedy=f"`fairway doctor`; the whole log is {log}",
    )
