"""The error codes of the distribution specification, and how our errors become them."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from fairway.model.errors import (
    Busy,
    FairwayError,
    Forbidden,
    TooLarge,
    Unauthenticated,
    Unavailable,
)

STATUS: Final[dict[str, int]] = {
    "BLOB_UNKNOWN": 404,
    "BLOB_UPLOAD_INVALID": 400,
    "BLOB_UPLOAD_UNKNOWN": 404,
    "DIGEST_INVALID": 400,
    "MANIFEST_BLOB_UNKNOWN": 404,
    "MANIFEST_INVALID": 400,
    "MANIFEST_UNKNOWN": 404,
    "NAME_INVALID": 400,
    "NAME_UNKNOWN": 404,
    "SIZE_INVALID": 400,
    "UNAUTHORIZED": 401,
    "DENIED": 403,
    "UNSUPPORTED": 405,
    "TOOMANYREQUESTS": 429,
    # Beside the specification's list, as the reference registry names them:
    "TAG_INVALID": 400,
    "RANGE_INVALID": 416,
    "PAGINATION_NUMBER_INVALID": 400,
    "UNAVAILABLE": 503,
    "UNKNOWN": 500,
}

_BY_CODE: Final[dict[str, str]] = {
    "bad-digest": "DIGEST_INVALID",
    "unknown-digest-algorithm": "DIGEST_INVALID",
    "bad-manifest": "MANIFEST_INVALID",
    "unsupported-manifest": "MANIFEST_INVALID",
    "manifest-too-large": "SIZE_INVALID",
    "bad-content-range": "BLOB_UPLOAD_INVALID",
    "range-not-satisfiable": "RANGE_INVALID",
    "blob-gap": "RANGE_INVALID",
    "blob-not-found": "BLOB_UNKNOWN",
}
_BY_TYPE: Final[tuple[tuple[type[FairwayError], str], ...]] = (
    (Unauthenticated, "UNAUTHORIZED"),
    (Forbidden, "DENIED"),
    (Busy, "TOOMANYREQUESTS"),
    (Unavailable, "UNAVAILABLE"),
    (TooLarge, "SIZE_INVALID"),
)


class RegistryError(Exception):
    """An answer with one of the specification's error codes."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int = 0,
        detail: Any = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status or STATUS[code]
        self.detail = detail
        self.headers = headers or {}

    def body(self) -> bytes:
        """The JSON that the specification prescribes."""
        one = {"code": self.code, "message": self.message, "detail": self.detail}
        return msgspec.json.encode({"errors": [one]})


def translated(error: FairwayError) -> RegistryError:
    """One of our errors as an answer."""
    code = _BY_CODE.get(error.code, "")
    for kind, name in _BY_TYPE:
        if not code and isinstance(error, kind):
            code = name
    status = error.status if isinstance(error, TooLarge) else 0
    detail = {"code": error.code, "remedy": error.remedy}
    return RegistryError(code or "UNKNOWN", str(error), status=status, detail=detail)
