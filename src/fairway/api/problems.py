"""Whatever goes wrong becomes a problem (RFC 9457) with a stable code, and tells no secret."""

from __future__ import annotations

import logging
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)

from fairway.client.problems import MEDIA_TYPE, problem_of
from fairway.model.errors import (
    Busy,
    FairwayError,
    Internal,
    InvalidInput,
    NotFound,
    TooLarge,
    Unauthenticated,
)

_log = logging.getLogger(__name__)
_UNREAD: Final = "data"  # Litestar's name for the whole body
_LATER_S: Final = "1"


def answer(
    request: Request[Any, Any, Any], error: FairwayError, status: int = 0
) -> Response[bytes]:
    """The response that tells of an error."""
    problem = problem_of(error, request.url.path)
    problem.status = status or problem.status
    headers: dict[str, str] = {}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="fairway", Basic realm="fairway"'
    if isinstance(error, Busy):
        headers["Retry-After"] = _LATER_S
    if isinstance(error, Internal):
        _log.error("%s %s: %s", request.method, request.url.path, error, exc_info=error)
    return Response(
        msgspec.json.encode(problem),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=headers,
    )


def _of_ours(request: Request[Any, Any, Any], error: FairwayError) -> Response[bytes]:
    return answer(request, error)


def _of_input(request: Request[Any, Any, Any], error: ValidationException) -> Response[bytes]:
    """The first thing that is wrong in a request, with its path."""
    found: Any = error.extra or []
    first = found[0] if isinstance(found, list) and found else {}
    source = str(getattr(first.get("source"), "value", first.get("source") or "request"))
    key = str(first.get("key", "")).removeprefix(_UNREAD).removeprefix(".")
    where = f"{source}.{key}" if key else source
    message = str(first.get("message") or error.detail)
    told = InvalidInput(
        message.replace("`", "'"),
        code="bad-request",
        where=where,
        remedy="see /api/v1/openapi.json for what this takes",
    )
    return answer(request, told)


def _of_litestar(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    told: FairwayError
    match error.status_code:
        case 404:
            told = NotFound("there is no such path", remedy="see /api/v1/openapi.json")
        case 405:
            told = InvalidInput(
                f"{request.method} does not go with this path",
                code="method-not-allowed",
                remedy="see /api/v1/openapi.json",
            )
        case 413:
            told = TooLarge("the body is too large", code="body-too-large")
        case code if code < 500:
            told = InvalidInput(error.detail, code="bad-request")
        case _:
            return _of_defect(request, error)
    response = answer(request, told, error.status_code)
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


def _of_defect(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return answer(request, Internal(f"{type(error).__name__} while answering"))


def _of_body(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """A body that is no text, or nested without end."""
    what = "UTF-8 text" if isinstance(error, UnicodeDecodeError) else "of a sane depth"
    told = InvalidInput(f"the body is not {what}", code="bad-request", where="body")
    return answer(request, told, 400)


HANDLERS: Final[dict[int | type[Exception], Any]] = {
    FairwayError: _of_ours,
    ValidationException: _of_input,
    NotFoundException: _of_litestar,
    MethodNotAllowedException: _of_litestar,
    HTTPException: _of_litestar,
    msgspec.ValidationError: lambda request, error: answer(
        request, InvalidInput(str(error), code="bad-request")
    ),
    UnicodeDecodeError: _of_body,
    RecursionError: _of_body,
    Exception: _of_defect,
}
