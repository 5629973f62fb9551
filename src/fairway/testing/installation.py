"""A real Fairway of a test: its own process, data directory and port; Git and API as a person.

Blocking, for tests that kill and restart whole processes. Nothing here waits for a time to pass:
`until` asks a condition again and again, up to a deadline.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from fairway.client.http import Api
from fairway.client.wire.build import Build
from fairway.client.wire.repository import Repository
from fairway.kit import trust
from fairway.kit.net import free_port
from fairway.model.errors import FairwayError
from fairway.settings import local_environment

T = TypeVar("T")

READY_S: Final = 240.0
DONE: Final = frozenset({"passed", "failed", "errored", "cancelled", "declined", "skipped"})
_ASK_S: Final = 0.05
_KEPT: Final = ("FAIRWAY_TEST_",)


def until(what: str, ask: Callable[[], T | None], *, seconds: float = 240.0) -> T:
    """The first true answer of `ask`. Raises AssertionError, naming `what`, after the deadline."""
    end, pause = time.monotonic() + seconds, threading.Event()
    while True:
        found = ask()
        if found:
            return found
        assert time.monotonic() < end, f"{what}: not within {seconds:g} s"
        pause.wait(_ASK_S)


class Installation:
    """One data directory, and the process that serves it (or none, between two lives)."""

    def __init__(
        self,
        folder: Path,
        *,
        words: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        data: Path | None = None,
    ) -> None:
        """`folder` also holds working copies and the processes' log."""
        self.folder = folder
        self.data = data or folder / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.words = list(words)
        self.environment = dict(environment or {})
        self.log = folder / "serve.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._token = ""
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o711)

    # ---- the process -----------------------------------------------------------------------------

    def start(self, *, ready: bool = True) -> None:
        """Start `fairway serve`; with `ready`, return once it can do its work."""
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(  # noqa: S603 our own program
                [*self._program("serve"), *self.words],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=self._environment(),
                start_new_session=True,
            )
        if ready:
            self.await_ready()

    def await_ready(self) -> None:
        """Return once it can do its work. Raises AssertionError with its last words."""
        try:
            until("ready", self._ready_or_dead, seconds=READY_S)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.last_words()}") from None
        assert self.process is not None
        assert self.process.poll() is None, self.last_words()

    def _ready_or_dead(self) -> bool:
        import httpx  # noqa: PLC0415 only tests of real processes pay for it

        assert self.process is not None
        if self.process.poll() is not None:
            return True
        url, nobody = f"{self.url}/readyz", trust.nobody()
        try:
            return httpx.get(url, timeout=5, trust_env=False, verify=nobody).is_success
        except httpx.HTTPError:
            return False

    def last_words(self) -> str:
        """The end of the processes' log."""
        return self.log.read_text(errors="replace")[-4000:]

    def kill(self) -> None:
        """SIGKILL to the process alone; its children see what they see when it crashes."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(120)
            self.process = None

    def stop(self) -> int:
        """SIGTERM, and wait. Returns the exit status."""
        if self.process is None:
            return 0
        self.process.terminate()
        try:
            status = self.process.wait(180)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)
            raise AssertionError(f"it did not stop:\n{self.last_words()}") from None
        self.process = None
        return status

    def command(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `fairway WORDS` on this data directory."""
        done = subprocess.run(  # noqa: S603 our own program
            [*self._program(words[0]), *words[1:]],
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        if words[0] == "down" and self.process is not None:
            self.process.wait(120)
            self.process = None
        return done

    def _program(self, command: str) -> list[str]:
        found = [sys.executable, "-m", "fairway", command, "--data", str(self.data)]
        return [*found, "--port", str(self.port)] if command in {"serve", "up"} else found

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in local_environment().items()
            if not name.startswith("FAIRWAY_") or name.startswith(_KEPT)
        }
        contexts = {"FAIRWAY_CONTEXTS": str(self.folder / "contexts.json")}
        alone = {"FAIRWAY_CLUSTER__EMBEDDED": "off"}  # unless a test is about the cluster
        return {**kept, **contexts, **alone, **self.environment}

    # ---- as a person -----------------------------------------------------------------------------

    @property
    def token(self) -> str:
        """The first admin's."""
        if not self._token:
            self._token = (self.data / "keys" / "admin-token").read_text().strip()
        return self._token

    @contextlib.contextmanager
    def api(self) -> Iterator[Api]:
        """The API, as the admin."""
        api = Api(self.url, self.token)
        try:
            yield api
        finally:
            api.close()

    def remote(self, slug: str) -> str:
        """A repository's URL with the admin's token in it."""
        return f"http://admin:{self.token}@127.0.0.1:{self.port}/{slug}.git"

    def create(self, slug: str, *, trusted: bool = False, **changes: Any) -> None:
        """Make a repository (and its organisation), before anything is pushed."""
        with self.api() as api:
            org = slug.partition("/")[0]
            with contextlib.suppress(FairwayError):
                api.post("/orgs", {"name": org}, dict)
            api.post("/repos", {"repository": slug}, Repository)
            if trusted or changes:
                api.patch(f"/repos/{slug}", {"trusted": trusted, **changes}, Repository)

    def build(self, slug: str, number: int) -> Build:
        """One build with its stages."""
        with self.api() as api:
            return api.get(f"/repos/{slug}/builds/{number}", Build)

    def builds(self, slug: str = "") -> list[Build]:
        """All builds, newest first, without their stages."""
        with self.api() as api:
            return list(api.pages("/builds", Build, {"repository": slug} if slug else {}))

    def ended(self, slug: str, number: int = 1, *, seconds: float = 400.0) -> Build:
        """A build once it has ended."""

        def ask() -> Build | None:
            with contextlib.suppress(FairwayError):
                found = self.build(slug, number)
                return found if found.status in DONE else None
            return None

        return until(f"{slug} #{number} ends", ask, seconds=seconds)

    def raw_log(self, slug: str, number: int, stage: int, step: int) -> bytes:
        """A step's whole kept log."""
        with self.api() as api:
            path = f"/repos/{slug}/builds/{number}/logs/{stage}/{step}/raw"
            return api.send("GET", path).content


class Copy:
    """A working copy, pushed with real git."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run git here, as nobody in particular."""
        done = subprocess.run(  # noqa: S603 a test's own words
            ["git", *words],  # noqa: S607 the one on the path
            cwd=self.folder,
            env=git_environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def commit(self, files: Mapping[str, str | bytes], message: str = "change") -> str:
        """Write files and commit all. Returns the commit."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode() if isinstance(text, str) else text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").stdout.strip()

    def push(self, url: str, *, check: bool = True) -> bool:
        """Push main. Returns whether the server took it."""
        return self.git("push", "-q", url, "HEAD:refs/heads/main", check=check).returncode == 0


def git_environment() -> dict[str, str]:
    """Git that reads no configuration of this machine and never asks."""
    who = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in _WHO}
    return {
        "PATH": local_environment().get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        **who,
    }


_WHO: Final = (("NAME", "Ada"), ("EMAIL", "ada@fairway.example"))
