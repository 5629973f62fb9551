"""Gives the registry its rights: `image.registry.access.Access` over identities and roles."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from fairway.access.authorise import Action, allowed_on_image
from fairway.access.identity import Identity
from fairway.access.tokens import Tokens
from fairway.image.registry.access import Action as ImageAction
from fairway.store import registry
from fairway.store.database import Database

_ACTIONS: Final = {
    ImageAction.PULL: Action.PULL_IMAGE,
    ImageAction.PUSH: Action.PUSH_IMAGE,
    ImageAction.DELETE: Action.DELETE_IMAGE,
}


class RegistryAccess:
    """Credentials to rights."""

    def __init__(self, database: Database, tokens: Tokens) -> None:
        self._database = database
        self._tokens = tokens

    async def rights(self, authorization: str | None) -> IdentityRights:
        """The rights behind an `Authorization` header. Raises `Unauthenticated`."""
        identity = await self._tokens.identify(authorization)
        return IdentityRights(self._database, identity)


class IdentityRights:
    """What one identity may do."""

    def __init__(self, database: Database, identity: Identity) -> None:
        self._database = database
        self._identity = identity
        self.actor = identity.login
        self.anonymous = identity.anonymous

    async def may(self, name: str, action: ImageAction) -> bool:
        """Whether it may do this with the repository of that name."""
        allowed = await self._database.read(_allowed, self._identity, name)
        return _ACTIONS[action] in allowed


def _allowed(db: Connection, identity: Identity, name: str) -> frozenset[Action]:
    visibility = registry.visibility(db, name)
    return allowed_on_image(db, identity, name, visibility=visibility)
