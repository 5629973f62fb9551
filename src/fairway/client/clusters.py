"""Objects of a cluster, read through Fairway with the user's own rights there."""

from __future__ import annotations

from typing import Any

import msgspec

from fairway.client.wire.cluster import ClusterAccess
from fairway.model.errors import FairwayError, Forbidden, NotFound, Unauthenticated, Unavailable

_TIMEOUT_S = 20.0
_KINDS: dict[int, type[FairwayError]] = {401: Unauthenticated, 403: Forbidden, 404: NotFound}


def listed(access: ClusterAccess, token: str, path: str) -> list[dict[str, Any]]:
    """All objects of a collection of the Kubernetes API.

    Raises `Forbidden`, `NotFound` (no such kind there), `Unavailable`.
    """
    import ssl  # noqa: PLC0415 see below

    import httpx  # noqa: PLC0415 100 ms that --help must not pay

    headers = {"Authorization": f"Bearer {token}", "User-Agent": "fairway"}
    try:
        answer = httpx.get(
            f"{access.server.rstrip('/')}{path}",
            headers=headers,
            timeout=_TIMEOUT_S,
            verify=ssl.create_default_context(cadata=access.ca) if access.ca else True,
        )
    except httpx.HTTPError as error:
        raise Unavailable(
            f"the cluster {access.name} is not reached through {access.server}: {error}",
            code="cluster-unavailable",
        ) from error
    if answer.status_code != 200:
        kind = _KINDS.get(answer.status_code, Unavailable)
        raise kind(f"the cluster {access.name}: {_message(answer.content)}")
    items: list[dict[str, Any]] = msgspec.json.decode(answer.content)["items"]
    return items


def _message(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body).get("message") or "")
    except (msgspec.DecodeError, AttributeError):
        return body[:300].decode("utf-8", "replace")
