"""Change requests."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from fairway.client.wire.common import Request


class CheckResult(Struct, kw_only=True):
    """A pipeline of the last build of its merge."""

    name: str
    status: str
    required: bool = False


class Change(Struct, kw_only=True):
    """A change request: the branch `source` asks to come into `target`.

    `merge` is the commit that the target would become, "" while they conflict. `check` and
    `build` tell of its last build.
    """

    repository: str
    number: int
    state: str
    source: str
    target: str
    title: str
    description: str = ""
    author: str = ""
    head: str = ""
    base: str = ""
    merge: str = ""
    conflicts: list[str] = field(default_factory=list)
    check: str = ""
    stale: bool = False  # the target has moved since it was tested
    build: int = 0
    checks: list[CheckResult] = field(default_factory=list)
    when_green: str = ""
    green_by: str = ""
    merged: str = ""
    merged_by: str = ""
    reason: str = ""
    link: str = ""
    created: str = ""
    changed: str = ""
    closed: str | None = None


class ChangeCreate(Request):
    """A new change request. `target` "" is the default branch, `title` "" the last commit's."""

    source: str
    target: str = ""
    title: str = ""
    description: str = ""


class ChangeMerge(Request):
    """How it is merged: `when_green` waits for its checks."""

    method: Literal["merge", "squash"] = "merge"
    when_green: bool = False


class ChangeClose(Request):
    """Why it is closed."""

    reason: str = ""
