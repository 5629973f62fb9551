"""Databases of tests: what SQL compiles to is kept from one to the next.

SQLAlchemy keeps it by engine and dialect, and each test has a database of its own: without this a
tenth of the unit tests' time is compiling the same statements again.
"""

from __future__ import annotations

from sqlalchemy import Engine

from fairway.store.database import Database

_first: dict[str, Engine] = {}  # by kind of database: the engine whose dialect and cache all share


class QuickDatabase(Database):
    """The real store; nothing is waited for on the disk."""

    def __init__(self, url: str) -> None:
        super().__init__(url, durable=False)

    def _engine(self) -> Engine:
        engine = super()._engine()
        first = _first.get(engine.name)
        if first is None:
            with engine.connect():
                pass  # the dialect learns what the server can do
            _first[engine.name] = engine
        else:
            engine.dialect = first.dialect
            engine._compiled_cache = first._compiled_cache  # noqa: SLF001 no public way shares it
        return engine
