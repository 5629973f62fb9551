"""A change request: a branch that asks to come into another (a pull request)."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct, field


class ChangeState(StrEnum):
    """Where a change request stands."""

    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


class Check(StrEnum):
    """What became of the last build of its merge."""

    WAITING = "waiting"  # no build was made yet
    PENDING = "pending"
    PASSED = "passed"
    FAILED = "failed"
    ERRORED = "errored"
    CANCELLED = "cancelled"
    DECLINED = "declined"
    NONE = "none"  # no pipeline is for a pull request here

    @property
    def settled(self) -> bool:
        """Whether there is nothing to wait for."""
        return self not in {Check.WAITING, Check.PENDING}


class ChangeRequest(Struct, frozen=True, kw_only=True):
    """A change request as it is stored. Times in milliseconds UTC.

    `merge` is what the target becomes: `head` merged into `base`, or "" while they conflict.
    `check` and `build` tell of `tested`: the merge that was built last, which is older than
    `merge` once the target has moved on.
    """

    id: int
    repository: int
    number: int
    source: str
    target: str
    title: str
    description: str = ""
    author: str = ""
    state: ChangeState = ChangeState.OPEN
    head: str = ""
    base: str = ""
    merge: str = ""
    conflicts: list[str] = field(default_factory=list)
    tested: str = ""
    build: int = 0
    check: Check = Check.WAITING
    when_green: str = ""  # merge | squash: how it is merged as soon as its checks have passed
    green_by: str = ""  # who asked for that
    green_user: int | None = None
    merging: str = ""  # the commit that is about to become the target's
    merged: str = ""
    merged_by: str = ""
    reason: str = ""  # why it was closed, or not merged when green
    created: int = 0
    changed: int = 0
    closed: int | None = None
    version: int = 0

    @property
    def ref(self) -> str:
        """The ref of its merge; its builds are of this ref."""
        return f"refs/changes/{self.number}/merge"

    @property
    def head_ref(self) -> str:
        """The ref of its head, which stays when its branch goes."""
        return f"refs/changes/{self.number}/head"
