"""Tokens of clusters' nodes: they pull every image of our registry, and do nothing else.

Each cluster has a machine user and one token that counts; renewed long before it ends. A node may
pull private images of all repositories: which pod may run which image is the cluster's to say.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from sqlalchemy import Connection

from fairway.access.identity import NODE_LOGIN as LOGIN
from fairway.access.tokens import mint, revoke
from fairway.kit import clock
from fairway.kit.secret import Secret
from fairway.model.scope import SYSTEM
from fairway.model.token import Token, TokenScope
from fairway.store import tokens as rows
from fairway.store import users

_ACTOR: Final = "fairway"
_DAY_MS: Final = 24 * 3600 * 1000
LASTS_MS: Final = 30 * _DAY_MS
RENEW_MS: Final = 15 * _DAY_MS  # before its end


class NodeToken(Struct, frozen=True):
    """A new token of a cluster's nodes."""

    id: int
    value: Secret


def serving(db: Connection, cluster: str) -> Token | None:
    """The token that a cluster's nodes go on using; None where they need a new one."""
    user = users.by_login(db, LOGIN + cluster)
    if user is None or not user.active:
        return None
    good = [one for one in _held(db, user.id) if (one.expires or 0) > clock.now() + RENEW_MS]
    return good[-1] if good else None


def renew(db: Connection, cluster: str, *, lasts_ms: int = LASTS_MS) -> NodeToken:
    """A new token for a cluster's nodes. The former ones hold on: see `end_others`."""
    user = users.ensure_machine(db, LOGIN + cluster)
    made = mint(
        db,
        user.id,
        name=f"nodes of {cluster}",
        scopes=[TokenScope.REGISTRY_PULL],
        expires=clock.now() + lasts_ms,
        actor=_ACTOR,
    )
    return NodeToken(made.id, made.value)


def end_others(db: Connection, cluster: str, keep: int | None) -> int:
    """End every token of a cluster's nodes but one, or all. Returns how many."""
    user = users.by_login(db, LOGIN + cluster)
    if user is None:
        return 0
    ended = [one.id for one in _held(db, user.id) if one.id != keep]
    for number in ended:
        revoke(db, number, actor=_ACTOR)
    return len(ended)


def _held(db: Connection, user: int) -> list[Token]:
    """Its tokens that hold, eldest first."""
    found = rows.listing(db, SYSTEM, user_id=user, limit=1000)
    now = clock.now()
    return [one for one in found if one.revoked is None and (one.expires or now + 1) > now]
