"""A running Fairway, and a person who uses it: `git`, the command line, a receiver of calls."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from fairway.client.http import Api
from fairway.client.wire.build import Build, Stage, Step
from fairway.model.errors import NotFound

WAIT_S = 300
_PASSED = ("LANG", "PYTHONPATH", "FAIRWAY_NATIVE__DIR")
HEAD = "kind: pipeline\ntype: docker\nname: default\n"


def steps(text: str) -> str:
    """A pipeline `default` of these lines."""
    return HEAD + textwrap.dedent(text).lstrip("\n")


class Done:
    """What a command said."""

    def __init__(self, done: subprocess.CompletedProcess[bytes]) -> None:
        self.code = done.returncode
        self.out = done.stdout.decode(errors="replace")
        self.err = done.stderr.decode(errors="replace")
        self.all = self.out + self.err

    def json(self) -> Any:
        """Its standard output as JSON."""
        return json.loads(self.out)


class Ground:
    """One `fairway up`, for a whole session."""

    def __init__(self, folder: Path, docker: str, port: int) -> None:
        self.folder, self.port = folder, port
        self.home, self.data = folder / "home", folder / "data"
        self.home.mkdir()
        self.url = f"http://127.0.0.1:{port}"
        self.registry = f"127.0.0.1:{port}"
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {
            **{name: os.environ[name] for name in _PASSED if name in os.environ},
            "PATH": programs,
            "HOME": str(self.home),
            "DOCKER_HOST": docker,
            "GIT_CONFIG_NOSYSTEM": "1",
            "FAIRWAY_CLUSTER__EMBEDDED": "off",  # tests/kubernetes has its own
            "GIT_TERMINAL_PROMPT": "0",
            "FAIRWAY_PIPELINE__IMAGES": json.dumps({"shell:*": "busybox:latest"}),
        }
        self.token = ""
        self.ca = ""  # of an authority of its own
        self._api: Api | None = None
        self._count = 0
        self._templates: Repository | None = None

    def up(self) -> None:
        """Start it, as a person would; the first start makes a token and a context."""
        done = self.run("up", "--data", str(self.data), "--port", str(self.port))
        assert done.code == 0, done.all
        config = json.loads((self.home / ".config/fairway/config").read_text())
        self.token = config["contexts"][config["current"]]["token"]

    def down(self) -> None:
        """Stop it and leave nothing of ours."""
        if self._api is not None:
            self._api.close()
        done = self.run("down", "--purge", "--yes", "--data", str(self.data))
        assert done.code == 0, done.all

    @property
    def api(self) -> Api:
        """The API, as the admin. For the test's own thread."""
        if self._api is None:
            self._api = Api(self.url, self.token, ca=self.ca)
        return self._api

    def run(self, *words: str, cwd: Path | None = None, given: str = "", **env: str) -> Done:
        """`fairway WORDS`."""
        return self.program(
            sys.executable, "-m", "fairway", *words, cwd=cwd or self.folder, given=given, **env
        )

    def ok(self, *words: str, given: str = "", cwd: Path | None = None) -> Done:
        """`fairway WORDS`, which must succeed."""
        done = self.run(*words, given=given, cwd=cwd)
        assert done.code == 0, done.all
        return done

    def program(
        self, *words: str, cwd: Path, given: str = "", seconds: float = 330, **env: str
    ) -> Done:
        """Any program, with the person's environment."""
        done = subprocess.run(
            words,
            cwd=cwd,
            env={**self.environment, **env},
            input=given.encode(),
            capture_output=True,
            timeout=seconds,
            check=False,
        )
        return Done(done)

    def docker(self, *words: str) -> Done:
        """`docker WORDS`, which must succeed."""
        done = self.program("docker", *words, cwd=self.folder)
        assert done.code == 0, done.all
        return done

    def repository(self, name: str = "", **settings: Any) -> Repository:
        """A new repository of a name of its own, in the organisation `e2e`, with a working copy."""
        self._count += 1
        made = Repository(self, f"e2e/{name or 'r'}{self._count}")
        if settings:
            self.ok("repo", "create", made.slug)
            self.api.patch(f"/repos/{made.slug}", settings, dict)
        return made

    def templates(self) -> Repository:
        """The organisation's template repository: there is one, whoever asks first makes it."""
        if self._templates is None:
            self._templates = Repository(self, "e2e/templates")
        return self._templates


