"""A registry of ours for tests."""

from __future__ import annotations

from pathlib import Path

from fairway.blob.folder import Folder
from fairway.image.registry import Deps
from fairway.image.registry.access import Open
from fairway.store.database import Database, sqlite_url
from fairway.store.schema import metadata


def our_deps(folder: Path, **more: object) -> Deps:
    """A registry of ours in a folder. `more`: fields of `Deps`; a `db` has its tables already."""
    given = {"access": Open(), "key": bytes(32), **more}
    if "db" not in given:
        database = Database(sqlite_url(folder / "registry.db"), durable=False)
        metadata.create_all(database.engine)
        given["db"] = database
    return Deps(blobs=Folder(folder / "blobs"), **given)  # type: ignore[arg-type]
