"""A client of a cluster from a target in memory: for a few requests, as ourselves."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import msgspec

from fairway.cluster.target import Target
from fairway.kube import Actor, Connection, Kube, connect

MANAGER: Final = "fairway"


def connection(target: Target) -> Connection:
    """A target as `kube/` takes it."""
    return Connection(
        server=target.server,
        ca=target.ca.encode(),
        certificate=target.cert.encode(),
        key=target.key,
        token=target.token,
        username=target.username,
        password=target.password,
        insecure=target.insecure,
        server_name=target.server_name,
    )


class Dialed:
    """`known.Client` over `kube/`; opened with the first request, which tells what is wrong."""

    def __init__(self, target: Target, *, timeout_s: float) -> None:
        self._target = target
        self._timeout_s = timeout_s
        self._kube: Kube | None = None

    async def request(
        self, method: str, path: str, body: Any = None, *, content_type: str = ""
    ) -> Any:
        """One request; the answer's JSON, or its text. Raises an error of `kube.errors`."""
        if self._kube is None:
            self._kube = await connect(connection(self._target), Actor(manager=MANAGER))
        parts = urlsplit(path)
        answer = await self._kube.raw(
            method,
            parts.path,
            query=dict(parse_qsl(parts.query)),
            body=body,
            headers={"content-type": content_type} if content_type else None,
            timeout=self._timeout_s,
        )
        try:
            return msgspec.json.decode(answer.body)
        except msgspec.DecodeError:
            return answer.body.decode("utf-8", "replace")

    async def close(self) -> None:
        """End its connections."""
        kube, self._kube = self._kube, None
        if kube is not None:
            await kube.close()


def dial(target: Target, *, timeout_s: float) -> Dialed:
    """`known.Dial`."""
    return Dialed(target, timeout_s=timeout_s)
