"""The toolbox's wire: a connection is a call, a message is its length and that much JSON.

The Go half is `native/toolbox`. What its runtime says when it must end (out of memory, mostly)
comes instead of an answer, without a length.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Final, Generic, TypeVar

import msgspec
from msgspec import Struct

from fairway.model.errors import (
    Busy,
    FairwayError,
    Internal,
    InvalidInput,
    TooLarge,
    Unavailable,
)

R = TypeVar("R")

HEAD: Final = 4  # bytes of a length
LONGEST: Final = 128 * 1024 * 1024  # of a message
_MEMORY: Final = (b"runtime.throw", b"out of memory", b"cannot allocate", b"stack exceeds")
_SPECIAL: Final = "$float"


class Limits(Struct, frozen=True, kw_only=True):
    """What a call may use. Past one of these it is ended, and answers with a `TooLarge`."""

    deadline_s: float = 30.0  # of the work itself
    memory_bytes: int = 512 * 1024 * 1024  # besides what a worker needs anyway
    output_bytes: int = 32 * 1024 * 1024
    queue_s: float = 30.0  # to wait for a free worker


class Request(Struct, Generic[R], frozen=True, kw_only=True):
    """Parameters of one method; `R` is what it answers."""

    method: ClassVar[str]
    answer: ClassVar[Any]  # the type R, at run time


def _go_name(name: str) -> str:
    """A field's name as Go reads it: case does not matter, underscores do."""
    return name.replace("_", "")


class _Call(Struct, kw_only=True):
    method: str
    folder: str
    params: msgspec.Raw
    deadline_ms: int
    memory_bytes: int
    output_bytes: int


class _Problem(Struct):
    code: str
    message: str
    place: str = ""


class _Reply(Struct):
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: _Problem | None = None


def asked(request: Request[Any], folder: str, limits: Limits) -> bytes:
    """The message of a call. Raises `TooLarge` when it is longer than one may be."""
    params = {
        _go_name(name): getattr(request, name)
        for name in request.__struct_fields__
        if getattr(request, name) is not None
    }
    call = _Call(
        method=request.method,
        folder=folder,
        params=msgspec.Raw(msgspec.json.encode(params)),
        deadline_ms=max(1, int(limits.deadline_s * 1000)),
        memory_bytes=limits.memory_bytes,
        output_bytes=limits.output_bytes,
    )
    data = msgspec.json.encode(call)
    if len(data) > LONGEST:
        raise TooLarge(f"{request.method}: more than {LONGEST} bytes", code="toolbox-input")
    return len(data).to_bytes(HEAD, "big") + data


def length(head: bytes) -> int | None:
    """The length that a message begins with; None for the last words of Go's runtime."""
    size = int.from_bytes(head, "big")
    return size if size <= LONGEST else None


def answered(data: bytes, request: Request[R]) -> R:
    """What a reply holds. Raises the error that it tells of."""
    reply = msgspec.json.decode(data, type=_Reply)
    if reply.error is not None:
        raise _error(reply.error)
    result: R = msgspec.json.decode(reply.result, type=request.answer)
    return result


def last_words(words: bytes, request: Request[Any], limits: Limits) -> FairwayError:
    """The error that the end of a worker means."""
    if any(sign in words for sign in _MEMORY):
        most = limits.memory_bytes >> 20
        return TooLarge(
            f"{request.method} needs more than {most} MB of memory", code="toolbox-memory"
        )
    first = words.decode("utf-8", "replace").strip().partition("\n")[0]
    return crashed(request.method, first or "it was killed")


def crashed(method: str, why: str) -> Internal:
    """A worker that ended without an answer."""
    return Internal(f"the toolbox's worker for {method} ended: {why}", code="toolbox-crashed")


def _error(problem: _Problem) -> FairwayError:
    made = _limits(problem) or _ours(problem)
    if made is not None:
        return made
    return InvalidInput(problem.message, code=problem.code, where=problem.place)


def _limits(problem: _Problem) -> FairwayError | None:
    said = problem.message
    if problem.code == "toolbox-deadline":
        return TooLarge(said, code="toolbox-deadline")
    if problem.code == "toolbox-memory":
        return TooLarge(said, code="toolbox-memory")
    if problem.code == "toolbox-output":
        return TooLarge(said, code="toolbox-output")
    if problem.code == "no-network":
        return InvalidInput(
            said,
            code="no-network",
            where=problem.place,
            remedy="put what is remote into the repository",
        )
    return None


def _ours(problem: _Problem) -> FairwayError | None:
    if problem.code in {"bad-params", "no-method"}:
        return Internal(f"the toolbox: {problem.message}", code="toolbox-params")
    if problem.code == "toolbox-crashed":
        return Internal(f"the toolbox: {problem.message}", code="toolbox-crashed")
    if problem.code == "toolbox-unconfined":
        return Unavailable(
            f"the toolbox cannot be kept to a folder here: {problem.message}",
            code="toolbox-unconfined",
            remedy="run Fairway as root, or allow user namespaces",
        )
    return None


def busy(request: Request[Any], limits: Limits) -> Busy:
    """No worker took the call in time."""
    seconds = limits.deadline_s + limits.queue_s
    return Busy(f"{request.method} was not answered in {seconds:g} s", code="toolbox-busy")


def wrapped(value: Any) -> Any:
    """Data whose numbers JSON can say: what it cannot is `{"$float": "NaN"}` and the like."""
    if isinstance(value, float) and not math.isfinite(value):
        return {_SPECIAL: "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"}
    if isinstance(value, dict):
        return {key: wrapped(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [wrapped(item) for item in value]
    return value


def unwrapped(value: Any) -> Any:
    """The way back from `wrapped`."""
    if isinstance(value, dict):
        if len(value) == 1 and _SPECIAL in value:
            return float(value[_SPECIAL])
        return {key: unwrapped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unwrapped(item) for item in value]
    return value
