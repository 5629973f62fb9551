"""One database, SQLite or PostgreSQL, and its transactions.

A transaction is a plain function of a `Connection`. `write` runs it alone against all other
writers of this process on SQLite (one connection, `BEGIN IMMEDIATE`), and with a retry of
serialisation failures on PostgreSQL; so it must be safe to run again: no effects but SQL.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from fairway.kit.aio import Wake, blocking
from fairway.model.errors import Unavailable
from fairway.store import sqlite

P = ParamSpec("P")
T = TypeVar("T")

ANNOUNCED: Final = "fairway_announced"
"""Key of `Connection.info` that the outbox sets: this transaction wrote an event."""

_TRIES: Final = 5
_SERIALISATION: Final = frozenset({"40001", "40P01"})
_SQLITE_PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=10000",
    "PRAGMA cache_size=-8000",
    "PRAGMA wal_autocheckpoint=1000",
)


class Database:
    """Transactions on one database. Safe to share between tasks."""

    def __init__(self, url: str, *, durable: bool = True) -> None:
        """Open (not yet connect). `durable=False` skips fsync: for tests and simulations only."""
        self.url = url
        self.sqlite = url.startswith("sqlite")
        self._durable = durable
        self._lock = threading.RLock()
        self.events = Wake()  # a hint: a transaction of this process wrote an event
        self._closed = False
        self.engine = self._engine()

    def _engine(self) -> Engine:
        engine = self._sqlite() if self.sqlite else self._server()
        event.listen(engine, "checkin", self._on_checkin)
        return engine

    def _server(self) -> Engine:
        return create_engine(self.url, poolclass=QueuePool, pool_size=8, pool_pre_ping=True)

    def _sqlite(self) -> Engine:
        engine = create_engine(
            make_url(self.url).set(drivername=sqlite.DRIVER),
            poolclass=QueuePool,
            pool_size=8,
            connect_args={"check_same_thread": False, "timeout": 10},
        )
        event.listen(engine, "connect", self._on_connect)
        return engine

    def _on_connect(self, raw: sqlite3.Connection, _record: object) -> None:
        raw.isolation_level = None  # we begin transactions ourselves
        for pragma in _SQLITE_PRAGMAS:
            raw.execute(pragma)
        if not self._durable:
            raw.execute("PRAGMA synchronous=OFF")

    def _on_checkin(self, _raw: object, record: ConnectionPoolEntry) -> None:
        """A thread whose task was cancelled gives its connection back after `close`: end it."""
        if self._closed:
            record.invalidate()

    async def write(
        self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `work` in a transaction and commit it.

        Raises what `work` raises (nothing is written then) and `Unavailable` when the database
        cannot be reached or is full; may be retried if `work` may.
        """
        result, announced = await blocking(self._write, work, *args, **kwargs)
        if announced:
            self.events.set()
        return result

    async def read(
        self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `work` in a transaction that writes nothing. Raises as `write` does."""
        return await blocking(self.read_now, work, *args, **kwargs)

    def write_now(
        self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """`write` for callers that may block; it rings no `events`."""
        return self._write(work, *args, **kwargs)[0]

    def _write(
        self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> tuple[T, bool]:
        for left in range(_TRIES - 1, -1, -1):
            try:
                with self._alone(), self.engine.connect() as db:
                    db.info.pop(ANNOUNCED, None)
                    sqlite.will_write(db)
                    with db.begin():
                        result = work(db, *args, **kwargs)
                    return result, bool(db.info.pop(ANNOUNCED, False))
            except DBAPIError as error:
                if not left or not _worth_another_try(error):
                    raise _translated(error) from error
        raise AssertionError("unreachable")

    def read_now(
        self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """`read` for callers that may block."""
        try:
            with self.engine.begin() as db:
                return work(db, *args, **kwargs)
        except DBAPIError as error:
            raise _translated(error) from error

    def _alone(self) -> AbstractContextManager[Any]:
        return self._lock if self.sqlite else nullcontext()

    def close(self) -> None:
        """Close all connections; those in use are closed when they come back."""
        self._closed = True
        self.engine.dispose()


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{path}"


def _worth_another_try(error: DBAPIError) -> bool:
    origin: Any = error.orig
    return getattr(origin, "sqlstate", None) in _SERIALISATION


def _translated(error: DBAPIError) -> Exception:
    """Unavailable where trying again may help; the driver's own error where it is our defect."""
    if error.connection_invalidated or isinstance(error, OperationalError):
        return Unavailable(
            f"the database does not answer: {error.orig}",
            code="database-unavailable",
            remedy="look at the disk's free space and at the database server; `fairway doctor`",
        )
    return error