class Repository:
    """A repository, its working copy, and its builds."""

    def __init__(self, ground: Ground, slug: str) -> None:
        self.ground, self.slug = ground, slug
        self.folder = ground.folder / "work" / slug
        self.folder.mkdir(parents=True)
        self.remote = f"{ground.url}/{slug}.git".replace("://", f"://admin:{ground.token}@", 1)
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Ada")
        self.git("config", "user.email", "ada@fairway.example")
        self.git("remote", "add", "origin", self.remote)

    def git(self, *words: str) -> str:
        """Real git, which must succeed."""
        done = self.ground.program("git", *words, cwd=self.folder)
        assert done.code == 0, done.all
        return done.out.strip()

    def commit(self, files: Mapping[str, str], message: str = "a change") -> str:
        """Write and commit files. Returns the commit."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def push(self, ref: str = "main") -> None:
        """`git push`."""
        self.git("push", "-q", "origin", ref)

    def build(
        self, pipeline: str, files: Mapping[str, str] | None = None, message: str = "a change"
    ) -> Build:
        """Push this pipeline and wait for the end of its build."""
        self.start(pipeline, files, message)
        return self.ended()

    def start(
        self, pipeline: str, files: Mapping[str, str] | None = None, message: str = "a change"
    ) -> int:
        """Push this pipeline; the number of the build that comes of it."""
        before = self.last()
        self.commit({".drone.yml": pipeline, **(files or {})}, message)
        self.push()
        return self.next(before)

    def last(self) -> int:
        """The number of the last build; 0 without one."""
        query = {"repository": self.slug, "limit": 1}
        with contextlib.suppress(NotFound):
            found = self.ground.api.get("/builds", dict, query)["items"]
            return int(found[0]["number"]) if found else 0
        return 0

    def next(self, before: int) -> int:
        """The first build after `before`, once there is one."""
        params = {"kinds": "build-created", "repository": self.slug, "since": 1}
        with contextlib.closing(self.ground.api.stream("/events", params)) as stream:
            for message in stream:
                number = int(msgspec.json.decode(message.data)["data"]["number"])
                if number > before:
                    return number
        raise AssertionError("the stream ended")

    def candidate(self) -> str:
        """The digest of the repository's first candidate, once there is one."""
        params = {"kinds": "candidate-made", "repository": self.slug, "since": 1}
        with contextlib.closing(self.ground.api.stream("/events", params)) as stream:
            for message in stream:
                return str(msgspec.json.decode(message.data)["data"]["digest"])
        raise AssertionError("the stream ended")

    def ended(self, number: int | str = "last") -> Build:
        """A build with its stages, once it has ended: `fairway wait`."""
        self.ground.run("wait", str(number), "-R", self.slug, "--timeout", str(WAIT_S))
        return self.show(number)

    def show(self, number: int | str = "last") -> Build:
        """A build as it is now."""
        at = self.last() if number == "last" else number
        return self.ground.api.get(f"/repos/{self.slug}/builds/{at}", Build)

    def until(self, number: int, ready: Any) -> Build:
        """A build as soon as `ready(build)` holds: by its event stream."""
        path = f"/repos/{self.slug}/builds/{number}/stream"
        with contextlib.closing(self.ground.api.stream(path)) as stream:
            for message in stream:
                if message.event == "build":
                    found = msgspec.json.decode(message.data, type=Build)
                    if ready(found):
                        return found
        raise AssertionError(f"the build ended before: {self.show(number)}")

    def says(self, number: int, text: str) -> None:
        """Return once a step's log holds `text`."""
        seen = ""
        path = f"/repos/{self.slug}/builds/{number}/stream"
        with contextlib.closing(self.ground.api.stream(path)) as stream:
            for message in stream:
                if message.event == "log":
                    seen += json.loads(message.data)["text"]
                    if text in seen:
                        return
        raise AssertionError(f"the build ended without {text!r}: {seen}")

    def log(self, step: str, number: int | str = "last", *, stage: str = "") -> str:
        """A step's log."""
        found = self.show(number)
        for one in found.stages:
            for each in one.steps:
                if each.name == step and stage in {"", one.name}:
                    path = f"/repos/{self.slug}/builds/{found.number}/logs"
                    return self.ground.api.text(f"{path}/{one.number}/{each.number}/raw")
        raise AssertionError(f"there is no step {step}")

    def cli(self, *words: str) -> Done:
        """`fairway WORDS -R` this repository."""
        return self.ground.run(*words, "-R", self.slug)


def stage_of(build: Build, name: str = "default") -> Stage:
    """A pipeline of a build."""
    return next(stage for stage in build.stages if stage.name == name)


def step_of(build: Build, name: str, stage: str = "") -> Step:
    """A step of a build."""
    return next(
        step
        for one in build.stages
        if stage in {"", one.name}
        for step in one.steps
        if step.name == name
    )


def statuses(build: Build) -> dict[str, str]:
    """Every step's status by its name."""
    return {step.name: step.status for stage in build.stages for step in stage.steps}


class Receiver:
    """A receiver of HTTP calls: keeps them, answers with `status`."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(size).decode()
                call = {"path": self.path, "headers": dict(self.headers), "body": body}
                outer.calls.append(call)
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver for a while."""
    receiver = Receiver()
    try:
        yield receiver
    finally:
        receiver.close()
