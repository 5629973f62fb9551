"""A stage: one pipeline of a build."""

from __future__ import annotations

from msgspec import Struct, field

from fairway.model.status import Status


class Stage(Struct, frozen=True, kw_only=True):
    """A stage as it is stored. Times in milliseconds UTC."""

    id: int
    build: int
    repository: int
    number: int
    name: str
    status: Status
    kind: str = "pipeline"
    type: str = "docker"
    error: str = ""
    reason: str = ""
    exit_code: int = 0
    os: str = "linux"
    arch: str = "amd64"
    variant: str = ""
    kernel: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    depends_on: list[str] = field(default_factory=list)
    on_success: bool = True
    on_failure: bool = False
    concurrency: int = 0
    line: int = 0
    machine: str = ""
    workspace: str = ""
    holder: str = ""
    token: str = ""
    credential: bytes | None = None
    until: int | None = None
    attempt: int = 0
    stop: bool = False
    created: int = 0
    started: int | None = None
    stopped: int | None = None
    version: int = 0


class NewStage(Struct, frozen=True, kw_only=True):
    """A stage to be, with its steps."""

    number: int
    name: str
    status: Status
    steps: list[NewStep]
    kind: str = "pipeline"
    type: str = "docker"
    error: str = ""
    reason: str = ""
    os: str = "linux"
    arch: str = "amd64"
    variant: str = ""
    kernel: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    depends_on: list[str] = field(default_factory=list)
    on_success: bool = True
    on_failure: bool = False
    concurrency: int = 0
    line: int = 0
    workspace: str = ""  # "" becomes a key of the stage's own
    machine: str = ""


class NewStep(Struct, frozen=True, kw_only=True):
    """A step to be, or one whose result is carried from an earlier build."""

    number: int
    name: str
    status: Status = Status.PENDING
    attempt: int = 1
    exit_code: int = 0
    error: str = ""
    image: str = ""
    service: bool = False
    detach: bool = False
    ignored: bool = False
    depends_on: list[str] = field(default_factory=list)
    images: list[dict[str, str]] = field(default_factory=list)
    carried: int = 0
    judges: bool = False  # whether it runs depends on failures before it; not stored
    started: int | None = None
    stopped: int | None = None
