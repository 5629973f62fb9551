"""`Traffic` over HTTPS: of a Fairway whose process has the gateway.

The server's half is `api/traffic.py`; `testing/contracts/traffic.py` holds both to the contract.
"""

from __future__ import annotations

from typing import Final

import httpx
import msgspec

from fairway.client.problems import error_of
from fairway.kit import trust
from fairway.kit.net import is_loopback
from fairway.kit.secret import Secret
from fairway.model.errors import FairwayError, Unavailable
from fairway.rollout.measured import Seen

_TIMEOUT_S: Final = 10.0


class HttpTraffic:
    """Asks another process. Close it at the end."""

    def __init__(
        self, url: str, token: Secret, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """`token` has the scope cluster:read. A token goes to no other machine in the clear."""
        self._url = url.rstrip("/")
        self._client = httpx.AsyncClient(
            base_url=f"{self._url}/api/v1",
            headers={"Authorization": f"Bearer {token.reveal()}", "User-Agent": "fairway"},
            timeout=_TIMEOUT_S,
            transport=transport,
            verify=trust.for_address(self._url),
            trust_env=not is_loopback(httpx.URL(self._url).netloc.decode()),
        )

    async def measured(
        self, cluster: str, namespace: str, service: str, *, seconds: float, version: str
    ) -> Seen:
        """See `Traffic`."""
        params = {
            "cluster": cluster,
            "namespace": namespace,
            "service": service,
            "seconds": f"{seconds:g}",
            "version": version,
        }
        try:
            answer = await self._client.get("/traffic", params=params)
        except httpx.HTTPError as error:
            raise _silent(self._url, str(error) or type(error).__name__) from error
        if answer.status_code != 200:
            raise _refused(self._url, error_of(answer.status_code, answer.content))
        try:
            return msgspec.json.decode(answer.content, type=Seen)
        except msgspec.DecodeError as error:
            raise _silent(self._url, f"its answer is none ({error})") from error

    async def close(self) -> None:
        """Drop every connection."""
        await self._client.aclose()


def _refused(url: str, error: FairwayError) -> FairwayError:
    return error if error.code == "no-gateway-counts" else _silent(url, str(error))


def _silent(url: str, why: str) -> Unavailable:
    return Unavailable(
        f"{url} does not tell what its gateway counted: {why}",
        code="no-gateway-counts",
        remedy="rollout.gateway_url names a Fairway that has the gateway, rollout.gateway_token "
        "a token of it with the scope cluster:read",
    )
