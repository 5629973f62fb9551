"""Who may do what in which environment. Writing belongs to `access`."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, or_, select

from fairway.kit import clock
from fairway.model.delivery_right import DeliveryAction, DeliveryRight
from fairway.store.alone import alone
from fairway.store.schema import delivery_right as rights
from fairway.store.schema import team, team_member, user


def holds(
    db: Connection, user_id: int, action: DeliveryAction, *, delivery: str, environment: str
) -> bool:
    """Whether the user, or a team of his, has this right there."""
    teams = select(team_member.c.team).where(team_member.c.user == user_id)
    query = select(rights.c.id).where(
        or_(rights.c.user == user_id, rights.c.team.in_(teams)),
        rights.c.action == str(action),
        rights.c.delivery == delivery,
        rights.c.environment.in_(("", environment)),
    )
    return db.execute(query.limit(1)).first() is not None


def listing(db: Connection, *, delivery: str = "") -> list[DeliveryRight]:
    """All rights, or those in one delivery; by delivery, environment, holder and action."""
    query = (
        select(rights, user.c.login, team.c.name.label("team_name"))
        .outerjoin(user, user.c.id == rights.c.user)
        .outerjoin(team, team.c.id == rights.c.team)
        .order_by(rights.c.delivery, rights.c.environment, user.c.login, team.c.name)
        .order_by(rights.c.action)
    )
    if delivery:
        query = query.where(rights.c.delivery == delivery)
    return [
        DeliveryRight(
            action=DeliveryAction(row.action),
            delivery=row.delivery,
            environment=row.environment,
            login=row.login or "",
            team=row.team_name or "",
            created=row.created,
        )
        for row in db.execute(query)
    ]


def grant(
    db: Connection, right: DeliveryRight, *, user_id: int | None = None, team_id: int | None = None
) -> bool:
    """Give a right to a user or a team, by their ids. Returns whether it is new."""
    alone(db, f"right {right} {user_id} {team_id}")
    where = _same(right, user_id, team_id)
    if db.execute(select(rights.c.id).where(where)).first() is not None:
        return False
    values = {
        "action": str(right.action),
        "delivery": right.delivery,
        "environment": right.environment,
        "user": user_id,
        "team": team_id,
        "created": clock.now(),
    }
    db.execute(insert(rights).values(values))
    return True


def revoke(
    db: Connection, right: DeliveryRight, *, user_id: int | None = None, team_id: int | None = None
) -> bool:
    """Take a right away. Returns whether it was there."""
    return bool(db.execute(delete(rights).where(_same(right, user_id, team_id))).rowcount)


def _same(right: DeliveryRight, user_id: int | None, team_id: int | None) -> ColumnElement[bool]:
    return and_(
        rights.c.action == str(right.action),
        rights.c.delivery == right.delivery,
        rights.c.environment == right.environment,
        rights.c.user == user_id if user_id is not None else rights.c.user.is_(None),
        rights.c.team == team_id if team_id is not None else rights.c.team.is_(None),
    )
