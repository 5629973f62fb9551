"""Two transactions at once: what one decides must hold when the other has committed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, text

from fairway.store.database import Database

A = TypeVar("A")
B = TypeVar("B")

_LONGEST_S: Final = 60.0
_LOOK_S: Final = 0.01
_WAITING: Final = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def together(
    database: Database, first: Callable[[Connection], A], second: Callable[[Connection], B]
) -> tuple[A, B]:
    """Both results. `first` has done its work and has not committed when `second` begins; it
    commits as soon as `second` waits for it, or has done its own. On SQLite one follows the other.

    Raises what either raises.
    """
    worked, commit = threading.Event(), threading.Event()

    def held(db: Connection) -> A:
        found = first(db)
        worked.set()
        assert commit.wait(_LONGEST_S), "nobody lets it commit"
        return found

    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(database.write_now, held)
        try:
            _until(lambda: worked.is_set() or one.done())
            two = threads.submit(database.write_now, second)
            _until(lambda: database.sqlite or two.done() or _waits(database))
        finally:
            commit.set()
        return one.result(), two.result()


def _until(condition: Callable[[], Any]) -> None:
    """Where it never comes, both go on, and the test tells what came of it."""
    for _ in range(int(_LONGEST_S / _LOOK_S)):
        if condition():
            return
        threading.Event().wait(_LOOK_S)


def _waits(database: Database) -> bool:
    """Whether a transaction in this PostgreSQL database waits for another."""
    return bool(database.read_now(lambda db: db.execute(_WAITING).scalar()))
