"""What the API server refuses, as errors of ours: translated once, here.

Each has the server's own words, and what the server says by path.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from fairway.model.errors import (
    Busy,
    Conflict,
    FairwayError,
    Forbidden,
    InvalidInput,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
)


class FieldError(Struct, frozen=True):
    """One thing wrong in an object. `path` is like `spec.replicas`, "" for the whole object."""

    path: str
    message: str
    reason: str = ""


class FieldOwner(Struct, frozen=True):
    """A field that another manager owns."""

    path: str
    manager: str
    operation: str = ""  # as the server tells it: `Update`, `Apply` or ""


class KubeInvalid(InvalidInput):
    """The server refuses an object or a request; `fields` says what, by path."""

    code = "kube-invalid"

    def __init__(self, message: str, *, fields: tuple[FieldError, ...] = ()) -> None:
        super().__init__(message, code="kube-invalid", remedy="Correct the fields that are named.")
        self.fields = fields


class KubeConflict(Conflict):
    """The object has changed since it was read: read it again and decide anew."""

    code = "kube-conflict"

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message, code=code or "kube-conflict")


class ApplyConflict(KubeConflict):
    """Other managers own fields that were applied with other values; `owners` names them."""

    code = "kube-apply-conflict"

    def __init__(self, message: str, *, owners: tuple[FieldOwner, ...]) -> None:
        super().__init__(message, code="kube-apply-conflict")
        self.owners = owners
        self.remedy = "Leave these fields to their managers, or take them over with force."


class KubeExists(Conflict):
    """There is an object of that name already."""

    code = "kube-exists"


class KubeNotFound(NotFound):
    """No object of that name, or no such kind on this server."""

    code = "kube-not-found"


class KubeForbidden(Forbidden):
    """The identity may not do this there (RBAC or an admission policy)."""

    code = "kube-forbidden"


class KubeUnauthenticated(Unauthenticated):
    """The server does not know the identity: a certificate or token that does not hold."""

    code = "kube-unauthenticated"


class KubeTooLarge(TooLarge):
    """The object is larger than the server takes."""

    code = "kube-too-large"


class KubeUnavailable(Unavailable):
    """The server does not answer, or not properly. May be retried."""

    code = "kube-unavailable"


class KubeBusy(Busy):
    """The server asks to come back later; `after` is in seconds. Also an eviction that a
    disruption budget does not allow now."""

    code = "kube-busy"

    def __init__(self, message: str, *, after: float = 1.0) -> None:
        super().__init__(message, code="kube-busy")
        self.after = after


class KubeExpired(Unavailable):
    """A resourceVersion or the rest of a list is no longer kept: list again."""

    code = "kube-expired"


def unavailable(server: str, cause: object) -> KubeUnavailable:
    """The error for a server that does not answer."""
    words = str(cause) or type(cause).__name__
    return KubeUnavailable(
        f"the Kubernetes API at {server} does not answer: {words}",
        code="kube-unavailable",
        remedy="See `fairway doctor`: the cluster may be starting, stopped or out of reach.",
    )


def refused(
    status: int, body: bytes | Mapping[str, Any], headers: Mapping[str, str]
) -> FairwayError:
    """The error for an answer from status 400 on (or a `Status` object out of a watch)."""
    told = _status_object(body)
    message = str(told.get("message") or f"status {status}")
    reason = str(told.get("reason") or "")
    details = told.get("details")
    details = details if isinstance(details, dict) else {}
    if status == 409:
        return _conflict(message, reason, details)
    if status == 429:
        return KubeBusy(message, after=retry_after(headers, details))
    simple = _simple(status, message)
    if simple is not None:
        return simple
    if status in (400, 422) or _UNTYPED in message:
        return KubeInvalid(message, fields=_fields(message, details))
    if status >= 500:
        return KubeUnavailable(f"the Kubernetes API failed: {message}", code="kube-unavailable")
    return KubeInvalid(f"{message} (status {status})")


# Server-side apply answers 500 to an object that does not fit its kind's schema.
_UNTYPED: Final = "failed to create typed patch object"


def _simple(status: int, message: str) -> FairwayError | None:
    """What the status alone decides."""
    return {
        401: KubeUnauthenticated(message, code="kube-unauthenticated"),
        403: KubeForbidden(message, code="kube-forbidden"),
        404: KubeNotFound(message, code="kube-not-found"),
        410: KubeExpired(message, code="kube-expired"),
        413: KubeTooLarge(message, code="kube-too-large"),
    }.get(status)


_LONGEST_S: Final = 86_400.0  # what is more is a mistake


def retry_after(headers: Mapping[str, str], details: Mapping[str, Any]) -> float:
    """Seconds that the server wants to be left alone; 1 where it says none."""
    for value in (headers.get("retry-after"), details.get("retryAfterSeconds")):
        try:
            if value is not None and 0 <= float(value) <= _LONGEST_S:
                return float(value)
        except (TypeError, ValueError):
            continue
    return 1.0


def _status_object(body: bytes | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(body, Mapping):
        return body
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = None
    if isinstance(found, dict) and found.get("kind") == "Status":
        return found
    return {"message": body[:500].decode("utf-8", "replace").strip()}


def _conflict(message: str, reason: str, details: Mapping[str, Any]) -> FairwayError:
    if reason == "AlreadyExists":
        return KubeExists(message, code="kube-exists")
    owners = tuple(
        _owner(cause)
        for cause in details.get("causes") or ()
        if cause.get("reason") == "FieldManagerConflict"
    )
    return ApplyConflict(message, owners=owners) if owners else KubeConflict(message)


_MANAGER: Final = re.compile(r'conflict with "(?P<manager>(?:[^"\\]|\\.)*)"')


def _owner(cause: Mapping[str, Any]) -> FieldOwner:
    words = str(cause.get("message") or "")
    found = _MANAGER.match(words)
    manager = found["manager"].replace('\\"', '"') if found else words
    return FieldOwner(path=str(cause.get("field") or "").lstrip("."), manager=manager)


def _fields(message: str, details: Mapping[str, Any]) -> tuple[FieldError, ...]:
    causes = details.get("causes") or ()
    found = [
        FieldError(
            str(cause.get("field") or "").lstrip("."),
            str(cause.get("message") or ""),
            str(cause.get("reason") or ""),
        )
        for cause in causes
    ]
    return tuple(found or strict_fields(message))


_STRICT: Final = re.compile(r'(?P<what>unknown field|duplicate field) "(?P<path>[^"]*)"')
_TYPED: Final = re.compile(r'\s\.(?P<path>(?:"(?:[^"\\]|\\.)*"|[^\s":]|:(?! ))+): (?P<what>[^\n]+)')


def strict_fields(message: str) -> list[FieldError]:
    """The fields in the words of a strict decoding error, which come without causes.

    `strict decoding error: unknown field "spec.a", duplicate field "spec.b"` of create and
    replace; `.spec.a: field not declared in schema` of server-side apply.
    """
    found = [
        FieldError(each["path"], each["what"], "FieldValueNotSupported")
        for each in _STRICT.finditer(message)
    ]
    if found:
        return found
    if _UNTYPED not in message:
        return []
    return [FieldError(each["path"], each["what"].strip()) for each in _TYPED.finditer(message)]
