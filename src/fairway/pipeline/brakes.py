"""What holds new work back: an operator's pause, a full disk, paused runners."""

from __future__ import annotations

from sqlalchemy import Connection

from fairway.pipeline.scheduler import Brakes
from fairway.store import runners, settings

PAUSE = "pipeline.pause"
DISK = "pipeline.disk"


def brakes_of(db: Connection) -> Brakes:
    """The brakes as they are now."""
    pause = settings.get(db, PAUSE) or {}
    disk = settings.get(db, DISK) or {}
    return Brakes(
        paused=bool(pause),
        paused_by=pause.get("by", ""),
        disk_low=bool(disk.get("low")),
        free_bytes=disk.get("free", 0),
        runners=frozenset(runner.name for runner in runners.listing(db) if runner.paused),
    )


def pause(db: Connection, by: str) -> None:
    """Let nothing new begin."""
    settings.put(db, PAUSE, {"by": by})


def resume(db: Connection) -> None:
    """End the pause."""
    settings.put(db, PAUSE, None)


def disk(db: Connection, free: int, *, low: bool) -> bool:
    """Note the free space. Returns whether new work is held back or let go by this."""
    before = settings.get(db, DISK) or {}
    changed = bool(before.get("low")) != low
    if changed:
        settings.put(db, DISK, {"low": low, "free": free})
    return changed
