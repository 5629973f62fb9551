"""The one place that says who may do what.

A thing that the asker may not see is `NotFound`, whatever was asked; one that he sees but may not
do this to is `Forbidden`; nobody signed in is told to sign in where that could help.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from sqlalchemy import Connection

from fairway.access.identity import Identity
from fairway.access.scope import full, scope_of
from fairway.model.errors import FairwayError, Forbidden, NotFound, Unauthenticated
from fairway.model.repository import Repository, Visibility
from fairway.model.role import Role
from fairway.model.token import TokenScope
from fairway.store import organisations, repositories, roles
from fairway.store.database import Database


class Action(Enum):
    """What may be done: the role that it needs, and the scope that a token needs for it."""

    READ_REPOSITORY = (Role.READER, TokenScope.REPO_READ, "read this repository")
    WRITE_REPOSITORY = (Role.WRITER, TokenScope.REPO_WRITE, "push to this repository")
    CONFIGURE_REPOSITORY = (Role.MAINTAINER, TokenScope.REPO_ADMIN, "configure this repository")
    GIVE_ROLES = (Role.ADMIN, TokenScope.REPO_ADMIN, "see or give roles in this repository")
    DELETE_REPOSITORY = (Role.ADMIN, TokenScope.REPO_ADMIN, "delete this repository")
    READ_BUILD = (Role.READER, TokenScope.BUILD_READ, "see its builds")
    WRITE_BUILD = (Role.WRITER, TokenScope.BUILD_WRITE, "start, cancel or retry its builds")
    APPROVE_BUILD = (Role.MAINTAINER, TokenScope.BUILD_WRITE, "approve its builds")
    READ_SECRET = (Role.WRITER, TokenScope.REPO_READ, "see the names of its secrets")
    WRITE_SECRET = (Role.MAINTAINER, TokenScope.SECRET_WRITE, "set its secrets")
    PULL_IMAGE = (Role.READER, TokenScope.REGISTRY_PULL, "pull its images")
    PUSH_IMAGE = (Role.WRITER, TokenScope.REGISTRY_PUSH, "push its images")
    DELETE_IMAGE = (Role.MAINTAINER, TokenScope.REGISTRY_PUSH, "delete its images")

    @property
    def role(self) -> Role:
        """The least role."""
        return self.value[0]

    @property
    def scope(self) -> TokenScope:
        """What the token must have been made for."""
        return self.value[1]

    @property
    def words(self) -> str:
        """What it is, after "may not"."""
        return self.value[2]


PUBLIC: Final = frozenset({Action.READ_REPOSITORY, Action.READ_BUILD, Action.PULL_IMAGE})
_BUILD_WRITES: Final = frozenset({Action.PUSH_IMAGE})  # what a build may change, besides itself


class Access:
    """Authorisation for callers outside a transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def require(
        self, identity: Identity, action: Action, repository: str | int
    ) -> Repository:
        """`require` in a transaction of its own."""
        return await self._database.read(require, identity, action, repository)

    async def allowed_on_image(
        self, identity: Identity, name: str, *, visibility: str = Visibility.PRIVATE
    ) -> frozenset[Action]:
        """`allowed_on_image` in a transaction of its own."""
        return await self._database.read(allowed_on_image, identity, name, visibility=visibility)


def require(
    db: Connection, identity: Identity, action: Action, repository: str | int
) -> Repository:
    """The repository (by slug or id), on which this identity may do that.

    Raises `NotFound`, `Forbidden` or `Unauthenticated`.
    """
    scope = scope_of(identity)
    find = repositories.by_slug if isinstance(repository, str) else repositories.by_id
    found = find(db, scope, repository)  # type: ignore[arg-type]  # each takes its own key
    if found is None:
        raise unseen(identity, str(repository))
    if not _token_allows(identity, action, found):
        raise refused(identity, action, f"the token lacks the scope {action.scope}")
    role = roles.on_repository(db, scope, found.id)
    if role is None or not (role.covers(action.role) or _own_build(identity, action, found)):
        raise refused(identity, action, f"it needs the role {action.role}")
    return found


def require_organisation(
    db: Connection,
    identity: Identity,
    organisation: int | None,
    *,
    least: Role,
    scope: TokenScope,
) -> None:
    """This role in a whole organisation; for one that does not exist (None), an admin's.

    Raises `Forbidden` or `Unauthenticated`.
    """
    if identity.anonymous:
        raise sign_in()
    held = None
    if organisation is not None:
        held = roles.on_organisation(db, scope_of(identity), organisation)
    elif full(identity):
        held = Role.ADMIN
    if held is None or not held.covers(least):
        raise Forbidden(
            f"{identity.login} lacks the role {least} in this organisation",
            code="no-organisation-role",
            remedy="ask an admin of the organisation; only Fairway's admins make new ones",
        )
    if not identity.holds(scope):
        raise Forbidden(
            f"the token lacks the scope {scope}",
            code="token-scope",
            remedy=f"make a token with the scope {scope}",
        )


