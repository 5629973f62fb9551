"""Looks at Envoy's counters every few seconds, and answers what a version's traffic was like."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import Final

from fairway.gateway import exposition
from fairway.gateway.envoy.admin import Admin
from fairway.gateway.measures import FINE_S, PAGE, Measured, Measures, parse
from fairway.kit.aio import blocking
from fairway.model.errors import Unavailable

_log = logging.getLogger(__name__)
_LOG_BYTES: Final = 64 * 1024 * 1024  # of the access log, before it is kept as `.1`
_USES: Final = ("http", "grpc")


class Traffic:
    """What one Envoy's versions answered. Of this process: after a restart it begins anew."""

    def __init__(self, admin: Admin, access_log: Path) -> None:
        self._admin, self._access_log = admin, access_log
        self._measures = Measures()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            with contextlib.suppress(Unavailable):  # Envoy is being started: the next look counts
                await self.look()
            await asyncio.sleep(FINE_S)

    async def look(self) -> None:
        """One look. Raises `Unavailable` when Envoy does not answer."""
        page = await self._admin.get(PAGE)
        self._measures.add(asyncio.get_running_loop().time(), parse(page))
        if await blocking(_rotate, self._access_log):
            await self._admin.post("/reopen_logs")

    def measured(
        self,
        namespace: str,
        service: str,
        *,
        seconds: float,
        version: str | None = None,
        mirrored: bool = False,
    ) -> Measured:
        """What a Service's pods answered in the last `seconds` (at most two hours).

        `version`: only pods of this pod-template hash. `mirrored`: what mirrors of requests were
        answered, which no caller saw.
        """
        uses = ("mirror", "gmirror") if mirrored else _USES
        names = [
            name
            for name in self._measures.names()
            if (name.namespace, name.service) == (namespace, service)
            and name.use in uses
            and version in (None, name.version)
        ]
        return self._measures.measured(names, seconds)

    def metrics(self) -> bytes:
        """Everything since this process began to look, in Prometheus' text format."""
        return exposition.text(self._measures.totals())


def _rotate(log: Path) -> bool:
    """Keep one former access log; whether Envoy has to open a new one."""
    try:
        if log.stat().st_size < _LOG_BYTES:
            return False
        log.rename(log.with_name(log.name + ".1"))
    except OSError:
        return False
    _log.info("the access log %s was kept as %s.1", log, log.name)
    return True
