"""From an identity to the scope that every store query asks for."""

from __future__ import annotations

from fairway.access.identity import Identity
from fairway.model.scope import Scope
from fairway.model.token import TokenScope


def scope_of(identity: Identity) -> Scope:
    """What this identity may see.

    An admin sees everything only with a token of scope `admin`: a token for pulls stays a token
    for pulls, but sees what its user may see.
    """
    everything = identity.admin and identity.build is None
    return Scope(
        actor=identity.login,
        user=identity.user_id,
        everything=everything,
        only=identity.only if identity.build is None else None,
        build_repository=identity.build_repository,
        build_organisation=identity.build_organisation,
    )


def full(identity: Identity) -> bool:
    """Whether this identity may do everything: an admin with an unbound token of scope `admin`."""
    return (
        identity.admin
        and identity.holds(TokenScope.ADMIN)
        and identity.only is None
        and identity.build is None
    )
