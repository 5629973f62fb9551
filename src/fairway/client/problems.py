"""Problems on the wire (RFC 9457) and errors of our tree: each becomes the other."""

from __future__ import annotations

from typing import Final

import msgspec

from fairway.client.wire.common import Problem
from fairway.model.errors import (
    BadFile,
    Busy,
    Conflict,
    FairwayError,
    Forbidden,
    Internal,
    InvalidInput,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
)

MEDIA_TYPE: Final = "application/problem+json"

_BY_STATUS: Final[dict[int, type[FairwayError]]] = {
    400: InvalidInput,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    405: InvalidInput,
    409: Conflict,
    413: TooLarge,
    415: InvalidInput,
    422: InvalidInput,
    429: Busy,
    500: Internal,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def problem_of(error: FairwayError, instance: str = "") -> Problem:
    """The problem that tells of an error. An `Internal` tells no details."""
    secret = isinstance(error, Internal)
    return Problem(
        type=error.code,
        title=_title(error),
        status=error.status,
        detail="a defect of Fairway's own; its log has the trace" if secret else error.message,
        instance=instance,
        remedy=error.remedy,
        where=error.where,
        retriable=error.retriable,
    )


def error_of(status: int, body: bytes, said: str = "") -> FairwayError:
    """The error that an answer tells of, also when its body is not a problem of ours."""
    try:
        problem = msgspec.json.decode(body, type=Problem)
    except msgspec.MsgspecError:
        text = body[:300].decode("utf-8", "replace").strip()
        problem = Problem(type="", detail=text or said or f"the server answered {status}")
    kind = _BY_STATUS.get(status, Unavailable if status >= 500 else InvalidInput)
    if kind is InvalidInput and problem.where:
        kind = BadFile
    return kind(
        problem.detail or problem.title,
        code=problem.type,
        remedy=problem.remedy,
        where=problem.where,
    )


def _title(error: FairwayError) -> str:
    first = (type(error).__doc__ or "").strip().split("\n", 1)[0]
    return first.rstrip(".").split(": ", 1)[0]