def require_admin(identity: Identity) -> None:
    """An admin of this Fairway with a token of scope `admin`. Raises as `require`."""
    if identity.anonymous:
        raise sign_in()
    if not full(identity):
        raise Forbidden(
            "only an admin of this Fairway may do this, with a token of scope admin",
            code="not-admin",
            remedy="ask an admin",
        )


def require_runner(identity: Identity) -> None:
    """A runner's own token, or an admin's. Raises as `require`."""
    if identity.anonymous:
        raise sign_in()
    if TokenScope.RUNNER not in identity.scopes and not full(identity):
        raise Forbidden(
            "this is for runners: the token lacks the scope runner",
            code="not-runner",
            remedy="make a token with the scope runner",
        )


def allowed_on_image(
    db: Connection, identity: Identity, name: str, *, visibility: str = Visibility.PRIVATE
) -> frozenset[Action]:
    """Which of PULL_IMAGE, PUSH_IMAGE, DELETE_IMAGE hold on an image's name in our registry.

    `org/app` and `org/app/...` belong to the repository `org/app` if there is one; other names
    to the organisation. A build may push any name of its organisation that belongs to no other
    repository. A cluster's nodes may pull everything. `visibility` is the registry repository's
    own: public can be pulled by all.
    """
    wanted = (Action.PULL_IMAGE, Action.PUSH_IMAGE, Action.DELETE_IMAGE)
    role = _image_role(db, identity, name)
    granted = {
        action
        for action in wanted
        if identity.holds(action.scope) and role is not None and role.covers(action.role)
    }
    open_to_all = visibility == Visibility.PUBLIC or (role is not None and identity.anonymous)
    if identity.node and identity.holds(TokenScope.REGISTRY_PULL):
        granted.add(Action.PULL_IMAGE)
    if open_to_all or (
        visibility == Visibility.INTERNAL
        and not identity.anonymous
        and identity.holds(TokenScope.REGISTRY_PULL)
    ):
        granted.add(Action.PULL_IMAGE)
    return frozenset(granted)


def _image_role(db: Connection, identity: Identity, name: str) -> Role | None:
    """The role on what an image's name belongs to."""
    scope = scope_of(identity)
    parts = name.split("/")
    organisation = organisations.by_name(db, parts[0])
    owner = repositories.named(db, "/".join(parts[:2])) if len(parts) > 1 else None
    if owner is not None:
        if identity.build is not None and owner.id == identity.build_repository:
            return Role.WRITER
        return roles.on_repository(db, scope, owner.id) or _same_house(identity, owner.organisation)
    if identity.build is not None:
        own = organisation is not None and organisation.id == identity.build_organisation
        return Role.WRITER if own else None
    if full(identity) or (identity.admin and identity.only is None):
        return Role.ADMIN
    return None if organisation is None else roles.on_organisation(db, scope, organisation.id)


def _same_house(identity: Identity, organisation: int) -> Role | None:
    """A build may pull every image of its organisation: its tests run beside other services."""
    same = identity.build is not None and identity.build_organisation == organisation
    return Role.READER if same else None


def _token_allows(identity: Identity, action: Action, found: Repository) -> bool:
    if identity.holds(action.scope):
        return True
    return action in PUBLIC and (identity.anonymous or found.visibility is Visibility.PUBLIC)


def _own_build(identity: Identity, action: Action, found: Repository) -> bool:
    return (
        identity.build is not None
        and identity.build_repository == found.id
        and action in _BUILD_WRITES
    )


def unseen(identity: Identity, name: str) -> FairwayError:
    """The error for what is not there, or not for the asker's eyes: nobody can tell which."""
    if identity.anonymous:
        return sign_in()
    return NotFound(
        f"there is no repository {name[:300]!r} that {identity.login} may see",
        code="no-repository",
        remedy="look at `fairway get repositories`; ask its maintainers for a role",
    )


def refused(identity: Identity, action: Action, why: str) -> FairwayError:
    """The error for what the asker sees but may not do."""
    if identity.anonymous:
        return sign_in()
    return Forbidden(
        f"{identity.login} may not {action.words}: {why}",
        code="no-right",
        remedy="ask a maintainer of the repository, or use a token with that scope",
    )


def sign_in(words: str = "this needs a token") -> Unauthenticated:
    """The error for nobody signed in."""
    return Unauthenticated(
        words,
        code="no-token",
        remedy="`fairway login`, or send a token as the password",
    )
