"""Repositories that live elsewhere: fetched into a folder of ours, by the clock or when woken.

A fetch changes refs in our folder; the announcer compares and writes events. So a commit is
announced once, whoever woke us and however often.

Who may set an address makes this machine send requests there: it takes an admin of Fairway, only
http and https are spoken, and link-local addresses (where clouds keep credentials) are refused.
Other private addresses are allowed: that is where many a company's Git lives.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import urllib.parse
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct, field
from sqlalchemy import Connection

from fairway.access.authorise import Action, require, require_admin
from fairway.access.identity import Identity
from fairway.access.keyring import Keyring, repository_place
from fairway.git.fetching import fetch
from fairway.git.folders import Folders
from fairway.kit import clock
from fairway.kit.aio import Wake, blocking
from fairway.kit.net import is_link_local
from fairway.kit.secret import Secret
from fairway.model.errors import Conflict, FairwayError, InvalidInput, Unavailable
from fairway.model.repository import Repository
from fairway.source.announce import Announcer, stamp
from fairway.store import audit, repositories
from fairway.store.database import Database

TOGETHER: Final = 4  # fetches at once
_LOOK_S: Final = 10.0
_LONGEST_BACKOFF_S: Final = 900.0
_JITTER: Final = 0.2
_LONGEST_URL: Final = 2000
_LEAST_POLL_S: Final = 5
_log = logging.getLogger(__name__)


class Credentials(Struct, frozen=True):
    """For a remote repository. Sealed as JSON."""

    user: str
    password: str

    def __repr__(self) -> str:
        return "Credentials(******)"


class RemoteDeps(Struct, frozen=True):
    """What remotes need; `environment` is the machine's proxy and CA settings for git."""

    database: Database
    folders: Folders
    announcer: Announcer
    keyring: Keyring
    environment: Mapping[str, str] = field(default_factory=dict)


class Remotes:
    """The service behind API and command line."""

    def __init__(self, deps: RemoteDeps) -> None:
        self._deps = deps

    async def set(
        self, identity: Identity, slug: str, url: str, credentials: Credentials | None = None
    ) -> Repository:
        """Say where a repository lives; "" makes it our own. Raises `InvalidInput`, `Forbidden`."""
        if url:
            check_url(url)
        return await self._deps.database.write(
            _set, identity, slug, url, credentials=credentials, keyring=self._deps.keyring
        )

    async def new_hook_secret(self, identity: Identity, slug: str) -> Secret:
        """Make the secret that signs wake-ups; the former one ends. It is shown this once."""
        value = Secret(secrets.token_urlsafe(32))
        await self._deps.database.write(
            _set_hook, identity, slug, value, keyring=self._deps.keyring
        )
        return value


class Seen(Struct):
    """What the controller remembers of a repository."""

    failures: int = 0
    jitter: float = 1.0


class RemoteController:
    """Fetches what is due. One process at a time owns a repository's folder."""

    def __init__(self, deps: RemoteDeps, wake: Wake) -> None:
        self._deps = deps
        self._wake = wake
        self._seen: dict[int, Seen] = {}
        self._busy: set[int] = set()
        self._random = random.Random()  # noqa: S311 jitter is no secret

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                wait = _LOOK_S
                try:
                    wait = await self._start_due(group)
                except FairwayError as error:
                    _log.warning("remote repositories are looked at later: %s", error)
                await self._wake.wait(wait)

    async def poll(self, repository: Repository) -> str:
        """Fetch one now and announce what changed. Returns why it could not, or ""."""
        seen = self._seen.setdefault(repository.id, Seen())
        seen.jitter = 1 + self._random.uniform(-_JITTER, _JITTER)
        error = ""
        await self._deps.database.write(repositories.polling, repository.id)
        try:
            await self._fetch(repository)
            await self._deps.announcer.reconcile(repository.id)
            seen.failures = 0
        except FairwayError as failure:
            seen.failures += 1
            error = str(failure)
            _log.warning("%s: %s", repository.slug, error)
        await self._deps.database.write(repositories.polled, repository.id, error=error)
        return error

    async def _start_due(self, group: asyncio.TaskGroup) -> float:
        now = clock.now()
        wait = _LOOK_S
        for each in await self._deps.database.read(repositories.remotes):
            left = due_in(each, self._seen.get(each.id), now)
            if left > 0:
                wait = min(wait, left)
            elif each.id not in self._busy and len(self._busy) < TOGETHER:
                self._busy.add(each.id)
                group.create_task(self._one(each), name=f"fetch {each.slug}")
        return wait

    async def _one(self, repository: Repository) -> None:
        try:
            await self.poll(repository)
        except FairwayError as error:
            _log.warning("%s: %s", repository.slug, error)
        finally:
            self._busy.discard(repository.id)
            self._wake.set()

    async def _fetch(self, repository: Repository) -> None:
        deps = self._deps
        check_url(repository.remote_url)
        await blocking(check_address, repository.remote_url)
        await blocking(
            deps.folders.ensure, repository.id, stamp(repository), repository.default_branch
        )
        sealed = await deps.database.read(repositories.sealed, repository.id, "remote_credentials")
        credentials = Credentials("", "")
        if sealed:
            place = repository_place(repository.id, "remote_credentials")
            plain = deps.keyring.open_bytes(sealed, place=place)
            credentials = msgspec.json.decode(plain, type=Credentials)
        await fetch(
            deps.folders,
            repository.id,
            repository.remote_url,
            user=credentials.user,
            password=Secret(credentials.password) if credentials.password else None,
            extra=deps.environment,
        )


