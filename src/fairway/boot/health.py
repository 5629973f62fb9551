"""How the parts of a process are: for /readyz and `fairway get components`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from fairway.app import App
from fairway.model.errors import Unavailable
from fairway.pipeline.engine import Engine
from fairway.store import lease
from fairway.store.settings import get

Check = Callable[[], Awaitable[str]]
_MIB: Final = 1024 * 1024


def checks(app: App) -> dict[str, Check]:
    """Each part that this process has, by its name."""
    found: dict[str, Check] = {"database": _database(app), "disk": _disk(app)}
    if "controllers" in app.settings.roles:
        found["controllers"] = _controllers(app)
    runner = app.ports.runner
    for kind, engine in (runner.engines if runner else {}).items():
        found[f"engine {kind}"] = _engine(engine)
    return found


def _database(app: App) -> Check:
    async def check() -> str:
        await app.database.read(get, "installation")
        return "SQLite" if app.database.sqlite else "PostgreSQL"

    return check


def _disk(app: App) -> Check:
    async def check() -> str:
        free = await app.ports.disk.free()
        least = app.settings.retention.free_space_bytes
        if free is not None and free < least:
            raise Unavailable(
                f"{free // _MIB} MiB are free, less than {least // _MIB}: new builds wait",
                code="disk-low",
                remedy="make room, or lower retention.free_space_bytes",
            )
        return "" if free is None else f"{free // _MIB} MiB free"

    return check


def _controllers(app: App) -> Check:
    async def check() -> str:
        holder = await app.database.read(lease.holder_of, "story")
        return f"led by {holder}" if holder else "nobody leads yet"

    return check


def _engine(engine: Engine) -> Check:
    async def check() -> str:
        return await engine.check()

    return check
