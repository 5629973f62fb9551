"""Builds, stages, steps, their logs and reports."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

from fairway.client.wire.common import Request


class Step(Struct, kw_only=True):
    """A step of a stage."""

    number: int
    name: str
    status: str
    attempt: int = 1
    exit_code: int = 0
    error: str = ""
    reason: str = ""
    image: str = ""
    service: bool = False
    detach: bool = False
    ignored: bool = False
    depends_on: list[str] = field(default_factory=list)
    images: list[dict[str, Any]] = field(default_factory=list)
    carried: int = 0
    started: str | None = None
    stopped: str | None = None
    log_bytes: int = 0
    log_lines: int = 0
    log_truncated: bool = False
    log_removed: bool = False


class Stage(Struct, kw_only=True):
    """A pipeline of a build."""

    number: int
    name: str
    status: str
    type: str = "docker"
    error: str = ""
    reason: str = ""  # why it waits
    os: str = "linux"
    arch: str = "amd64"
    labels: dict[str, str] = field(default_factory=dict)
    depends_on: list[str] = field(default_factory=list)
    machine: str = ""
    attempt: int = 0
    created: str = ""
    started: str | None = None
    stopped: str | None = None
    steps: list[Step] = field(default_factory=list)


class Companion(Struct, kw_only=True):
    """An image that its test environments ran besides what it made."""

    image: str
    digest: str
    origin: str = ""  # "production 1.4.0", or "candidate"


class Build(Struct, kw_only=True):
    """One run of a repository's pipelines. `stages` only where a single build is shown."""

    repository: str
    number: int
    status: str
    event: str
    action: str = ""
    error: str = ""
    reason: str = ""  # why it waits, is blocked or was cancelled
    ref: str = ""
    branch: str = ""
    source: str = ""
    target: str = ""
    before: str = ""
    after: str = ""
    title: str = ""
    message: str = ""
    author: str = ""
    author_name: str = ""
    author_email: str = ""
    sender: str = ""
    trigger: str = ""
    cron: str = ""
    deploy_to: str = ""
    fork: bool = False
    parent: int = 0
    params: dict[str, str] = field(default_factory=dict)
    link: str = ""
    created: str = ""
    started: str | None = None
    finished: str | None = None
    stages: list[Stage] = field(default_factory=list)
    companions: list[Companion] = field(default_factory=list)


class Trigger(Request):
    """A build to start. Which fields count depends on the event.

    custom: `branch` or `commit`, `params`. promote, rollback: `build`, `target`, `params`.
    pull_request: `source`, `target`, `commit`, `title`, `action`.
    """

    event: Literal["custom", "promote", "rollback", "pull_request"] = "custom"
    branch: str = ""
    commit: str = ""
    build: int = 0
    source: str = ""
    target: str = ""
    title: str = ""
    action: str = ""
    number: int = 0
    source_repository: str = ""
    params: dict[str, str] = field(default_factory=dict)
    debug: bool = False


class RetryRequest(Request):
    """What of a build runs again: all, what failed, or one step alone or with its dependents."""

    failed: bool = False
    stage: str = ""
    step: str = ""
    with_dependents: bool = False


class Reason(Request):
    """Why a person does something."""

    reason: str = ""


class LogLines(Struct, kw_only=True):
    """A range of a step's log."""

    first: int  # number of the first line given, from 1
    lines: list[str]
    offset: int  # byte of the log at which the first line begins
    end: int  # byte after the last line given
    total_lines: int
    total_bytes: int
    done: bool
    truncated: bool = False
    removed: bool = False


class LogHit(Struct, kw_only=True):
    """A line that a search found."""

    stage: int
    step: int
    name: str
    line: int
    text: str


class LogChunk(Struct, kw_only=True):
    """A piece of a live log."""

    stage: int
    step: int
    attempt: int
    name: str
    offset: int  # byte at which the text begins
    text: str


class Case(Struct, kw_only=True):
    """One test."""

    suite: str
    name: str
    status: str
    seconds: float = 0.0
    message: str = ""


class StepReports(Struct, kw_only=True):
    """What a step's report files said."""

    stage: str
    step: str
    passed: int = 0
    failed: int = 0
    errored: int = 0
    skipped: int = 0
    lines_covered: int = 0
    lines_total: int = 0
    coverage: float | None = None  # per cent


class Reports(Struct, kw_only=True):
    """The tests and the coverage of a build."""

    passed: int = 0
    failed: int = 0
    errored: int = 0
    skipped: int = 0
    coverage: float | None = None  # per cent
    coverage_before: float | None = None  # of the target branch's last passed build
    coverage_change: float | None = None  # per cent points
    compared_with: int = 0  # number of that build
    failures: list[Case] = field(default_factory=list)
    slowest: list[Case] = field(default_factory=list)
    steps: list[StepReports] = field(default_factory=list)
