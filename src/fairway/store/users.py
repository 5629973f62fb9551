"""Users. Writing belongs to `access`."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, RowMapping, insert, select, update

from fairway.kit import clock
from fairway.model.scope import Scope
from fairway.model.user import Password, User
from fairway.store.schema import user

_COLUMNS: Final = tuple(user.c[name] for name in User.__struct_fields__)  # no password among them
_PASSWORD: Final = select(user.c.password, user.c.failures, user.c.failed)


def create(
    db: Connection,
    login: str,
    *,
    name: str = "",
    email: str = "",
    admin: bool = False,
    machine: bool = False,
) -> User:
    """Write a new user. The login must be free (ask `by_login` in the same transaction)."""
    values = {
        "login": login,
        "name": name,
        "email": email,
        "admin": admin,
        "machine": machine,
        "created": clock.now(),
    }
    row = db.execute(insert(user).values(values).returning(*_COLUMNS)).mappings().one()
    return _user(row)


def ensure_machine(db: Connection, login: str) -> User:
    """The machine user of that login, made when it is missing."""
    return by_login(db, login) or create(db, login, machine=True)


def by_login(db: Connection, login: str) -> User | None:
    """The user of that login. For `access`: no scope, since it is what makes one."""
    row = db.execute(select(*_COLUMNS).where(user.c.login == login)).mappings().first()
    return _user(row) if row else None


def by_id(db: Connection, number: int) -> User | None:
    """The user of that id. For `access`."""
    row = db.execute(select(*_COLUMNS).where(user.c.id == number)).mappings().first()
    return _user(row) if row else None


def find(db: Connection, scope: Scope, login: str) -> User | None:
    """A user that the scope may see: all for the system and admins, else only oneself."""
    found = by_login(db, login)
    return found if found and (scope.unbounded or scope.user == found.id) else None


def listing(db: Connection, scope: Scope, *, after: int = 0, limit: int = 100) -> list[User]:
    """Users that the scope may see, by id."""
    query = select(*_COLUMNS).where(user.c.id > after).order_by(user.c.id).limit(limit)
    if not scope.unbounded:
        query = query.where(user.c.id == (scope.user or 0))
    return [_user(row) for row in db.execute(query).mappings()]


def change(
    db: Connection, number: int, *, admin: bool | None = None, active: bool | None = None
) -> None:
    """Set what is given."""
    values = {
        name: value for name, value in (("admin", admin), ("active", active)) if value is not None
    }
    if values:
        db.execute(update(user).where(user.c.id == number).values(values))


def password(db: Connection, number: int) -> Password:
    """What a user's password is checked against. For `access`."""
    return Password(**db.execute(_PASSWORD.where(user.c.id == number)).mappings().one())


def locked_password(db: Connection, number: int) -> Password:
    """As `password`, and nobody else changes it until the transaction ends."""
    query = _PASSWORD.where(user.c.id == number).with_for_update()
    return Password(**db.execute(query).mappings().one())


def set_password(db: Connection, number: int, kept: str) -> None:
    """Write a password's kept form ("" for none); wrong ones are forgotten."""
    values = {"password": kept, "failures": 0, "failed": None}
    db.execute(update(user).where(user.c.id == number).values(values))


def note_failure(db: Connection, number: int, at: int) -> None:
    """One more wrong password."""
    values = {"failures": user.c.failures + 1, "failed": at}
    db.execute(update(user).where(user.c.id == number).values(values))


def forget_failures(db: Connection, number: int) -> None:
    """A right password ends the count."""
    db.execute(update(user).where(user.c.id == number).values(failures=0, failed=None))


def _user(row: RowMapping) -> User:
    return User(**row)
