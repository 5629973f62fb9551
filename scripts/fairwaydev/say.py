"""What a person reads while the scripts work, and the one way they run a command."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]


class Failed(Exception):
    """Something could not be done; the text says what, and what mends it."""


def say(text: str) -> None:
    """One line of progress."""
    print(f"==> {text}", flush=True)


def detail(text: str) -> None:
    """A line below a line of progress."""
    print(f"    {text}", flush=True)


def stop(text: str, status: int = 1) -> NoReturn:
    """Say why, and leave."""
    print(f"error: {text}", file=sys.stderr, flush=True)
    raise SystemExit(status)


def cache_folder() -> Path:
    """Where tools that are not part of the checkout live; FAIRWAY_CACHE moves it."""
    named = os.environ.get("FAIRWAY_CACHE")
    folder = Path(named).expanduser() if named else ROOT / ".cache"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def one_at_a_time(what: str) -> Iterator[None]:
    """Only one of this user's scripts does this on the machine, whichever checkout it is of."""
    path = Path(tempfile.gettempdir()) / f"fairway-{what}-{os.getuid()}.lock"
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    quiet: bool = False,
    check: bool = True,
) -> int:
    """Run a command in the checkout. `quiet` shows its output only when it fails.

    Raises Failed with the command and its status when it fails and `check` is set.
    """
    words = [str(word) for word in command]
    began = time.monotonic()
    done = subprocess.run(
        words,
        cwd=ROOT,
        env={**os.environ, **env} if env is not None else None,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
        check=False,
    )
    if done.returncode and quiet:
        sys.stdout.write(done.stdout.decode("utf-8", "replace"))
    if done.returncode and check:
        raise Failed(f"`{shlex.join(words)}` ended with status {done.returncode}")
    if quiet and time.monotonic() - began > 1:
        detail(f"done in {time.monotonic() - began:.0f} s")
    return done.returncode


def answer(command: Sequence[str | Path]) -> str | None:
    """What a command prints, or None when it is not there or fails."""
    try:
        done = subprocess.run(
            [str(word) for word in command],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