def due_in(repository: Repository, seen: Seen | None, now: int) -> float:
    """Seconds until a repository is to be fetched; 0 or less: now.

    Every `poll_s` with jitter; after failures twice as long each time, up to a quarter of an hour.
    A wake-up (`polled` is None) counts at once; so does a start-up (nothing `seen` yet).
    """
    every = max(_LEAST_POLL_S, repository.settings.poll_s)
    if repository.polled is None or seen is None:
        return 0.0
    wait: float = min(every * 2.0 ** min(seen.failures, 20), max(_LONGEST_BACKOFF_S, every))
    return (repository.polled - now) / 1000 + wait * seen.jitter


def check_url(url: str) -> None:
    """Whether an address can be fetched from. Raises `InvalidInput` (code `bad-remote-url`)."""
    try:
        parts = urllib.parse.urlsplit(url)
        host, user = parts.hostname, parts.username or parts.password
        _ = parts.port
    except ValueError:
        host, user, parts = None, None, urllib.parse.urlsplit("")
    why = ""
    if len(url) > _LONGEST_URL or any(ord(letter) <= 32 or ord(letter) == 127 for letter in url):
        why = "it has blanks or control characters, or is too long"
    elif parts.scheme not in {"http", "https"} or not host:
        why = "it must begin with https:// or http:// and a host"
    elif user:
        why = "credentials are not part of the address: give them separately"
    elif parts.query or parts.fragment:
        why = "it must have neither ? nor #"
    if why:
        raise InvalidInput(
            f"this address cannot be fetched from: {why}",
            code="bad-remote-url",
            remedy="https://HOST/PATH.git",
        )


def check_address(url: str) -> None:
    """Refuse hosts that resolve to link-local addresses. Raises `InvalidInput`, `Unavailable`."""
    parts = urllib.parse.urlsplit(url)
    try:
        near = is_link_local(parts.hostname or "", parts.port or 443)
    except OSError as error:
        raise Unavailable(
            f"the host {parts.hostname} is not known: {error.strerror}",
            code="remote-unknown-host",
            remedy="look at the address and the machine's DNS; it is tried again by itself",
        ) from None
    if near:
        raise InvalidInput(
            f"the host {parts.hostname} has a link-local address, where clouds keep keys",
            code="remote-link-local",
            remedy="use an address of the Git server's own",
        )


def _set(
    db: Connection,
    identity: Identity,
    slug: str,
    url: str,
    *,
    credentials: Credentials | None,
    keyring: Keyring,
) -> Repository:
    require_admin(identity)
    found = require(db, identity, Action.CONFIGURE_REPOSITORY, slug)
    column = "remote_credentials"
    sealed = None
    if credentials is not None:
        plain = msgspec.json.encode(credentials)
        sealed = keyring.seal(plain, place=repository_place(found.id, column))
    change = {"remote_url": url, "poll_error": ""}
    if not repositories.change(db, found.id, found.version, change):
        raise Conflict(
            f"{slug} has been changed meanwhile (it had version {found.version})",
            code="repository-changed",
            remedy="read it again and repeat the change",
        )
    repositories.seal(db, found.id, column, sealed)
    repositories.ask_poll(db, found.id)
    audit.append(
        db,
        identity.login,
        "repository.remote",
        f"repository/{slug}",
        before=found.remote_url,
        after=url,
    )
    return require(db, identity, Action.CONFIGURE_REPOSITORY, slug)


def _set_hook(
    db: Connection, identity: Identity, slug: str, value: Secret, *, keyring: Keyring
) -> None:
    found = require(db, identity, Action.CONFIGURE_REPOSITORY, slug)
    place = repository_place(found.id, "hook_secret")
    repositories.seal(db, found.id, "hook_secret", keyring.seal(value, place=place))
    audit.append(db, identity.login, "repository.hook-secret", f"repository/{slug}")
