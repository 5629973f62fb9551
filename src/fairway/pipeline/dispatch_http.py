"""`Dispatch` over HTTPS with a runner token: the way in for runners on other machines.

The server's half is `api/runners.py`; `testing/contracts/dispatch.py` holds both to the contract.
Nothing is tried again here: the runner knows how long its lease could still hold.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeVar

import httpx
import msgspec

from fairway.client.problems import error_of
from fairway.kit import trust
from fairway.kit.secret import Secret
from fairway.model.errors import Unavailable
from fairway.pipeline.dispatch import Lease, Orders, Runner, StageReport, StepReport

T = TypeVar("T")

_TIMEOUT_S: Final = 20.0
_PIECE: Final = 4 * 1024 * 1024


class _Kept(msgspec.Struct):
    end: int


class HttpDispatch:
    """One runner's connection to a system. Close it at the end."""

    def __init__(
        self,
        url: str,
        token: Secret,
        *,
        ca: Path | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._client = httpx.AsyncClient(
            base_url=f"{self._url}/api/v1/dispatch",
            headers={
                "Authorization": f"Bearer {token.reveal()}",
                "User-Agent": "fairway-runner",
                "Content-Type": "application/json",
            },
            timeout=_TIMEOUT_S,
            transport=transport,
            verify=ssl.create_default_context(cafile=ca) if ca else trust.for_address(url),
        )

    async def __aenter__(self) -> HttpDispatch:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def lease(self, runner: Runner, *, wait_s: float = 30.0) -> Lease | None:
        """See `Dispatch.lease`."""
        body = {"runner": msgspec.to_builtins(runner), "wait_s": wait_s}
        answer = await self._send("/lease", body, timeout_s=wait_s + _TIMEOUT_S)
        return None if answer.status_code == 204 else self._typed(answer, Lease)

    async def renew(self, stage: int, token: str) -> Orders:
        """See `Dispatch.renew`."""
        return self._typed(await self._send(f"/stages/{stage}/renew", None, token=token), Orders)

    async def step(self, stage: int, token: str, report: StepReport) -> Orders:
        """See `Dispatch.step`."""
        answer = await self._send(f"/stages/{stage}/steps", report, token=token)
        return self._typed(answer, Orders)

    async def append(
        self, stage: int, token: str, step: int, *, attempt: int, offset: int, raw: int, data: bytes
    ) -> int:
        """See `Dispatch.append`. What is large goes in pieces, each of them kept."""
        path = f"/stages/{stage}/logs/{step}"
        for start in range(0, max(len(data), 1), _PIECE):
            piece = data[start : start + _PIECE]
            last = start + len(piece) >= len(data)
            place = {
                "attempt": attempt,
                "offset": offset + start,
                "raw": raw if last else max(raw - (len(data) - start - len(piece)), 0),
            }
            answer = await self._send(path, piece, token=token, params=place)
            end = self._typed(answer, _Kept).end
        return end

    async def end_log(self, stage: int, token: str, step: int, *, attempt: int) -> None:
        """See `Dispatch.end_log`."""
        path = f"/stages/{stage}/logs/{step}/end"
        await self._send(path, None, token=token, params={"attempt": attempt})

    async def finish(self, stage: int, token: str, report: StageReport) -> None:
        """See `Dispatch.finish`."""
        await self._send(f"/stages/{stage}/finish", report, token=token)

    async def _send(
        self,
        path: str,
        body: Any,
        *,
        token: str = "",
        params: dict[str, int] | None = None,
        timeout_s: float = _TIMEOUT_S,
    ) -> httpx.Response:
        headers = {"X-Lease-Token": token} if token else {}
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        if isinstance(body, bytes):
            headers["Content-Type"] = "application/octet-stream"
        try:
            answer = await self._client.post(
                path, content=content, params=params, headers=headers, timeout=timeout_s
            )
        except httpx.TransportError as error:
            raise Unavailable(
                f"Fairway at {self._url} does not answer: {str(error) or type(error).__name__}",
                code="server-unavailable",
                remedy="look at the address, and whether it is up",
            ) from error
        if answer.status_code >= 400:
            raise error_of(answer.status_code, answer.content, answer.reason_phrase)
        return answer

    def _typed(self, answer: httpx.Response, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(answer.content, type=kind)
        except msgspec.MsgspecError as error:
            raise Unavailable(
                f"{self._url} answers as no Fairway of this version: {error}",
                code="other-version",
                remedy="run the same version on both sides",
            ) from error
