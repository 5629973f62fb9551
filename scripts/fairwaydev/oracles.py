"""scripts/oracles: builds the programs that tests compare ours with, and prints their folder.

They are Argo Rollouts' own command line, and its own functions behind a line of JSON
(tests/delivery/oracle): never shipped. They are kept in .cache/oracles (or below FAIRWAY_CACHE),
in a folder named after everything that goes into them.
"""

from __future__ import annotations

import fcntl
import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from fairwaydev import go as golang
from fairwaydev.native import go_environment
from fairwaydev.say import ROOT, Failed, answer, cache_folder, say, stop

SOURCE = ROOT / "tests" / "delivery" / "oracle"
_PROGRAMS = {
    "kubectl-argo-rollouts": "github.com/argoproj/argo-rollouts/cmd/kubectl-argo-rollouts",
    "oracle": ".",
}
_FLAGS = ("-trimpath", "-buildvcs=false", "-ldflags=-s -w")
_DONE = "complete"


def key(go_version: str) -> str:
    """Changes with everything that goes into the programs."""
    digest = hashlib.sha256("\0".join((go_version, platform.machine(), *_FLAGS)).encode())
    for path in sorted(path for path in SOURCE.iterdir() if path.is_file()):
        digest.update(b"\0" + path.name.encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def build() -> Path:
    """Have the programs. Raises Failed."""
    go = golang.program()
    kept = cache_folder() / "oracles"
    kept.mkdir(parents=True, exist_ok=True)
    home = kept / key(answer([go, "env", "GOVERSION"]) or "")
    with (kept / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / _DONE).exists():
            _make(go, kept, home)
        for other in kept.iterdir():
            if other.is_dir() and other != home:
                shutil.rmtree(other, ignore_errors=True)
    return home


def _make(go: str, kept: Path, home: Path) -> None:
    say(f"building Argo Rollouts' programs into {home}: minutes from nothing")
    partial = Path(tempfile.mkdtemp(prefix=".build-", dir=kept))
    try:
        for name, package in _PROGRAMS.items():
            _compile([go, "-C", SOURCE, "build", *_FLAGS, "-o", partial / name, package])
        (partial / _DONE).touch()
        partial.chmod(0o755)
        shutil.rmtree(home, ignore_errors=True)
        partial.rename(home)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _compile(command: list[str | Path]) -> None:
    words = ["nice", "-n", "10", *map(str, command)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=go_environment())
    if done.returncode:
        raise Failed(f"an oracle cannot be built:\n{done.stderr.strip()[-4000:]}")


def main() -> None:
    """See the module."""
    if len(sys.argv) > 1:
        stop(__doc__ or "", 2)
    try:
        print(build())
    except Failed as failure:
        stop(str(failure))


if __name__ == "__main__":
    main()
