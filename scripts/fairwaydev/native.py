"""scripts/native [--wait | --background]: builds the programs of native/ and prints their folder.

They are kept in .cache/native (or below FAIRWAY_CACHE), in a folder named after everything that
goes into them; .cache/native/current of the checkout leads to it. From nothing it takes some
minutes, later seconds. --background builds on while other things run, and returns at once;
--wait (the default) shows how far it is until it is done.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fairwaydev import definitions
from fairwaydev import go as golang
from fairwaydev.children import end_in_good_order
from fairwaydev.progress import LINKS, Line, Progress, under_way
from fairwaydev.say import ROOT, Failed, answer, cache_folder, say, stop

SOURCE = ROOT / "native"
_FLAGS = ("-trimpath", "-buildvcs=false")
_ENV = {"CGO_ENABLED": "0", "GOWORK": "off", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
_KEPT = 3  # builds, so that going back to an earlier commit costs nothing
_VERSIONS = "versions.json"


@dataclass(frozen=True)
class Program:
    """One program: the package that is built, in the module of a folder."""

    name: str
    module: Path
    package: str


PROGRAMS = (
    Program("pause", SOURCE, "./pause"),
    Program("fairway-compose", SOURCE / "compose", "github.com/docker/compose/v5/cmd"),
    Program("fairway-native", SOURCE, "."),
)

# Where each part's own version comes from, and what is told of it when linking.
_PARTS = {
    "kubernetes": (SOURCE, "k8s.io/kubernetes"),
    "helm": (SOURCE, "helm.sh/helm/v4"),
    "coredns": (SOURCE, "github.com/coredns/coredns"),
    "etcd": (SOURCE, "go.etcd.io/etcd/server/v3"),
    "metrics-server": (SOURCE, "sigs.k8s.io/metrics-server"),
    "kustomize": (SOURCE, "sigs.k8s.io/kustomize/api"),
    "compose": (SOURCE / "compose", "github.com/docker/compose/v5"),
}

# What `scripts/test native` runs, by `go_command`.
CHECKS = (
    ("go", "vet", "./..."),
    ("go", "tool", "-modfile=tools/go.mod", "staticcheck", "./..."),
    ("go", "test", "-vet=off", "./..."),
)


def go_command(words: tuple[str, ...]) -> tuple[list[str | Path], dict[str, str]]:
    """A command of Go on native/, and its environment: as the build's, so that caches are shared.

    Raises Failed.
    """
    shared = {**_ENV, "GOFLAGS": " ".join(_FLAGS)}
    return [golang.program(), "-C", SOURCE, *words], shared


def versions() -> dict[str, str]:
    """The version of each part, as go.mod pins it. Raises Failed when one is not pinned."""
    found = {}
    for part, (folder, module) in _PARTS.items():
        pinned = re.search(
            rf"^(?:require)?\s+{re.escape(module)} (v\S+)",
            (folder / "go.mod").read_text(),
            re.MULTILINE,
        )
        if pinned is None:
            raise Failed(f"{folder / 'go.mod'} does not require {module}")
        found[part] = pinned[1]
    return found


def stamps(found: dict[str, str]) -> str:
    """The linker's flags that tell the programs their versions."""
    major, minor, _ = found["kubernetes"].removeprefix("v").split(".", 2)
    values = {"helm.sh/helm/v4/internal/version.version": found["helm"]}
    values["github.com/docker/compose/v5/internal.Version"] = found["compose"]
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        values[f"{package}.gitVersion"] = found["kubernetes"]
        values[f"{package}.gitMajor"], values[f"{package}.gitMinor"] = major, minor
        values[f"{package}.gitTreeState"] = "clean"
    return " ".join(["-s -w", *(f"-X {name}={value}" for name, value in values.items())])


def sources() -> list[Path]:
    """The files that go into the programs."""
    modules = (SOURCE / "go.mod", SOURCE / "go.sum")
    compose = (SOURCE / "compose" / "go.mod", SOURCE / "compose" / "go.sum")
    code = (path for path in SOURCE.rglob("*.go") if not path.name.endswith("_test.go"))
    return sorted([*modules, *compose, *definitions.sources(), *code])


