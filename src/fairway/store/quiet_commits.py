"""Commits that Fairway itself wrote and that start no pipeline. Writing belongs to `source`.

A row is written before a ref names the commit, so however the announcement comes about, who asks
hears the truth.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from fairway.store.schema import quiet_commit


def put(db: Connection, repository_id: int, sha: str) -> None:
    """Remember a commit; safe to repeat."""
    dialect: Any = sqlite if db.dialect.name == "sqlite" else postgresql
    query = dialect.insert(quiet_commit).values(repository=repository_id, sha=sha)
    db.execute(query.on_conflict_do_nothing(index_elements=["repository", "sha"]))


def has(db: Connection, repository_id: int, sha: str) -> bool:
    """Whether Fairway wrote this commit so that it starts no pipeline."""
    query = select(quiet_commit.c.id).where(
        quiet_commit.c.repository == repository_id, quiet_commit.c.sha == sha
    )
    return db.execute(query).first() is not None
