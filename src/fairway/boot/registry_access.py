"""Gives the registry its rights: `image.registry.access.Access` over identities and roles."""

from __future__ import annotations

import re
from typing import Final

from sqlalchemy import Connection

from fairway.access.authorise import Action, allowed_on_image
from fairway.access.identity import Identity
from fairway.access.tokens import Tokens
from fairway.image.registry.access import Action as ImageAction
from fairway.model.image import change_tag
from fairway.model.token import TokenScope
from fairway.pipeline import bindings
from fairway.store import builds, registry, releases
from fairway.store.database import Database

_NUMBER: Final = re.compile(r"/(\d+)(?:/|$)")
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

    async def may_tag(self, tag: str) -> bool:
        """Whether what it pushes may have this tag: a build of a pull request has its own."""
        build = self._identity.build
        return build is None or await self._database.read(_may_tag, build, tag)


def _may_tag(db: Connection, build: int, tag: str) -> bool:
    """What deployments go by is not for a pull request's build, nor for what repeats one."""
    ancestry = builds.ancestry(db, builds.find(db, build))
    if not bindings.is_pull_request(bindings.facts_of(ancestry)):
        return True
    origin = ancestry[-1]
    number = _NUMBER.search(origin.ref)
    return tag == change_tag(tag, number=number[1] if number else "", sha=origin.after)


def _allowed(db: Connection, identity: Identity, name: str) -> frozenset[Action]:
    home = releases.home_of(db, name)
    if home:
        return _delivered(db, identity, name.removeprefix(home).lstrip("/"))
    visibility = registry.visibility(db, name)
    return allowed_on_image(db, identity, name, visibility=visibility)


def _delivered(db: Connection, identity: Identity, name: str) -> frozenset[Action]:
    """What lies in an environment's part comes there by Fairway's promotions alone.

    Who may pull an image may pull it there too; charts are for everybody who is signed in.
    """
    if name.startswith("charts/"):
        open_to = not identity.anonymous and identity.holds(TokenScope.REGISTRY_PULL)
        return frozenset({Action.PULL_IMAGE}) if open_to else frozenset()
    visibility = registry.visibility(db, name)
    allowed = allowed_on_image(db, identity, name, visibility=visibility)
    return allowed & {Action.PULL_IMAGE}
