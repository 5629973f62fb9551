"""Teams and their members. Writing belongs to `access`."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from fairway.kit import clock
from fairway.model.team import Team
from fairway.store.schema import team, team_member, user


def create(db: Connection, name: str) -> Team:
    """Write a new team without members. The name must be free."""
    row = db.execute(insert(team).values(name=name, created=clock.now()).returning(*team.c)).one()
    return Team(id=row.id, name=row.name, created=row.created)


def by_name(db: Connection, name: str) -> Team | None:
    """The team of that name."""
    row = db.execute(select(team).where(team.c.name == name)).first()
    if row is None:
        return None
    members = _members(db, [row.id]).get(row.id, [])
    return Team(id=row.id, name=row.name, members=tuple(members), created=row.created)


def listing(db: Connection, *, after: int = 0, limit: int = 100) -> list[Team]:
    """Teams by id, after one."""
    query = select(team).where(team.c.id > after).order_by(team.c.id).limit(limit)
    rows = db.execute(query).all()
    members = _members(db, [row.id for row in rows])
    return [
        Team(id=row.id, name=row.name, members=tuple(members.get(row.id, ())), created=row.created)
        for row in rows
    ]


def names_of(db: Connection, user_id: int) -> frozenset[str]:
    """The names of the teams that a user is a member of."""
    query = select(team.c.name).join(team_member, team_member.c.team == team.c.id)
    return frozenset(db.execute(query.where(team_member.c.user == user_id)).scalars())


def add(db: Connection, number: int, user_id: int) -> bool:
    """Make a user a member. Returns whether he was none."""
    where = (team_member.c.team == number, team_member.c.user == user_id)
    if db.execute(select(team_member.c.id).where(*where)).first() is not None:
        return False
    db.execute(insert(team_member).values(team=number, user=user_id, created=clock.now()))
    return True


def remove(db: Connection, number: int, user_id: int) -> bool:
    """End a membership. Returns whether there was one."""
    where = (team_member.c.team == number, team_member.c.user == user_id)
    return bool(db.execute(delete(team_member).where(*where)).rowcount)


def drop(db: Connection, number: int) -> None:
    """Remove a team with its memberships and rights."""
    db.execute(delete(team).where(team.c.id == number))


def _members(db: Connection, numbers: list[int]) -> dict[int, list[str]]:
    query = (
        select(team_member.c.team, user.c.login)
        .join(user, user.c.id == team_member.c.user)
        .where(team_member.c.team.in_(numbers))
        .order_by(user.c.login)
    )
    found: dict[int, list[str]] = {}
    for number, login in db.execute(query):
        found.setdefault(number, []).append(login)
    return found
