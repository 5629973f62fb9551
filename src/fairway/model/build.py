"""A build: one run of a repository's pipelines."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from fairway.model.status import Status


class BuildEvent(StrEnum):
    """What began a build, in Drone's words."""

    PUSH = "push"
    TAG = "tag"
    PULL_REQUEST = "pull_request"
    CUSTOM = "custom"
    CRON = "cron"
    PROMOTE = "promote"
    ROLLBACK = "rollback"


class RetryScope(StrEnum):
    """What of a build runs again."""

    ALL = "all"
    FAILED = "failed"
    STEP = "step"


class Retry(Struct, frozen=True, kw_only=True):
    """What of the parent runs again. `stage` and `step` name one step for the scope `step`."""

    scope: RetryScope = RetryScope.ALL
    stage: str = ""
    step: str = ""
    descendants: bool = False  # the step's dependants too


class Companion(Struct, frozen=True, kw_only=True):
    """An image that a build's test environments run besides what the build makes."""

    image: str  # its path in our registry
    digest: str
    origin: str = ""  # "production 1.4.0", or "candidate"


class Build(Struct, frozen=True, kw_only=True):
    """A build as it is stored. Times in milliseconds UTC."""

    id: int
    repository: int
    number: int
    event: str
    status: Status
    trigger_key: str | None = None
    trigger: str = ""
    action: str = ""
    error: str = ""
    reason: str = ""
    verdict: str = ""  # the status that it must end with whatever its stages say, or ""
    ref: str = ""
    source: str = ""
    target: str = ""
    source_repo: str = ""
    before: str = ""
    after: str = ""
    title: str = ""
    message: str = ""
    author_login: str = ""
    author_name: str = ""
    author_email: str = ""
    sender: str = ""
    link: str = ""
    cron: str = ""
    deploy_to: str = ""
    deploy_id: int = 0
    fork: bool = False
    parent: int = 0
    retry: Retry | None = None
    params: dict[str, str] = field(default_factory=dict)
    config: str = ""  # the pipeline file as it was
    expanded: str = ""  # ... with its templates expanded; "" where that is the same
    changed: list[str] | None = None
    debug: bool = False
    companions: list[Companion] = field(default_factory=list)
    created: int = 0
    started: int | None = None
    finished: int | None = None
    deadline: int | None = None
    version: int = 0

    @property
    def text(self) -> str:
        """What stages are compiled from."""
        return self.expanded or self.config

    @property
    def facts(self) -> dict[str, Any]:
        """The columns that say what is built, which a retry and a promotion take over."""
        return {name: getattr(self, name) for name in FACTS}


FACTS = (
    "ref",
    "source",
    "target",
    "source_repo",
    "before",
    "after",
    "title",
    "message",
    "author_login",
    "author_name",
    "author_email",
    "link",
    "fork",
)
