"""Every error that Fairway raises on purpose: one drawn tree.

    FairwayError
    ├── InvalidInput        what was given cannot be right; changing it helps, retrying does not
    │   └── BadFile         the same, with a place in a file
    ├── Unauthenticated     no identity, or one that does not hold
    ├── Forbidden           an identity without this right
    ├── NotFound            nothing of that name that the asker may see
    ├── Conflict            it exists, has changed, or is in use
    ├── TooLarge            past a stated limit
    ├── Unavailable         may be retried: an engine, a registry, a disk, a network
    │   └── Busy            may be retried soon: capacity
    └── Internal            a defect of ours

Each has a stable `code` (kebab-case, never reused), a sentence that says what happened and where,
and a `remedy` that says what to do. Outcomes of builds are values (`model/status.py`), not errors.
`docs/reference/errors.md` is generated from this tree and from the codes declared with `code=`.
"""

from __future__ import annotations

from typing import ClassVar


class FairwayError(Exception):
    """The root. `status` is the HTTP status, `exit_code` the command line's."""

    code: str = "error"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 2
    retriable: ClassVar[bool] = False

    def __init__(self, message: str, *, code: str = "", remedy: str = "", where: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.remedy = remedy
        self.where = where

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class InvalidInput(FairwayError):
    """What was given cannot be right: the caller must change it."""

    code = "invalid-input"
    status = 422


class BadFile(InvalidInput):
    """A file cannot be right; `where` is `path:line:column`."""

    code = "bad-file"


class Unauthenticated(FairwayError):
    """No identity was given, or it does not hold (unknown, expired, revoked)."""

    code = "unauthenticated"
    status = 401
    exit_code = 4


class Forbidden(FairwayError):
    """The identity lacks the right that the message names."""

    code = "forbidden"
    status = 403
    exit_code = 4


class NotFound(FairwayError):
    """Nothing of that name that the asker may see."""

    code = "not-found"
    status = 404
    exit_code = 5


class Conflict(FairwayError):
    """It exists already, has changed meanwhile, or is in use."""

    code = "conflict"
    status = 409


class TooLarge(FairwayError):
    """Past a stated limit."""

    code = "too-large"
    status = 413


class Unavailable(FairwayError):
    """Something needed does not answer. May be retried."""

    code = "unavailable"
    status = 503
    retriable = True


class Busy(Unavailable):
    """No capacity now. May be retried soon."""

    code = "busy"
    status = 429


class Internal(FairwayError):
    """A defect of ours; the log has the trace."""

    code = "internal"
