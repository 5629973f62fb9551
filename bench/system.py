"""A Fairway of the benchmarks' own: started once, used again by the next benchmark.

It lives in the cache folder, listens on a port of its own, and uses the Docker Engine of the
environment. `python -m bench.system down` ends it.
"""

from __future__ import annotations

import atexit
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fairway

PORT = int(os.environ.get("FAIRWAY_BENCH_PORT", "18481"))
BUSY = 4  # slots of its runner, and the parallelism of references
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fairway"
DATA = Path(os.environ.get("FAIRWAY_BENCH_DATA") or _CACHE / "bench")
_SOURCE = Path(fairway.__file__).parent
_FAIRWAY = [sys.executable, "-m", "fairway"]


def _environment() -> dict[str, str]:
    home = DATA.parent / "bench-home"
    home.mkdir(parents=True, exist_ok=True)
    cluster = os.environ.get("FAIRWAY_CLUSTER__EMBEDDED", "off")  # most measure without one
    own = {**os.environ, "FAIRWAY_CLUSTER__EMBEDDED": cluster}
    return {**own, "HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")}


def _identity() -> str:
    """What the running system was made of: with another Engine, which may be gone, it is never
    ready; with other code it is not what we want to know about.
    """
    newest = max(path.stat().st_mtime_ns for path in _SOURCE.rglob("*.py"))
    return f"{os.environ.get('DOCKER_HOST', '')} {_SOURCE} {newest}"


def up() -> System:
    """The running system, started where it is not, or where it is not the one to measure."""
    mark = DATA.parent / f"{DATA.name}-of"
    if DATA.exists() and (not mark.exists() or mark.read_text() != _identity()):
        down()
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text(_identity())
    command = [*_FAIRWAY, "up", "--data", str(DATA), "--port", str(PORT)]
    env = {**_environment(), "FAIRWAY_RUNNER__CAPACITY": str(BUSY)}
    subprocess.run(command, check=True, env=env, stdout=sys.stderr)
    return System((DATA / "keys" / "admin-token").read_text().strip())


def down() -> None:
    """End it and remove its data."""
    command = [*_FAIRWAY, "down", "--data", str(DATA)]
    subprocess.run(command, check=True, env=_environment(), stdout=sys.stderr)
    shutil.rmtree(DATA, ignore_errors=True)


class System:
    """What benchmarks do with it, by plain HTTP."""

    def __init__(self, token: str) -> None:
        self.token = token

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request to the API; returns the decoded answer."""
        data = None if body is None else json.dumps(body)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        line = http.client.HTTPConnection("127.0.0.1", PORT, timeout=120)
        try:
            line.request(method, f"/api/v1{path}", data, headers)
            answer = line.getresponse()
            text = answer.read()
        finally:
            line.close()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:500]!r}")
        return json.loads(text) if text else None

    def stream(self, path: str) -> Iterator[tuple[str, Any]]:
        """Server-sent events as (name, data) until the server ends them."""
        line = http.client.HTTPConnection("127.0.0.1", PORT, timeout=120)
        headers = {"Authorization": f"Bearer {self.token}"}
        line.request("GET", f"/api/v1{path}", headers=headers)
        answer = line.getresponse()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {answer.read()[:500]!r}")
        name = ""
        try:
            for raw in answer:
                text = raw.decode().rstrip("\n")
                if text.startswith("event:"):
                    name = text[6:].strip()
                elif text.startswith("data:"):
                    yield name, json.loads(text[5:])
        finally:
            line.close()

    def url(self, slug: str) -> str:
        """Where to push."""
        return f"http://bench:{self.token}@127.0.0.1:{PORT}/{slug}.git"

    def repository(self, pipeline: str) -> Work:
        """A new repository with this pipeline file, pushed without starting a build."""
        return Work(self, f"bench/r{uuid.uuid4().hex[:10]}", pipeline)

    def start(self, slug: str, params: dict[str, str] | None = None) -> int:
        """Trigger a build; returns its number."""
        body = {"event": "custom", "branch": "main", "params": params or {}}
        return int(self.call("POST", f"/repos/{slug}/builds", body)["number"])

    def finished(self, slug: str, number: int) -> str:
        """Wait on the event stream until a build has ended; returns its status."""
        status = ""
        for name, data in self.stream(f"/repos/{slug}/builds/{number}/stream?logs=false"):
            if name == "build":
                status = data["status"]
        return status


class Work:
    """A clone that benchmarks push from."""

    def __init__(self, system: System, slug: str, pipeline: str) -> None:
        self.slug = slug
        self.folder = Path(tempfile.mkdtemp(prefix="fairway-bench-"))
        atexit.register(self.remove)
        self.git("init", "-q", "-b", "main")
        self.git("remote", "add", "origin", system.url(slug))
        (self.folder / ".drone.yml").write_text(pipeline)
        self.commit("first [skip ci]")
        self.git("push", "-q", "origin", "main")

    def git(self, *arguments: str) -> None:
        """Run git in the clone."""
        names = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
        subprocess.run(["git", *names, *arguments], cwd=self.folder, check=True)

    def commit(self, message: str) -> None:
        """Commit all, changed or not."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)

    def remove(self) -> None:
        """Remove the clone."""
        shutil.rmtree(self.folder, ignore_errors=True)


if __name__ == "__main__" and sys.argv[1:] == ["down"]:
    down()
