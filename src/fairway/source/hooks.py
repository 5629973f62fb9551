"""`POST /hooks/ORGANISATION/NAME`: a signed wake-up of a repository that lives elsewhere.

The signature is HMAC-SHA256 of the raw body with the repository's hook secret, in hexadecimal, in
`X-Fairway-Signature` or `X-Hub-Signature-256`, with or without `sha256=` before it. The body says
nothing that we would believe: we only look at the remote repository sooner.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from fairway.access.keyring import Keyring, repository_place
from fairway.kit.aio import Wake
from fairway.model.errors import FairwayError, InvalidInput, NotFound, TooLarge, Unauthenticated
from fairway.model.repository import Repository
from fairway.source.wire import Asgi, Receive, Send
from fairway.store import repositories
from fairway.store.database import Database

LONGEST: Final = 1024 * 1024
_PATIENCE_S: Final = 30.0
_HEADERS: Final = (b"x-fairway-signature", b"x-hub-signature-256")
_log = logging.getLogger(__name__)


class HookDeps(Struct, frozen=True):
    """What hooks need; `wake` is the remote controller's."""

    database: Database
    keyring: Keyring
    wake: Wake


def hooks_app(deps: HookDeps) -> Hooks:
    """The ASGI application for `/hooks/...`."""
    return Hooks(deps)


class Hooks:
    """The ASGI application."""

    def __init__(self, deps: HookDeps) -> None:
        self._deps = deps

    async def __call__(self, scope: Asgi, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        status, kind = 202, b"application/json"
        answer: dict[str, object] = {"status": "accepted"}
        try:
            await self._take(scope, receive)
        except FairwayError as error:
            status, kind = error.status, b"application/problem+json"
            answer = {
                "type": error.code,
                "title": "The hook was refused",
                "status": status,
                "detail": error.message,
                "remedy": error.remedy,
            }
        body = msgspec.json.encode(answer)
        headers = [(b"content-type", kind)]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _take(self, scope: Asgi, receive: Receive) -> None:
        slug = scope["path"].removeprefix("/hooks/")
        if scope["method"] != "POST" or slug.count("/") != 1:
            raise NotFound("there is nothing at this address", remedy="POST /hooks/ORG/NAME")
        body = await _body(receive)
        given = _signature(scope["headers"])
        found = await self._deps.database.read(_secret, slug)
        if not self._holds(found, body, given):
            raise Unauthenticated(
                "the signature does not hold",
                code="bad-signature",
                remedy="sign the raw body with the repository's hook secret (HMAC-SHA256)",
            )
        if found is not None:
            await self._deps.database.write(repositories.ask_poll, found[0].id)
            self._deps.wake.set()
            _log.info("%s: woken by a hook", slug)

    def _holds(self, found: tuple[Repository, bytes] | None, body: bytes, given: str) -> bool:
        """Constant in time, also for a repository that is not there."""
        key = b"nobody has this key"
        if found is not None:
            place = repository_place(found[0].id, "hook_secret")
            key = self._deps.keyring.open_bytes(found[1], place=place)
        expected = hmac.new(key, body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected.encode(), given.encode()) and found is not None


def _secret(db: Connection, slug: str) -> tuple[Repository, bytes] | None:
    found = repositories.named(db, slug)
    if found is None or not found.remote_url:
        return None
    sealed = repositories.sealed(db, found.id, "hook_secret")
    return None if sealed is None else (found, sealed)


def _signature(headers: Any) -> str:
    for name, value in headers:
        if name.lower() in _HEADERS:
            text: str = value.decode("latin-1").strip()
            return text.removeprefix("sha256=").lower()
    return ""


async def _body(receive: Receive) -> bytes:
    data = bytearray()
    try:
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise InvalidInput("the body was cut off", code="body-cut")
                data += message.get("body", b"")
                if len(data) > LONGEST:
                    raise TooLarge(
                        f"the body has more than {LONGEST} bytes",
                        code="hook-too-large",
                        remedy="send less: an empty body will do",
                    )
                if not message.get("more_body", False):
                    return bytes(data)
    except TimeoutError:
        raise InvalidInput("the body took too long", code="body-slow") from None
