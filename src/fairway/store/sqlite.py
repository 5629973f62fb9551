"""SQLAlchemy's SQLite, with transactions that begin where SQLAlchemy says so.

Python's driver would begin one at the first change only: what was read before it would be of
another moment. A dialect begins it, not a listener: to that one every statement would have to be
shown.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

DRIVER: Final = "sqlite+fairway"
_WRITES: Final = "fairway_writes"  # a key of Connection.info


class Dialect(SQLiteDialect_pysqlite):
    """For connections whose driver begins nothing (`isolation_level = None`)."""

    driver = "fairway"
    supports_statement_cache = True

    def do_begin(self, dbapi_connection: Any) -> None:
        """Begin; with the right to write where `will_write` was said."""
        writes = dbapi_connection.info.pop(_WRITES, False)
        dbapi_connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")


def will_write(db: Connection) -> None:
    """The next transaction of this connection writes: it waits for others' at its beginning, and
    never fails in its midst because another has written meanwhile. PostgreSQL takes no notice.
    """
    db.info[_WRITES] = True


registry.register("sqlite.fairway", __name__, Dialect.__name__)
