"""A client of a cluster from a target in memory: for a few requests, as ourselves."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import httpx
import msgspec

from fairway.cluster.target import Target, tls_context
from fairway.kit.aio import blocking
from fairway.kube import errors

_JSON: Final = "application/json"


class HttpClient:
    """`known.Client` by HTTP. Each request has the deadline that it was made with."""

    def __init__(
        self,
        target: Target,
        *,
        timeout_s: float,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._target = target
        self._timeout_s = timeout_s
        self._transport = transport
        self._http: httpx.AsyncClient | None = None

    async def request(
        self, method: str, path: str, body: Any = None, *, content_type: str = ""
    ) -> Any:
        """One request; the answer's JSON, or its text. Raises an error of `kube.errors`."""
        headers = {"Accept": _JSON}
        content: bytes | None = None
        if body is not None:
            content = msgspec.json.encode(body)
            headers["Content-Type"] = content_type or _JSON
        try:
            async with asyncio.timeout(self._timeout_s):
                http = await self._opened()
                url = self._target.server + path
                answer = await http.request(method, url, content=content, headers=headers)
        except TimeoutError as error:
            raise errors.unavailable(
                self._target.server, f"no answer within {self._timeout_s:g} s"
            ) from error
        except httpx.HTTPError as error:
            raise errors.unavailable(self._target.server, error) from error
        if answer.status_code >= 400:
            given = {name.lower(): value for name, value in answer.headers.items()}
            raise errors.refused(answer.status_code, answer.content, given)
        try:
            return msgspec.json.decode(answer.content)
        except msgspec.DecodeError:
            return answer.text

    async def close(self) -> None:
        """End its connections."""
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()

    async def _opened(self) -> httpx.AsyncClient:
        if self._http is None:
            context = await blocking(tls_context, self._target)
            own = self._target.authorization
            self._http = httpx.AsyncClient(
                verify=context or True,
                headers={"Authorization": own} if own else {},
                timeout=None,  # noqa: S113 each request has a deadline of its own
                trust_env=False,
                transport=self._transport,
            )
        return self._http


def dial(target: Target, *, timeout_s: float) -> HttpClient:
    """`known.Dial`."""
    return HttpClient(target, timeout_s=timeout_s)
