"""Who may pass to which cluster, as whom, and what is written down about it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, Protocol
from urllib.parse import unquote

from msgspec import Struct
from sqlalchemy import Connection

from fairway.access.identity import Identity
from fairway.access.tokens import Tokens
from fairway.cluster.proxy import asked as asking
from fairway.cluster.proxy import headers
from fairway.cluster.proxy.asked import Asked
from fairway.cluster.proxy.headers import Headers
from fairway.cluster.proxy.naming import name_in
from fairway.cluster.target import Target
from fairway.model.errors import NotFound, Unauthenticated
from fairway.model.role import at_most
from fairway.model.scope import SYSTEM
from fairway.store import audit, repositories, roles
from fairway.store.database import Database

PREFIX: Final = "/clusters/"
ADMINS: Final = "fairway:admins"
USERS: Final = "fairway:users"
BUILDS: Final = "fairway:builds"
_PLACE: Final = re.compile(r"/clusters/([^/?]+)(/[^?]*)?(\?.*)?")


class Targets(Protocol):
    """Where a cluster is, and our own way in, which may impersonate."""

    async def resolve(self, name: str) -> str:
        """The cluster's own name for one of its names. Raises `NotFound` (code `no-cluster`)."""
        ...

    async def target(self, name: str) -> Target:
        """Raises `NotFound` (code `no-cluster`), `Unavailable`."""
        ...


class Passage(Struct, frozen=True, kw_only=True):
    """A request that may go on."""

    cluster: str
    target: Target
    path: str  # with its query, as the API server takes it
    headers: Headers
    asked: Asked
    actor: str
    on_behalf: str = ""  # as whom an admin asks instead


class Gate:
    """Decides about each request."""

    def __init__(self, database: Database, tokens: Tokens, targets: Targets) -> None:
        self._database = database
        self._tokens = tokens
        self._targets = targets

    async def admit(self, method: str, path: str, given: Headers, *, upgrades: bool) -> Passage:
        """The way on for a request.

        Raises `Unauthenticated`, `Forbidden`, `NotFound` or `Unavailable`; nothing was sent yet.
        """
        named, rest = _place(path)
        identity = await self._tokens.identify(_authorization(given))
        if identity.anonymous:
            raise Unauthenticated(
                "a cluster needs a token of Fairway",
                code="no-token",
                remedy="`fairway kubeconfig` writes one down for kubectl",
            )
        cluster = await self._targets.resolve(named)
        found = asking.read(method, rest)
        headers.check_allowed(identity, cluster, reads=found.reads)
        groups = await self._database.read(groups_of, identity)
        own = headers.impersonation(identity, groups, given)
        target = await self._targets.target(cluster)
        return Passage(
            cluster=cluster,
            target=target,
            path=target.prefix + rest,
            headers=_sent(target, headers.onward(given, upgrades=upgrades), own),
            asked=found,
            actor=identity.login,
            on_behalf=headers.named_as(given),
        )

    async def note(self, passage: Passage, body: bytes) -> None:
        """Write down a change before it is asked for: none that happens can lack its entry."""
        asked = passage.asked
        subject = asked.subject(passage.cluster, "" if asked.name else name_in(body))
        after = {"as": passage.on_behalf} if passage.on_behalf else None
        await self._append(passage.actor, f"cluster.{asked.verb}", subject, after)

    async def note_failure(self, passage: Passage, body: bytes, status: int) -> None:
        """Write down that the cluster refused it; status 0: that its answer never came."""
        asked = passage.asked
        subject = asked.subject(passage.cluster, "" if asked.name else name_in(body))
        after = {"verb": asked.verb, "status": status or "no answer"}
        await self._append(passage.actor, "cluster.refused", subject, after)

    async def _append(self, actor: str, action: str, subject: str, after: Any) -> None:
        def work(db: Connection) -> None:
            audit.append(db, actor, action, subject, after=after)

        await self._database.write(work)


def groups_of(db: Connection, identity: Identity) -> list[str]:
    """The groups that an identity has in every cluster.

    `fairway:users`; `fairway:admins` for Fairway's admins; `fairway:ORG:ROLE` for each role in an
    organisation and those it covers; for a build `fairway:builds` and `fairway:builds:ORG/NAME`.
    """
    if identity.build is not None:
        return [BUILDS, *_repository_group(db, identity)]
    found = [USERS]
    if identity.admin:
        found.append(ADMINS)
    if identity.user_id is not None:
        for organisation, role in roles.of_user(db, identity.user_id):
            found += [f"fairway:{organisation}:{each}" for each in at_most(role)]
    return found


def _repository_group(db: Connection, identity: Identity) -> Sequence[str]:
    if identity.build_repository is None:
        return ()
    found = repositories.by_id(db, SYSTEM, identity.build_repository)
    return [f"{BUILDS}:{found.slug}"] if found else ()


def _place(path: str) -> tuple[str, str]:
    """(cluster, the rest with its query) of `/clusters/NAME/...`."""
    match = _PLACE.fullmatch(path)
    if match is None or not _is_plain(match[2] or ""):
        raise NotFound(
            "there is nothing but /clusters/NAME/ here",
            code="no-cluster",
            remedy="`fairway kubeconfig` writes the right address",
        )
    return unquote(match[1]), (match[2] or "/") + (match[3] or "")


def _is_plain(path: str) -> bool:
    """Whether a path leads nowhere else than it says: nothing in it climbs up, or hides a slash."""
    words = path.lower().split("/")
    return "%2f" not in path.lower() and not {"..", "%2e%2e", ".%2e", "%2e."} & set(words)


def _authorization(given: Headers) -> str | None:
    for name, value in given:
        if name.lower() == b"authorization":
            return value.decode("latin-1")
    return None


def _sent(target: Target, onward: Headers, own: Headers) -> Headers:
    port = f":{target.port}"
    host = f"[{target.host}]" if ":" in target.host else target.host
    found = [(b"Host", (host + port).encode()), *onward, *own]
    if target.authorization:
        found.append((b"Authorization", target.authorization.encode()))
    return found
