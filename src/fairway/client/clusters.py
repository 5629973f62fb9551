"""Objects of a cluster, read through Fairway with the user's own rights there."""

from __future__ import annotations

from typing import Any

import msgspec

from fairway.client.wire.cluster import ClusterAccess
from fairway.model.errors import (
    Conflict,
    FairwayError,
    Forbidden,
    InvalidInput,
    NotFound,
    Unauthenticated,
    Unavailable,
)

_TIMEOUT_S = 20.0
_KINDS: dict[int, type[FairwayError]] = {
    400: InvalidInput,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    422: InvalidInput,
}


def listed(access: ClusterAccess, token: str, path: str) -> list[dict[str, Any]]:
    """All objects of a collection of the Kubernetes API. Raises as `ask` does."""
    items: list[dict[str, Any]] = ask(access, token, "GET", path)["items"]
    return items


def ask(
    access: ClusterAccess, token: str, method: str, path: str, *, body: Any = None, patch: str = ""
) -> dict[str, Any]:
    """One call to the Kubernetes API; `patch` is the kind of a patch: merge, json.

    Raises `Forbidden`, `NotFound` (no such object or kind there), `Conflict`, `InvalidInput`,
    `Unavailable`.
    """
    import ssl  # noqa: PLC0415 see below

    import httpx  # noqa: PLC0415 100 ms that --help must not pay

    from fairway.kit import trust  # noqa: PLC0415 as above

    headers = {"Authorization": f"Bearer {token}", "User-Agent": "fairway"}
    if patch:
        name = "merge-patch+json" if patch == "merge" else "json-patch+json"
        headers["Content-Type"] = f"application/{name}"
    try:
        answer = httpx.request(
            method,
            f"{access.server.rstrip('/')}{path}",
            headers=headers,
            content=msgspec.json.encode(body) if body is not None else None,
            timeout=_TIMEOUT_S,
            verify=ssl.create_default_context(cadata=access.ca)
            if access.ca
            else trust.authorities(),
        )
    except httpx.HTTPError as error:
        raise Unavailable(
            f"the cluster {access.name} is not reached through {access.server}: {error}",
            code="cluster-unavailable",
        ) from error
    if answer.status_code >= 300:
        kind = _KINDS.get(answer.status_code, Unavailable)
        raise kind(f"the cluster {access.name}: {_message(answer.content)}")
    found: dict[str, Any] = msgspec.json.decode(answer.content)
    return found


def _message(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body).get("message") or "")
    except (msgspec.DecodeError, AttributeError):
        return body[:300].decode("utf-8", "replace")
