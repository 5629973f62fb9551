"""Repositories: made, set up, renamed, removed; each change with its audit entry."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType
from sqlalchemy import Connection

from fairway.access.authorise import (
    Action,
    require,
    require_admin,
    require_organisation,
)
from fairway.access.identity import Identity
from fairway.git.folders import Folders
from fairway.kit.aio import blocking
from fairway.model.errors import Conflict, InvalidInput
from fairway.model.name import split_slug
from fairway.model.organisation import Organisation
from fairway.model.repository import Repository, Settings, Visibility
from fairway.model.role import Role
from fairway.model.token import TokenScope
from fairway.source.announce import stamp
from fairway.store import audit, organisations, repositories
from fairway.store.database import Database

LONGEST_TIMEOUT_S: Final = 24 * 3600
_LONGEST_PATH: Final = 500


class RepositoryChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be changed; what is not given stays."""

    default_branch: str | UnsetType = UNSET
    visibility: Visibility | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    trusted: bool | UnsetType = UNSET  # only by Fairway's admins
    protected: bool | UnsetType = UNSET
    config_path: str | UnsetType = UNSET
    timeout_s: int | UnsetType = UNSET
    settings: Settings | UnsetType = UNSET


class Repositories:
    """The service behind API, command line and push."""

    def __init__(self, database: Database, folders: Folders) -> None:
        self._database = database
        self._folders = folders

    async def create(
        self, identity: Identity, slug: str, change: RepositoryChange | None = None
    ) -> Repository:
        """Make a repository. Raises `InvalidInput`, `Conflict`, `Forbidden`."""
        made = await self._database.write(
            create, identity, slug, change=change or RepositoryChange()
        )
        await blocking(self._folders.ensure, made.id, stamp(made), made.default_branch)
        return made

    async def change(
        self, identity: Identity, slug: str, change: RepositoryChange, *, version: int | None = None
    ) -> Repository:
        """Change settings, if the repository still has that `version`.

        Raises `InvalidInput`, `Conflict` (code `repository-changed`), `Forbidden`, `NotFound`.
        """
        changed = await self._database.write(
            change_settings, identity, slug, change=change, version=version
        )
        await blocking(self._folders.head, changed.id, changed.default_branch)
        return changed

    async def rename(self, identity: Identity, slug: str, new: str) -> Repository:
        """Give it another name in its organisation. Its images keep their names."""
        return await self._database.write(rename, identity, slug, new)

    async def delete(self, identity: Identity, slug: str) -> None:
        """Remove it with its builds and secrets. Raises `Forbidden`, `NotFound`."""
        number = await self._database.write(delete, identity, slug)
        await blocking(self._folders.remove, number)


def may_create(db: Connection, identity: Identity, slug: str) -> Organisation | None:
    """The organisation of a repository that this identity may make; None: it is made as well.

    A writer of the whole organisation may; a new organisation only an admin of Fairway. Raises
    `InvalidInput`, `Forbidden`, `Unauthenticated`.
    """
    owner, _ = split_slug(slug)
    found = organisations.by_name(db, owner)
    require_organisation(
        db,
        identity,
        found.id if found else None,
        least=Role.WRITER,
        scope=TokenScope.REPO_WRITE,
    )
    return found


def create(
    db: Connection, identity: Identity, slug: str, *, change: RepositoryChange
) -> Repository:
    """`Repositories.create` within a transaction (the folder is made afterwards)."""
    found = may_create(db, identity, slug)
    owner = slug.partition("/")[0]
    if repositories.named(db, slug) is not None:
        raise Conflict(
            f"there is a repository {slug} already",
            code="repository-exists",
            remedy="choose another name",
        )
    values = _values(identity, change)
    if found is None:
        found = organisations.create(db, owner)
        audit.append(db, identity.login, "organisation.create", f"organisation/{owner}")
    made = repositories.create(db, organisation=found.id, slug=slug, values=values)
    audit.append(db, identity.login, "repository.create", f"repository/{slug}", after=values)
    return made


def change_settings(
    db: Connection,
    identity: Identity,
    slug: str,
    *,
    change: RepositoryChange,
    version: int | None = None,
) -> Repository:
    """`Repositories.change` within a transaction."""
    found = require(db, identity, Action.CONFIGURE_REPOSITORY, slug)
    values = _values(identity, change)
    expected = found.version if version is None else version
    if values and not repositories.change(db, found.id, expected, values):
        raise Conflict(
            f"{slug} has been changed meanwhile (it has version {found.version})",
            code="repository-changed",
            remedy="read it again and repeat the change",
        )
    before = {name: getattr(found, name) for name in values}
    audit.append(
        db, identity.login, "repository.change", f"repository/{slug}", before=before, after=values
    )
    return require(db, identity, Action.CONFIGURE_REPOSITORY, slug)


def rename(db: Connection, identity: Identity, slug: str, new: str) -> Repository:
    """`Repositories.rename` within a transaction. `new` is the name without organisation."""
    found = require(db, identity, Action.DELETE_REPOSITORY, slug)
    target = f"{found.namespace}/{new}"
    split_slug(target)
    if repositories.named(db, target) is not None:
        raise Conflict(
            f"there is a repository {target} already",
            code="repository-exists",
            remedy="choose another name",
        )
    repositories.change(db, found.id, found.version, {"slug": target, "name": new})
    audit.append(db, identity.login, "repository.rename", f"repository/{slug}", after=target)
    return require(db, identity, Action.DELETE_REPOSITORY, target)


def delete(db: Connection, identity: Identity, slug: str) -> int:
    """`Repositories.delete` within a transaction. Returns its number."""
    found = require(db, identity, Action.DELETE_REPOSITORY, slug)
    repositories.remove(db, found.id)
    audit.append(db, identity.login, "repository.delete", f"repository/{slug}", before=found)
    return found.id


def _values(identity: Identity, change: RepositoryChange) -> dict[str, Any]:
    given = {
        name: value
        for name in change.__struct_fields__
        if (value := getattr(change, name)) is not UNSET
    }
    if given.get("trusted"):
        require_admin(identity)
    _check(given)
    return {name: msgspec.to_builtins(value) for name, value in given.items()}


def _check(given: dict[str, Any]) -> None:
    timeout = given.get("timeout_s", 1)
    if not 1 <= timeout <= LONGEST_TIMEOUT_S:
        raise InvalidInput(
            f"timeout_s {timeout} is not between 1 and {LONGEST_TIMEOUT_S}",
            code="bad-timeout",
            remedy="give seconds within that range",
        )
    path = given.get("config_path", "x")
    if not path or len(path) > _LONGEST_PATH or path.startswith("/") or ".." in path.split("/"):
        raise InvalidInput(
            f"config_path {path[:100]!r} does not lie within the repository",
            code="bad-config-path",
            remedy="give a path relative to the repository's top, without `..`",
        )
    branch = given.get("default_branch", "x")
    if not branch or len(branch) > 255 or any(letter in branch for letter in " ~^:?*[\\\n"):
        raise InvalidInput(
            f"{branch[:100]!r} cannot be the name of a branch",
            code="bad-branch",
            remedy="see `git help check-ref-format`",
        )
