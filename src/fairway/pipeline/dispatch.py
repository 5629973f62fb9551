"""The one contract between a runner and the system: in-process, or over HTTPS with a runner token.

A runner sees neither database nor blob store. It leases a stage, renews the lease while it works,
appends logs, reports what happened, and learns from each answer whether it should stop. Everything
may be called again after a cut: leases carry a token, reports are idempotent by (stage, step,
attempt), log appends state their offsets.
"""

from __future__ import annotations

from typing import Final, Protocol

from msgspec import Struct, field

from fairway.model.image import BuiltImage as BuiltImage  # noqa: PLC0414 part of this contract
from fairway.model.status import Status
from fairway.pipeline.graph import StageGraph

LEASE_SECONDS: Final = 9.0  # a killed holder's work is taken over within 10 s
RENEW_SECONDS: Final = 3.0


class Runner(Struct, frozen=True, kw_only=True):
    """Who asks for work."""

    name: str
    instance: str = ""  # new with every start of the process: tells a restart from a second slot
    type: str = "docker"  # docker | exec
    os: str = "linux"
    arch: str = "amd64"
    variant: str = ""
    kernel: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    capacity: int = 2
    version: str = ""
    reach: str = ""  # the URL at which it reaches the system; "" on the system's own machine


class StepState(Struct, frozen=True, kw_only=True):
    """A step as it was last reported."""

    number: int
    name: str
    status: Status
    attempt: int = 1
    exit_code: int = 0
    error: str = ""
    started: int | None = None
    stopped: int | None = None
    log_raw: int = 0  # raw bytes of this attempt's log that are kept
    log_done: bool = False


class Lease(Struct, frozen=True, kw_only=True):
    """A stage to run, all that is needed for it, and nothing else."""

    stage: int
    build: int
    key: str  # the engine's key of the stage
    token: str  # proves this lease in every later call; a newer lease makes it worthless
    graph: StageGraph
    steps: list[StepState]  # what an earlier holder already reported: those are not run again
    secrets: dict[str, str]  # this stage's, by lower-case name; absent ones are missing
    environment: dict[str, str]  # variables that are known only now (DRONE_STAGE_STARTED, ...)
    clone_url: str = ""
    clone_user: str = ""
    clone_password: str = ""
    registry: str = ""  # our registry's host:port as this runner's engine reaches it
    registry_token: str = ""  # short-lived, this build's rights
    built: dict[str, str] = field(default_factory=dict)  # image name as written -> repo@digest
    workspace: str = ""  # the workspace's key: the stage's own, or the one a retry goes on with
    fallback: StageGraph | None = None  # a retry: what runs when the kept workspace is gone
    log_limit: int = 64 * 1024 * 1024
    deadline: int = 0  # milliseconds UTC: the build's timeout
    limit_s: int = 0  # the whole of that timeout, for what is said when it is reached
    attempt: int = 1  # how often the stage has been leased
    trusted: bool = False  # the repository may use the runner's machine itself
    repository: str = ""  # organisation/name, by the system's word
    deploys: bool = False  # acts for its repository in clusters: nothing of a pull request does


class Orders(Struct, frozen=True):
    """What the system wants of the holder now."""

    stop: bool = False  # end at once: cancelled, or the lease is lost
    reason: str = ""
    until: int = 0  # milliseconds UTC: the lease holds so long


class CaseReport(Struct, frozen=True, kw_only=True):
    """One test case of a report."""

    suite: str
    name: str
    status: str  # passed | failed | errored | skipped
    seconds: float = 0.0
    message: str = ""


class StepReport(Struct, frozen=True, kw_only=True):
    """What became of a step. Idempotent by (stage, step number, attempt, status)."""

    number: int
    status: Status
    attempt: int = 1
    exit_code: int = 0
    error: str = ""
    started: int | None = None
    stopped: int | None = None
    images: list[BuiltImage] = field(default_factory=list)
    cases: list[CaseReport] = field(default_factory=list)
    lines_covered: int = 0
    lines_total: int = 0
    workspace_rebuilt: bool = False


class StageReport(Struct, frozen=True, kw_only=True):
    """What became of the stage: the last word of the holder."""

    status: Status
    error: str = ""
    exit_code: int = 0
    started: int | None = None
    stopped: int | None = None


class Dispatch(Protocol):
    """The way into the system for a runner.

    Every call raises `Unavailable` when the system does not answer (to be retried with backoff for
    as long as the lease could still hold, and for the last report without end) and `Conflict`
    (code `lease-lost`) when the token is no longer the stage's: stop at once and touch nothing.
    """

    async def lease(self, runner: Runner, *, wait_s: float = 30.0) -> Lease | None:
        """The next stage for this runner, waiting at most `wait_s`; None when there is none.

        A stage whose former lease by the same runner name, but another `instance`, still holds is
        handed out again at once (the runner was restarted), others' only after it expired.
        """
        ...

    async def renew(self, stage: int, token: str) -> Orders:
        """Say that the holder lives; learn what is wanted.

        Answers at once when the holder shall stop, else when that is asked or after
        `RENEW_SECONDS`: call it again and again, without a pause, and a stop is heard at once.
        """
        ...

    async def step(self, stage: int, token: str, report: StepReport) -> Orders:
        """Report a step's start or end."""
        ...

    async def append(
        self, stage: int, token: str, step: int, *, attempt: int, offset: int, raw: int, data: bytes
    ) -> int:
        """Keep masked log bytes.

        `offset` is where `data` begins in the kept log of this attempt; `raw` the count of the
        engine's raw bytes that the kept log covers once `data` is kept. Bytes below the kept end
        are dropped (a repeated call). Returns the kept end; raises `Conflict` (code `log-gap`) when
        `offset` lies past it.
        """
        ...

    async def end_log(self, stage: int, token: str, step: int, *, attempt: int) -> None:
        """The log of this attempt is whole."""
        ...

    async def finish(self, stage: int, token: str, report: StageReport) -> None:
        """The stage has ended; the lease is given back."""
        ...
