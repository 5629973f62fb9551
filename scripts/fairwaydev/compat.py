"""The machine's other interpreters, each with an environment of its own."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

from fairwaydev import venv
from fairwaydev.say import ROOT, answer, cache_folder, detail

_WANTED = ("3.12", "3.13", "3.14")
_SYSTEM = "/usr/bin/python3"  # Debian 12's is an early 3.11, which lacks what later ones have
_GROUPS = ("runtime", "build", "test")


def interpreters() -> dict[str, str]:
    """Version to program, of those that answer here besides the one we run on."""
    found: dict[str, str] = {}
    own = ".".join(map(str, sys.version_info[:3]))
    number = answer([_SYSTEM, "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"])
    if number and number != own and tuple(map(int, number.split("."))) >= (3, 11):
        found[number] = _SYSTEM
    for version in _WANTED:
        if version == f"{sys.version_info[0]}.{sys.version_info[1]}":
            continue
        pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}*/bin/python3"))
        for candidate in [f"python{version}", *map(str, pyenv)]:
            text = answer([candidate, "-c", "import sys; print(sys.executable)"])
            if text:
                found[version] = text
                break
    return found


def environments() -> Iterator[Path]:
    """The interpreter of an environment for each; says so when there is none."""
    found = interpreters()
    if not found:
        detail("no other interpreter here (looked for " + ", ".join(_WANTED) + ")")
    for version, program in found.items():
        # Fairway is installed from this checkout, in place: another's environment names another
        place = hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]
        folder = cache_folder() / f"compat-{version}-{place}"
        venv.provide(program, folder, _GROUPS)
        detail(f"Python {version}")
        yield venv.python(folder)
