"""What is supervised: one program with its arguments, and how it is. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from fairway.kit.clock import Millis
from fairway.kit.processes import Process

# In a component's environment: whose it is. A start that was cut off before it was written down
# is found again by it.
MARK: Final = "FAIRWAY_COMPONENT"


class State(StrEnum):
    """`waiting`: for what it needs; `unready`: it runs and does not answer; `failed`: it ended,
    or cannot be started, and is tried again after a while.
    """

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    UNREADY = "unready"
    FAILED = "failed"
    STOPPED = "stopped"


Probe = Callable[[], Awaitable[bool]]
Act = Callable[[], Awaitable[None]]


async def runs() -> bool:
    """The probe of a component that is ready as soon as it runs."""
    return True


@dataclass(frozen=True, kw_only=True)
class Component:
    """A program to be kept running.

    `environment` is added to ours. `ready` says whether it serves; it has a deadline of its own,
    and what it raises counts as no. `prepare` runs before each start (folders, stale sockets, the
    namespace); what it raises is the reason why there is no start. `after`: components that must
    be ready before it is started first; it is not restarted when they are. `version`: a change of
    it restarts the component where command and environment stay the same (the content of its
    files).
    """

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: Probe = runs
    prepare: Act | None = None
    netns: Path | None = None
    after: tuple[str, ...] = ()
    version: str = ""
    stop_s: float = 10.0  # how long it may take to end before it is killed
    start_s: float = 300.0  # one that is not ready by then is restarted; on a busy machine, minutes
    hung_s: float = 120.0  # one that was ready and does not answer for so long is restarted
    log_bytes: int = 10 * 1024 * 1024

    @property
    def digest(self) -> str:
        """Changes with whatever a running process would have to be restarted for."""
        parts = [list(self.command), sorted(self.environment.items()), str(self.netns or "")]
        return hashlib.sha256(msgspec.json.encode([*parts, self.version])).hexdigest()[:16]


class ComponentStatus(Struct, frozen=True):
    """How a component is. `since`: when it came into this state. `reason`: why it is not ready,
    or why it was restarted last, with the exit status and its last words.
    """

    name: str
    state: State
    pid: int | None
    since: Millis
    restarts: int
    reason: str = ""


class Record(Struct, frozen=True):
    """What a file remembers of a component, for the next Fairway."""

    name: str
    process: Process
    digest: str
    order: int  # the later it was started, the earlier it is stopped
    stop_s: float
    since: Millis
    restarts: int = 0
    reason: str = ""


class Backoff(Struct, frozen=True):
    """How long to wait before a start: seconds, doubled with each failure in a row."""

    first_s: float = 0.2
    most_s: float = 30.0
    reset_s: float = 60.0  # one that lived so long has not failed in a row

    def failures(self, former: int, lived_s: float) -> int:
        """How many failures in a row there are after another one."""
        return 1 if lived_s >= self.reset_s else former + 1

    def delay(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row."""
        if failures < 1:
            return 0.0
        return min(self.most_s, self.first_s * 2.0 ** min(failures - 1, 30))
