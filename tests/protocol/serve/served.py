"""A Fairway of its own process, without an engine, as an operator starts it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx

READY_S = 60
_KEPT = ("PATH", "LANG", "SSL_CERT_FILE")


class Served:
    """`fairway serve` on a data directory of its own, and the command line beside it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.data, self.home = folder / "data", folder / "home"
        self.home.mkdir(exist_ok=True)
        self.environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | {
            "HOME": str(self.home),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "FAIRWAY_CLUSTER__EMBEDDED": "off",  # tests/kubernetes has its own
        }
        self.log = folder / "log"

    @property
    def token(self) -> str:
        """The first admin's."""
        return (self.data / "keys" / "admin-token").read_text().strip()

    @contextlib.contextmanager
    def running(self, *options: str, scheme: str = "http") -> Iterator[str]:
        """Start it, wait until it is ready, give its address; in the end stop it."""
        url = f"{scheme}://127.0.0.1:{self.port}"
        words = (*self.words(), *options)
        with self.log.open("wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "fairway", *words],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
            )
        try:
            self._await(child, url)
            yield url
        finally:
            child.send_signal(signal.SIGTERM)
            assert child.wait(READY_S) == 0, self.log.read_text()

    def words(self, data: Path | None = None) -> list[str]:
        """The command that starts it: every role but the runner, which would need an engine."""
        roles = [word for role in ("server", "git", "controllers") for word in ("--role", role)]
        return ["serve", "--data", str(data or self.data), "--port", str(self.port), *roles]

    def _await(self, child: subprocess.Popen[bytes], url: str) -> None:
        for _ in range(READY_S * 10):
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{url}/healthz", verify=False, trust_env=False).is_success:
                    return
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(0.1)
                break
        raise AssertionError(self.log.read_text())

    def run(self, *words: str, data: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        """Run a program to its end."""
        return subprocess.run(
            words,
            input=data,
            capture_output=True,
            text=True,
            timeout=READY_S,
            check=False,
            env=self.environment | more,
            cwd=self.folder,
        )

    def fairway(self, *words: str, data: str = "") -> subprocess.CompletedProcess[str]:
        """Run one command line."""
        return self.run(sys.executable, "-m", "fairway", *words, data=data)
