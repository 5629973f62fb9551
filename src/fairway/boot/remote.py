"""A runner on another machine: an engine here, and `Dispatch` over HTTPS. No database, no blobs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from fairway.app import make_runner
from fairway.boot import machines, opening
from fairway.boot.environments import build_cache
from fairway.docker.client import Docker
from fairway.kit.aio import background, blocking
from fairway.kit.secret import Secret
from fairway.pipeline.dispatch_http import HttpDispatch
from fairway.settings import Settings, ca_bundle

_log = logging.getLogger(__name__)


async def run(settings: Settings) -> None:
    """Carry out stages of the system at `runner.server` until cancelled."""
    engine = await blocking(machines.engine, settings, _log.info)
    owner = await blocking(own_name, settings.data)
    docker = Docker(engine.host) if engine else None
    try:
        ports = opening.runner_ports(settings, docker, owner, "")
        token = Secret(settings.runner.token)
        async with HttpDispatch(settings.runner.server, token, ca=ca_bundle()) as dispatch:
            _log.info("work comes from %s", settings.runner.server)
            async with background(*_care(settings, docker)):
                await make_runner(settings, ports, dispatch, owner=owner).run()
    finally:
        if docker is not None:
            with contextlib.suppress(asyncio.CancelledError):
                docker.close()


def _care(settings: Settings, docker: Docker | None) -> list[Coroutine[Any, Any, None]]:
    if docker is None:
        return []
    return [build_cache(settings, docker).run()]


def own_name(data: Path) -> str:
    """Whose containers here are ours: made at the first start, the same after a restart."""
    path = data / "run" / "runner-name"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text(secrets.token_hex(4), encoding="ascii")
    return path.read_text(encoding="ascii").strip()
