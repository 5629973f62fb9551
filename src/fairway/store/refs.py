"""Branches and tags as they were last announced by an event. Writing belongs to `source`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from fairway.store.schema import ref, repository


def lock(db: Connection, repository_id: int) -> bool:
    """Let no other transaction announce refs of this repository meanwhile.

    Returns whether the repository is there.
    """
    query = select(repository.c.id).where(repository.c.id == repository_id).with_for_update()
    return db.execute(query).first() is not None


def announced(db: Connection, repository_id: int) -> dict[str, str]:
    """Every ref by name."""
    query = select(ref.c.name, ref.c.sha).where(ref.c.repository == repository_id)
    return {row.name: row.sha for row in db.execute(query)}


def of_names(db: Connection, repository_id: int, names: list[str]) -> dict[str, str]:
    """Those refs of `names` that there are."""
    query = select(ref.c.name, ref.c.sha).where(
        ref.c.repository == repository_id, ref.c.name.in_(names)
    )
    return {row.name: row.sha for row in db.execute(query)}


def has_branch(db: Connection, repository_id: int) -> bool:
    """Whether any branch is known."""
    query = select(ref.c.id).where(
        ref.c.repository == repository_id, ref.c.name.startswith("refs/heads/")
    )
    return db.execute(query.limit(1)).first() is not None


def put(db: Connection, repository_id: int, name: str, sha: str) -> None:
    """Remember what a ref points at; "" forgets it."""
    if not sha:
        db.execute(delete(ref).where(ref.c.repository == repository_id, ref.c.name == name))
        return
    dialect: Any = sqlite if db.dialect.name == "sqlite" else postgresql
    query = dialect.insert(ref).values(repository=repository_id, name=name, sha=sha)
    db.execute(
        query.on_conflict_do_update(index_elements=["repository", "name"], set_={"sha": sha})
    )


def listing(
    db: Connection, repository_id: int, *, prefix: str = "refs/", after: str = "", limit: int = 1000
) -> list[tuple[str, str]]:
    """(name, sha) by name, above `after`: of a repository that the asker may see."""
    query = (
        select(ref.c.name, ref.c.sha)
        .where(ref.c.repository == repository_id, ref.c.name > after)
        .where(ref.c.name.startswith(prefix, autoescape=True))
        .order_by(ref.c.name)
        .limit(limit)
    )
    return [(name, sha) for name, sha in db.execute(query)]