def key(go_version: str) -> str:
    """Changes with everything that goes into the programs."""
    digest = hashlib.sha256("\0".join((go_version, platform.machine(), *_FLAGS)).encode())
    digest.update(stamps(versions()).encode())
    digest.update(" ".join(definitions.KINDS).encode())
    for path in sources():
        digest.update(b"\0" + str(path.relative_to(SOURCE)).encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def folder() -> Path:
    """Where builds are kept."""
    found = cache_folder() / "native"
    found.mkdir(parents=True, exist_ok=True)
    return found


def build() -> Path:
    """Have the programs, and the checkout's link lead to them. Raises Failed."""
    go = golang.program()
    home = _home(go)
    while not _is_complete(home):
        with _alone():
            if not _is_complete(home):
                _make(go, home)
        home = _home(go)  # another one if native/ has changed meanwhile
    _point_to(home)
    os.utime(home)
    prune(folder(), home)
    return home


def _home(go: str) -> Path:
    return folder() / key(answer([go, "env", "GOVERSION"]) or "")


def _is_complete(home: Path) -> bool:
    return (home / _VERSIONS).exists()


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Two builds at once would only take each other's processors."""
    with (folder() / ".lock").open("w") as lock:
        line = Line()
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            line.show(under_way() or "another checkout builds them")
            time.sleep(1)
        line.end()
        yield


def _point_to(home: Path) -> None:
    """Atomically: someone may be looking."""
    LINKS.mkdir(parents=True, exist_ok=True)
    link = LINKS / "current"
    if link.is_symlink() and link.readlink() == home:
        return
    partial = Path(tempfile.mktemp(prefix=".current-", dir=LINKS))
    partial.symlink_to(home)
    partial.replace(link)


def prune(kept: Path, used: Path) -> None:
    """Remove the builds that were used least lately, and what killed builds left.

    A build that runs stays: what ends of it has to be started again.
    """
    running = {program.parent for program in _running()}
    builds = [path for path in kept.iterdir() if _is_complete(path) and path != used]
    builds = [path for path in builds if path.resolve() not in running]
    builds.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in builds[_KEPT - 1 :]:
        shutil.rmtree(path, ignore_errors=True)
    with (kept / ".lock").open("w") as lock, contextlib.suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for path in kept.glob(".build-*"):
            shutil.rmtree(path, ignore_errors=True)


def _running() -> Iterator[Path]:
    for link in Path("/proc").glob("[0-9]*/exe"):
        with contextlib.suppress(OSError):  # ended meanwhile, or another user's
            yield link.readlink()


def _make(go: str, home: Path) -> None:
    say(f"building the programs of native/ into {home}")
    LINKS.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".build-", dir=folder()))
    usual = folder() / "minutes.json"
    last = json.loads(usual.read_text())["seconds"] if usual.exists() else 0.0
    progress = Progress(_count(go), last)
    try:
        found = versions()
        for program in PROGRAMS:
            _compile(go, program, partial / program.name, progress)
        compiled, seconds = progress.end()
        shutil.copyfile(SOURCE / "NOTICE", partial / "NOTICE")
        definitions.copy(go, partial, _ENV)
        (partial / _VERSIONS).write_text(json.dumps(found, indent=1) + "\n")
        if compiled > 1000:  # from nothing, or nearly: worth telling the next one
            usual.write_text(json.dumps({"seconds": seconds, "packages": compiled}))
        partial.chmod(0o755)
        if _home(go) != home:
            say("native/ has changed while it was built: building it again")
            return
        partial.rename(home)
        say(f"built: {compiled} packages compiled, {seconds:.0f} s")
    finally:
        progress.end()
        shutil.rmtree(partial, ignore_errors=True)


def _count(go: str) -> int:
    """How many packages the programs have, each module's counted."""
    total = 0
    for program in PROGRAMS[1:]:
        listed = _go(go, program.module, "list", "-deps", program.package)
        done = subprocess.run(
            listed, capture_output=True, text=True, check=False, env=go_environment()
        )
        if done.returncode:
            raise Failed(f"Go cannot list what {program.name} needs:\n{done.stderr.strip()}")
        total += done.stdout.count("\n")
    return total


def _go(go: str, module: Path, *words: str | Path) -> list[str]:
    return [go, "-C", str(module), *map(str, words)]


def go_environment() -> dict[str, str]:
    """The environment that Go builds our programs in."""
    return {**os.environ, **_ENV}


def _compile(go: str, program: Program, target: Path, progress: Progress) -> None:
    flags = ("-v", *_FLAGS, f"-ldflags={stamps(versions())}", "-o", target, program.package)
    child = subprocess.Popen(
        _go(go, program.module, "build", *flags),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=go_environment(),
    )
    said: list[str] = []
    progress.tell()
    try:
        for line in child.stderr or ():
            if re.fullmatch(r"[\w./~-]+", line.strip()):
                progress.compiled()
            elif not line.startswith("go: downloading"):
                said.append(line.rstrip())
        if child.wait():
            progress.end()
            text = "\n".join(said[-30:])
            raise Failed(f"{program.name} cannot be built:\n{text}")
    finally:
        child.kill() if child.poll() is None else None
        child.wait()


def is_built() -> bool:
    """Whether a suite that needs the programs would wait for nothing."""
    with contextlib.suppress(Failed):
        return _is_complete(_home(golang.program()))
    return True  # no Go: the suite itself says so


def in_background() -> None:
    """Start a build that goes on when we end, unless nothing is to be done. Raises Failed."""
    go = golang.program()
    home = _home(go)
    if _is_complete(home):
        _point_to(home)
        return
    LINKS.mkdir(parents=True, exist_ok=True)
    log = LINKS / "build.log"
    say("building the programs of native/ (Kubernetes and others) in the background")
    with log.open("w") as output:
        subprocess.Popen(
            ["nice", "-n", "10", sys.executable, "-m", "fairwaydev.native", "--wait"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="scripts/native",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--wait", action="store_true", help="until they are built (the default)")
    chosen.add_argument("--background", action="store_true", help="return at once")
    end_in_good_order()
    try:
        if parser.parse_args().background:
            in_background()
        else:
            print(build(), flush=True)
    except Failed as error:
        stop(str(error))
    except KeyboardInterrupt:
        stop("interrupted; the same command goes on where this one was", 130)


if __name__ == "__main__":
    main()
