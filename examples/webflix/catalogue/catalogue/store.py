"""Where films are kept: in PostgreSQL, or in memory for tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

from psycopg2.pool import ThreadedConnectionPool

from catalogue.films import SHELF, Film


class Store(Protocol):
    """Keeps films."""

    def search(self, text: str = "", genre: str = "") -> list[Film]:
        """Films whose title contains `text` (in any case), of `genre` if given, by year."""

    def find(self, number: int) -> Film | None:
        """One film, or None."""

    def add(self, film: Film) -> Film:
        """Keep a film; returns it with its number."""


class MemoryStore:
    """For unit tests: gone with the process."""

    def __init__(self, films: tuple[Film, ...] = SHELF) -> None:
        self._films: dict[int, Film] = {}
        for film in films:
            self.add(film)

    def search(self, text: str = "", genre: str = "") -> list[Film]:
        found = [
            film
            for film in self._films.values()
            if text.lower() in film.title.lower() and genre in ("", film.genre)
        ]
        return sorted(found, key=lambda film: (film.year, film.title))

    def find(self, number: int) -> Film | None:
        return self._films.get(number)

    def add(self, film: Film) -> Film:
        kept = replace(film, id=len(self._films) + 1)
        self._films[kept.id] = kept
        return kept


TABLE = """
CREATE TABLE IF NOT EXISTS film (
    id serial PRIMARY KEY,
    title text NOT NULL,
    year integer NOT NULL,
    genre text NOT NULL,
    minutes integer NOT NULL
)
"""
COLUMNS = "title, year, genre, minutes, id"


class PostgresStore:
    """In PostgreSQL; makes its table, and fills an empty one."""

    def __init__(self, url: str, connections: int = 8) -> None:
        self._pool = ThreadedConnectionPool(1, connections, url)
        self._free = threading.BoundedSemaphore(connections)  # the pool itself does not wait
        with self._cursor() as db:
            db.execute("SELECT pg_advisory_xact_lock(4711)")  # two of us may start at once
            db.execute(TABLE)
            db.execute("SELECT count(*) FROM film")
            empty = db.fetchone()[0] == 0
            for film in SHELF if empty else ():
                self._insert(db, film)

    @contextmanager
    def _cursor(self) -> Iterator:
        with self._free:
            connection = self._pool.getconn()
            try:
                with connection, connection.cursor() as db:
                    yield db
            finally:
                self._pool.putconn(connection)

    @staticmethod
    def _insert(db, film: Film) -> int:
        db.execute(
            "INSERT INTO film (title, year, genre, minutes) VALUES (%s, %s, %s, %s) RETURNING id",
            (film.title, film.year, film.genre, film.minutes),
        )
        return db.fetchone()[0]

    def search(self, text: str = "", genre: str = "") -> list[Film]:
        query = f"SELECT {COLUMNS} FROM film WHERE title ILIKE %s AND (%s = '' OR genre = %s)"
        with self._cursor() as db:
            db.execute(f"{query} ORDER BY year, title", (f"%{text}%", genre, genre))
            return [Film(*row) for row in db.fetchall()]

    def find(self, number: int) -> Film | None:
        with self._cursor() as db:
            db.execute(f"SELECT {COLUMNS} FROM film WHERE id = %s", (number,))
            row = db.fetchone()
            return Film(*row) if row else None

    def add(self, film: Film) -> Film:
        with self._cursor() as db:
            return replace(film, id=self._insert(db, film))
