"""What production runs: asked by test environments that are to be like it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from fairway.model.build import Companion
from fairway.release import deliveries, history
from fairway.store import promotions, releases
from fairway.store.database import Database


class Production:
    """Answers from the records of what was delivered, so that any process can."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def running(self, names: Sequence[str]) -> dict[str, Companion]:
        """The image of each of these names that its delivery's last environment runs.

        A name that no delivery has, or that has not come so far, is left out. Raises `Unavailable`.
        """
        return await self._database.read(running, names)


def running(db: Connection, names: Sequence[str]) -> dict[str, Companion]:
    """`Production.running` within a transaction."""
    found: dict[str, Companion] = {}
    for delivery in deliveries.kept(db).values():
        last = delivery.environments[-1].name
        for service in delivery.services:
            if service.image_name not in names:
                continue
            now = history.current(promotions.lane(db, delivery.name, last, service.name))
            release = releases.by_id(db, now.release) if now is not None else None
            if release is not None:
                found[service.image_name] = Companion(
                    image=service.image_name,
                    digest=release.digest,
                    origin=f"{last} {release.version}",
                )
    return found
