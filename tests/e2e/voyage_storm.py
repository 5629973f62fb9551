"""A storm: Fairway is killed (-9) again and again, at moments drawn from a seed."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Final

import httpx
from ground import Ground

from fairway.kit import processes, trust

KILLS: Final = {
    "first build": 6,
    "first approval": 3,
    "second build": 5,
    "second approval": 3,
    "rollback": 3,
}
_STARTING_S = (0.2, 3.0)  # after a start's beginning: one of four kills
_WORKING_S = (0.0, 5.0)  # after it was ready: the others


class Storm:
    """Of one ground whose Fairway is up. `kills` is how many there were."""

    def __init__(self, ground: Ground, seed: int) -> None:
        self.kills = 0
        self._ground = ground
        self._choice = random.Random(f"storm {seed}")
        self._child: subprocess.Popen[bytes] | None = None
        self._over = threading.Event()

    @contextlib.contextmanager
    def __call__(self, chapter: str) -> Iterator[None]:
        """Kill it as often as the chapter has it; the block ends when that is done."""
        moments = [self._moment() for _ in range(KILLS[chapter])]
        thread = threading.Thread(target=self._rage, args=(moments,), name="storm")
        thread.start()
        try:
            yield
        except BaseException:
            self._over.set()
            raise
        finally:
            thread.join()

    def _moment(self) -> tuple[bool, float]:
        """Whether it counts from when Fairway is ready, and seconds."""
        working = self._choice.random() < 0.75
        return working, self._choice.uniform(*(_WORKING_S if working else _STARTING_S))

    def _rage(self, moments: list[tuple[bool, float]]) -> None:
        for working, seconds in moments:
            if working:
                processes.wait_for(lambda: self._over.is_set() or self._ready(), 120)
            if self._over.wait(seconds):
                return
            self._kill()
            self._start()
            self.kills += 1

    def _ready(self) -> bool:
        url, nobody = f"{self._ground.url}/readyz", trust.nobody()
        try:
            return httpx.get(url, timeout=5, trust_env=False, verify=nobody).is_success
        except httpx.HTTPError:
            return False

    def _kill(self) -> None:
        if self._child is None:  # the one that `fairway up` started
            pid = json.loads((self._ground.data / "run" / "fairway.json").read_text())["pid"]
            os.kill(pid, signal.SIGKILL)
            processes.wait_for(lambda: processes.identify(pid) is None, 60)
            return
        self._child.kill()
        self._child.wait()

    def _start(self) -> None:
        ground = self._ground
        with (ground.data / "run" / "fairway.log").open("ab") as out:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "fairway", "serve",
                 "--data", str(ground.data), "--port", str(ground.port)],
                env=ground.environment, cwd="/", stdout=out, stderr=out,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    def end(self) -> None:
        """`fairway down`, and collect the last process."""
        if self._child is not None:
            self._ground.ok("down", "--data", str(self._ground.data))
            self._child.wait(120)


@contextlib.contextmanager
def storm(ground: Ground, seed: int) -> Iterator[Storm]:
    """Weather for a voyage, whose last Fairway ends with the block."""
    made = Storm(ground, seed)
    try:
        yield made
    finally:
        made.end()
