"""What the Git benchmarks share: our host in a process of its own, and a repository of 50 MB."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from fairway.testing.githost import git_environment

FILES = 200
FILE_BYTES = 256 * 1024
COMMITS = 20


class Place(Struct, frozen=True):
    """Where things are."""

    root: Path
    work: Path
    url: str

    def git(self, *words: str) -> float:
        """Run git in the work folder. Returns its seconds."""
        begun = time.perf_counter()
        subprocess.run(
            ["git", *words],
            cwd=self.work,
            env=git_environment(self.root),
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return time.perf_counter() - begun

    def bare(self, name: str) -> str:
        """The path of a new bare repository."""
        path = self.root / name
        self.git("init", "-q", "--bare", "-b", "main", str(path))
        return str(path)


@contextmanager
def place() -> Iterator[Place]:
    """A host, and 50 MB over twenty commits, packed."""
    root = Path(tempfile.mkdtemp(prefix="fairway-bench-git-"))
    data = root / "host"
    data.mkdir()
    server = subprocess.Popen(
        [sys.executable, "-m", "fairway.testing.githost", str(data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        start_new_session=True,  # as `fairway up` has it: the kernel shares out time by session
    )
    try:
        line = server.stdout.readline() if server.stdout else b""
        told = json.loads(line)
        made = Place(root, root / "work", told["url"].replace("//", f"//any:{told['token']}@"))
        _fill(made)
        yield made
    finally:
        server.terminate()
        server.wait()
        for pipe in (server.stdin, server.stdout):
            if pipe:
                pipe.close()
        shutil.rmtree(root, ignore_errors=True)


def _fill(made: Place) -> None:
    made.work.mkdir()
    made.git("init", "-q", "-b", "main")
    content = random.Random(1)
    for commit in range(COMMITS):
        for number in range(commit, FILES, COMMITS):
            (made.work / f"file{number}").write_bytes(content.randbytes(FILE_BYTES))
        made.git("add", "-A")
        made.git("commit", "-q", "-m", f"change {commit}")
    made.git("repack", "-q", "-a", "-d")
