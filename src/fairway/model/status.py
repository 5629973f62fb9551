"""Where a build, a stage or a step stands. Outcomes are values, never exceptions."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """The one vocabulary of progress; `waiting` and `pending` always carry a reason."""

    BLOCKED = "blocked"  # waits for a person's approval (a protected repository)
    WAITING = "waiting"  # waits for other stages of its build
    PENDING = "pending"  # may run as soon as a runner takes it
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"  # the user's own command or test said no
    ERRORED = "errored"  # it could not be carried out: a bad file, an engine, a registry
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    DECLINED = "declined"  # a person rejected it

    @property
    def done(self) -> bool:
        """Whether it has ended and will not change again."""
        return self in DONE

    @property
    def bad(self) -> bool:
        """Whether what depends on success must not go on."""
        return self in BAD


DONE: Final = frozenset(
    {
        Status.PASSED,
        Status.FAILED,
        Status.ERRORED,
        Status.CANCELLED,
        Status.SKIPPED,
        Status.DECLINED,
    }
)
BAD: Final = frozenset({Status.FAILED, Status.ERRORED, Status.CANCELLED, Status.DECLINED})
