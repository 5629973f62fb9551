"""What people do while Fairway is killed: they push and trigger, and try again until it answers."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from pathlib import Path

from repositories import Repository

from fairway.client.wire.build import Build, Trigger
from fairway.model.errors import FairwayError, Unavailable
from fairway.testing.installation import DONE, Copy, Installation, until

ORG = "crash"
AT_ONCE = 8  # builds that people let wait at most
PATIENCE_S = 300.0


@dataclass
class Accepted:
    """What the server answered with success. Exactly one build must come of each."""

    pushes: list[tuple[str, str]] = field(default_factory=list)  # repository, commit
    triggers: list[tuple[str, str]] = field(default_factory=list)  # repository, mark


class People:
    """One thread of people, with choices of their own by seed."""

    def __init__(self, system: Installation, found: list[Repository], folder: Path, seed: int):
        self.system = system
        self.repositories = found
        self.accepted = Accepted()
        self.refused: list[str] = []
        self._random = random.Random(f"people {seed}")
        self._copies = {one.name: Copy(folder / one.name) for one in found}
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, name="people")
        self._failure: BaseException | None = None

    def begin(self) -> None:
        """One push each, so that there is something to trigger; then as they please."""
        self._thread.start()

    def end(self) -> None:
        """Let them finish what they have begun. Raises what went wrong."""
        self._enough.set()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "people still try"
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            for one in self.repositories:
                self._push(one)
            while not self._enough.is_set():
                until("fewer builds wait", self._room, seconds=PATIENCE_S)
                one = self._random.choice(self.repositories)
                (self._push if self._random.random() < 0.5 else self._trigger)(one)
        except BaseException as error:  # noqa: BLE001 raised again by `end`
            self._failure = error

    def _room(self) -> bool:
        if self._enough.is_set():
            return True
        try:
            waiting = [build for build in self.system.builds() if build.status not in DONE]
        except (FairwayError, OSError):
            return False
        return len(waiting) < AT_ONCE

    def _push(self, one: Repository) -> None:
        copy = self._copies[one.name]
        number = len(self.accepted.pushes)
        commit = copy.commit({**one.files, "number": f"{number}\n"}, f"change {number}")
        remote = self.system.remote(f"{ORG}/{one.name}")
        until("a push", lambda: copy.push(remote, check=False), seconds=PATIENCE_S)
        self.accepted.pushes.append((one.name, commit))

    def _trigger(self, one: Repository) -> None:
        mark = f"{one.name}-{len(self.accepted.triggers)}"
        body = Trigger(event="custom", branch="main", params={"MARK": mark})
        path = f"/repos/{ORG}/{one.name}/builds"

        def ask() -> bool:
            try:
                with self.system.api() as api:
                    api.post(path, body, Build, key=f"crash-{mark}")
            except Unavailable:
                return False
            return True

        until("a trigger", ask, seconds=PATIENCE_S)
        self.accepted.triggers.append((one.name, mark))
