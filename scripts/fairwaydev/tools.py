"""scripts/tools [NAME...]: builds programs from their published Go modules, and prints their paths.

Only tests need them. They are kept in ${XDG_CACHE_HOME:-~/.cache}/fairway/tools, in a folder named
after everything that went into them, so another version never takes the place of one in use.
Go's checksum database vouches for what is downloaded.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fairwaydev import go as golang
from fairwaydev.say import Failed, answer, run, stop

_FLAGS = ("-trimpath", "-buildvcs=false", "-ldflags=-s -w")


@dataclass(frozen=True)
class Tool:
    """A command of a Go module."""

    module: str
    command: str  # its package below the module
    version: str

    @property
    def package(self) -> str:
        """The command's import path."""
        return f"{self.module}/{self.command}"

    @property
    def name(self) -> str:
        """What the program is called."""
        return self.command.rpartition("/")[2]


TOOLS: dict[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool("github.com/distribution/distribution/v3", "cmd/registry", "v3.1.2"),
        Tool("github.com/google/go-containerregistry", "cmd/crane", "v0.22.1"),
        Tool("github.com/regclient/regclient", "cmd/regctl", "v0.11.7"),
        Tool("oras.land/oras", "cmd/oras", "v1.3.1"),
    )
}


def folder() -> Path:
    """Where the programs lie."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    found = Path(base) / "fairway" / "tools"
    found.mkdir(parents=True, exist_ok=True)
    return found


def build(name: str) -> Path:
    """The path of a tool's program, built if need be. Raises Failed."""
    tool = TOOLS[name]
    with _to_stderr():
        go = golang.program()
    version = answer([go, "env", "GOVERSION"]) or ""
    parts = (tool.package, tool.version, version, *_FLAGS)
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    home = folder() / f"{name}-{tool.version}-{key}"
    with (folder() / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs at once build it once
        if not (home / name).exists():
            _install(go, tool, home)
    return home / name


def _install(go: str, tool: Tool, home: Path) -> None:
    print(f"    building {tool.package}@{tool.version}", file=sys.stderr, flush=True)
    partial = Path(tempfile.mkdtemp(prefix=".build-", dir=folder()))
    try:
        # A module of our own, not `go install`: that wants a list of all versions as well.
        source = partial / "source"
        source.mkdir()
        needs = f"module tools\n\ngo 1.26\n\nrequire {tool.module} {tool.version}\n"
        (source / "go.mod").write_text(needs)
        with _to_stderr():
            command: list[str | Path] = [
                go,
                "-C",
                source,
                "build",
                "-mod=mod",
                *_FLAGS,
                "-o",
                partial,
                tool.package,
            ]
            run(command, env={"CGO_ENABLED": "0", "GOWORK": "off"}, quiet=True)
        shutil.rmtree(source)
        partial.chmod(0o755)
        partial.rename(home)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


class _to_stderr:  # noqa: N801 used like a function
    """Standard output is for the paths alone."""

    def __enter__(self) -> None:
        self._kept, sys.stdout = sys.stdout, sys.stderr

    def __exit__(self, *_: object) -> None:
        sys.stdout = self._kept


def main() -> None:
    """The command."""
    names = sys.argv[1:] or list(TOOLS)
    if names[0] in ("-h", "--help"):
        print(__doc__)
        return
    unknown = [name for name in names if name not in TOOLS]
    if unknown:
        stop(f"there is no tool {unknown[0]!r}; the tools are {', '.join(TOOLS)}", 2)
    try:
        for name in names:
            print(build(name), flush=True)
    except Failed as error:
        stop(str(error))


if __name__ == "__main__":
    main()
