"""Who asks: credentials to rights, challenges, and the token service `/v2/token`."""

from __future__ import annotations

import base64
from typing import Final
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from fairway.image.registry.access import Access, Action, Rights
from fairway.image.registry.errors import RegistryError
from fairway.image.registry.http import Request
from fairway.image.registry.tokens import LIFETIME_S, REFRESH_S, Seal, Statement, parse_scope
from fairway.kit import clock
from fairway.model.errors import Unauthenticated
from fairway.oci import reference

_LONGEST_FORM: Final = 64 * 1024
_MOST_SCOPES: Final = 64


class Asker(Struct, frozen=True):
    """Rights, and what the token at hand was made for."""

    rights: Rights
    statement: Statement | None = None


class Login:
    """Authentication of one registry."""

    def __init__(
        self, access: Access, key: bytes, *, realm: str, service: str, behind_proxy: bool
    ) -> None:
        self._access = access
        self._seal = Seal(key)
        self._realm = realm
        self._service = service
        self._behind_proxy = behind_proxy

    async def asker(self, request: Request) -> Asker:
        """Who sent a request. Raises RegistryError (UNAUTHORIZED with a challenge)."""
        given = request.headers.get("authorization")
        try:
            return await self._asker(given)
        except Unauthenticated as error:
            raise self._challenge(request, str(error)) from error

    async def _asker(self, given: str | None) -> Asker:
        kind, _, value = (given or "").partition(" ")
        statement = self._seal.open(value.strip()) if kind.lower() == "bearer" else None
        if statement is None:
            return Asker(await self._access.rights(given))
        return Asker(await self._access.rights(statement.authorization), statement)

    async def check(self, request: Request, asker: Asker, name: str, action: Action) -> None:
        """Raise RegistryError (UNAUTHORIZED or DENIED) unless the asker may."""
        covered = asker.statement is None or asker.statement.covers(name, action)
        allowed = await asker.rights.may(name, action)
        if allowed and covered:
            return
        scope = f"repository:{name}:{'pull,push' if action is Action.PUSH else action}"
        if asker.rights.anonymous or allowed:
            message = f"{action} of {name} needs credentials"
            raise self._challenge(request, message, scope=scope, insufficient=not covered)
        who = asker.rights.actor or "these credentials"
        raise RegistryError("DENIED", f"{who} may not {action} {name}", detail={"scope": scope})

    def check_known(self, request: Request, asker: Asker) -> None:
        """Raise RegistryError (UNAUTHORIZED) for nobody in particular: so clients log in."""
        if asker.rights.anonymous and asker.statement is None:
            raise self._challenge(request, "log in to use this registry")

    async def token(self, request: Request) -> None:
        """GET with Basic credentials, or POST of an OAuth2 form."""
        if request.method == "POST":
            await self._oauth(request)
            return
        given = request.headers.get("authorization")
        statement = await self._granted(request, given, request.every("scope"))
        offline = request.query.get("offline_token") == "true"
        await self._answer(request, statement, offline=offline)

    async def _oauth(self, request: Request) -> None:
        raw = await request.body(_LONGEST_FORM)
        pairs = parse_qsl(raw[:_LONGEST_FORM].decode("latin-1"), keep_blank_values=True)
        form = dict(pairs)
        given = self._grant(form)
        scopes = [part for key, value in pairs if key == "scope" for part in value.split()]
        statement = await self._granted(request, given, scopes)
        await self._answer(request, statement, offline=form.get("access_type") == "offline")

    def _grant(self, form: dict[str, str]) -> str | None:
        kind = form.get("grant_type")
        if kind == "password":
            pair = f"{form.get('username', '')}:{form.get('password', '')}"
            return "Basic " + base64.b64encode(pair.encode()).decode()
        if kind == "refresh_token":
            token = form.get("refresh_token", "")
            try:
                statement = self._seal.open(token)
            except Unauthenticated as error:
                raise RegistryError("UNAUTHORIZED", str(error)) from error
            return statement.authorization if statement else f"Bearer {token}"
        raise RegistryError(
            "UNSUPPORTED", "grant_type is `password` or `refresh_token`", status=400
        )

    async def _granted(self, request: Request, given: str | None, scopes: list[str]) -> Statement:
        try:
            asker = await self._asker(given)
        except Unauthenticated as error:
            raise self._challenge(request, str(error), basic=True) from error
        if asker.statement is not None:
            raise self._challenge(request, "a registry token makes no other", basic=True)
        granted: dict[str, list[str]] = {}
        wanted = [part for text in scopes for part in text.split()]
        for name, actions in filter(None, map(parse_scope, wanted[:_MOST_SCOPES])):
            if reference.is_name(name):
                granted[name] = granted.get(name, []) + await _allowed(asker.rights, name, actions)
        return Statement(given, granted, clock.now() + LIFETIME_S * 1000)

    async def _answer(self, request: Request, what: Statement, *, offline: bool) -> None:
        token = self._seal.make(what)
        body: dict[str, str | int] = {
            "token": token,
            "access_token": token,
            "expires_in": LIFETIME_S,
            "issued_at": clock.text(clock.now()) or "",
            "scope": " ".join(f"repository:{n}:{','.join(a)}" for n, a in what.scopes.items()),
        }
        if offline and what.authorization is not None:
            until = clock.now() + REFRESH_S * 1000
            body["refresh_token"] = self._seal.make(Statement(what.authorization, {}, until))
        headers = {"content-type": "application/json", "cache-control": "no-store"}
        await request.answer(200, headers, msgspec.json.encode(body))

    def _challenge(
        self,
        request: Request,
        message: str,
        *,
        scope: str = "",
        insufficient: bool = False,
        basic: bool = False,
    ) -> RegistryError:
        if basic:
            value = f'Basic realm="{self._service}"'
        else:
            realm = self._realm or self._asked(request)
            value = f'Bearer realm="{realm}/v2/token",service="{self._service}"'
            value += f',scope="{scope}"' if scope else ""
            value += ',error="insufficient_scope"' if insufficient else ""
        detail = {"scope": scope} if scope else None
        headers = {"www-authenticate": value}
        return RegistryError("UNAUTHORIZED", message, detail=detail, headers=headers)

    def _asked(self, request: Request) -> str:
        """The URL that the client asked, as it sees us."""
        host, scheme = request.headers.get("host", ""), request.scheme
        if self._behind_proxy:
            host = request.headers.get("x-forwarded-host", host)
            scheme = request.headers.get("x-forwarded-proto", scheme)
        return f"{_safe(scheme)}://{_safe(host)}"


async def _allowed(rights: Rights, name: str, actions: list[str]) -> list[str]:
    if "*" in actions:
        actions = [*Action]
    known = [Action(one) for one in dict.fromkeys(actions) if one in set(Action)]
    return [action.value for action in known if await rights.may(name, action)]


def _safe(host: str) -> str:
    """A Host header without what could end the quotes around it."""
    return "".join(char for char in host if char.isalnum() or char in ".-:[]_")
