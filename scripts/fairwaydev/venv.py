"""The virtual environment `.venv`: exactly what the committed locks name, and Fairway itself."""

from __future__ import annotations

import fcntl
import hashlib
import json
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fairwaydev import uv
from fairwaydev.say import ROOT, answer, cache_folder, detail, say

GROUPS = ("runtime", "build", "test", "lint", "docs", "load")
VENV = ROOT / ".venv"
_STAMP = "fairway-stamp"


def lock_file(group: str) -> Path:
    """The lock of a group of dependencies."""
    return ROOT / "requirements" / f"{group}.lock"


def python(venv: Path = VENV) -> Path:
    """The environment's interpreter."""
    return venv / "bin" / "python"


def _fingerprint(interpreter: str, groups: Sequence[str]) -> str:
    """Changes whenever the environment must be made again."""
    digest = hashlib.sha256(interpreter.encode())
    for path in [*map(lock_file, groups), ROOT / "requirements" / "uv.lock"]:
        digest.update(path.read_bytes())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    settled = {name: project[name] for name in ("project", "build-system")}
    digest.update(json.dumps(settled, sort_keys=True).encode())
    return digest.hexdigest()


@contextmanager
def _alone() -> Iterator[None]:
    """Two set-ups at once would tear each other's environment."""
    with (cache_folder() / "setup.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _version(venv: Path) -> str | None:
    return answer([python(venv), "-c", "import sys; print(sys.version)"])


def is_ready(venv: Path = VENV, groups: Sequence[str] = GROUPS) -> bool:
    """Whether the environment is what the locks say."""
    found = _version(venv)
    if found is None or not (venv / _STAMP).exists():
        return False
    mark = (venv / _STAMP).read_text().partition("\n")[0]
    return mark == _fingerprint(found, groups) and not _is_torn(venv)


def _is_torn(venv: Path) -> bool:
    """Whether something that was installed has gone: a package's own record would not show it."""
    stamp = venv / _STAMP
    names = stamp.read_text().split("\n")[1:] if stamp.exists() else []
    return not {*names} <= {*_packages(venv)}


def _packages(venv: Path) -> list[str]:
    return sorted(path.name for path in venv.glob("lib/python3*/site-packages/*"))


def provide(
    interpreter: str = sys.executable, venv: Path = VENV, groups: Sequence[str] = GROUPS
) -> bool:
    """Have the environment. Returns whether anything had to be done."""
    with _alone():
        if is_ready(venv, groups):
            return False
        version = answer([interpreter, "-c", "import platform; print(platform.python_version())"])
        say(f"installing Fairway and the packages its locks name into {venv}")
        detail(f"Python {version} ({interpreter}); {_count(groups)} packages, checked by hash")
        torn = _is_torn(venv)
        (venv / _STAMP).unlink(missing_ok=True)
        if torn or _version(venv) is None:
            uv.uv("venv", "--quiet", "--clear", "--python", interpreter, venv)
        target = ("--python", python(venv))
        shown = sys.stderr.isatty()
        words = () if shown else ("--quiet",)
        locks = map(lock_file, groups)
        uv.uv("pip", "sync", *target, *words, "--require-hashes", *locks, quiet=not shown)
        ours = ("--no-deps", "--no-build-isolation", "--editable", ".")
        uv.uv("pip", "install", *target, "--quiet", *ours)
        mark = _fingerprint(_version(venv) or "", groups)
        (venv / _STAMP).write_text("\n".join([mark, *_packages(venv)]))
        return True


def _count(groups: Sequence[str]) -> int:
    lines = (line for group in groups for line in lock_file(group).read_text().splitlines())
    return len({line.split("==")[0] for line in lines if "==" in line and not line.startswith(" ")})
