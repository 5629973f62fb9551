"""Users, organisations and tokens."""

from __future__ import annotations

from litestar import delete, get, post, put
from litestar.params import JSONBody
from sqlalchemy import Connection

from fairway.access import passwords
from fairway.access.authorise import Action, require, require_admin
from fairway.access.identity import Identity
from fairway.access.scope import full, scope_of
from fairway.access.tokens import Minted
from fairway.api import cursors, guard, shown
from fairway.api.services import Cursor, Limit, Number, Svc, Who, Word
from fairway.client.wire import who as wire
from fairway.client.wire.common import Page
from fairway.kit import clock
from fairway.kit.aio import blocking
from fairway.kit.secret import Secret
from fairway.model.errors import Conflict, Forbidden, InvalidInput, NotFound
from fairway.model.name import check_name, check_organisation
from fairway.model.organisation import Organisation
from fairway.model.token import Token, TokenScope
from fairway.model.user import User
from fairway.store import audit, organisations, tokens, users, views


@get("/me", summary="Who asks")
async def show_me(*, services: Svc, who: Who) -> wire.Me:
    """Whose token this is, and what it was made for."""
    del services
    guard.signed_in(who)
    return wire.Me(login=who.login, admin=full(who), scopes=sorted(who.scopes))


@get("/users", summary="List users")
async def list_users(
    *, services: Svc, who: Who, limit: Limit = 50, cursor: Cursor = ""
) -> Page[wire.User]:
    """All for admins; else oneself."""
    guard.signed_in(who)
    after = cursors.decode_int(cursor) or 0
    found = await services.database.read(users.listing, scope_of(who), after=after, limit=limit)
    return cursors.page([shown.user(one) for one in found], limit, found[-1].id if found else None)


def _new_user(db: Connection, who: Identity, data: wire.UserCreate, password: str) -> User:
    check_name(data.login, "a user")
    if users.by_login(db, data.login) is not None:
        raise Conflict(f"there is a user {data.login!r} already", code="user-exists")
    made = users.create(
        db, data.login, name=data.name, email=data.email, admin=data.admin, machine=data.machine
    )
    if password:
        users.set_password(db, made.id, password)
    audit.append(db, who.login, "user.create", f"user/{data.login}", after=made)
    return made


@post("/users", summary="Add a user")
async def create_user(*, services: Svc, who: Who, data: JSONBody[wire.UserCreate]) -> wire.User:
    """For admins. Without a password he signs in with tokens only."""
    require_admin(who)
    password = ""
    if data.password:
        passwords.checked(Secret(data.password))
        password = await blocking(passwords.kept, Secret(data.password))
    return shown.user(await services.database.write(_new_user, who, data, password))


@put("/users/{login:str}/password", summary="Set a password")
async def set_password(
    *, services: Svc, who: Who, login: Word, data: JSONBody[wire.PasswordSet]
) -> None:
    """One's own, with the current one; anybody's for admins. Tokens hold on."""
    guard.signed_in(who)
    given = {"password": Secret(data.password), "current": Secret(data.current)}
    await passwords.change(services.database, who, login, **given)


@post("/login", summary="Exchange a password for a token")
async def sign_in(*, services: Svc, data: JSONBody[wire.SignIn]) -> wire.NewToken:
    """The token holds for thirty days and may do what the user may."""
    made = await passwords.sign_in(
        services.database, data.login, Secret(data.password), name=data.name
    )
    return _shown_token(made)


def _organisations(
    db: Connection, who: Identity, *, after: int, limit: int
) -> tuple[list[Organisation], dict[int, int]]:
    found = organisations.listing(db, scope_of(who), after=after, limit=limit)
    return found, views.repositories_of(db, [one.id for one in found], scope_of(who))


@get("/orgs", summary="List organisations")
async def list_organisations(
    *, services: Svc, who: Who, limit: Limit = 50, cursor: Cursor = ""
) -> Page[wire.Organisation]:
    """Those in which the asker has a role or sees a repository."""
    after = cursors.decode_int(cursor) or 0
    found, counts = await services.database.read(_organisations, who, after=after, limit=limit)
    items = [shown.organisation(one, counts.get(one.id, 0)) for one in found]
    return cursors.page(items, limit, found[-1].id if found else None)


def _new_organisation(db: Connection, who: Identity, name: str) -> Organisation:
    check_organisation(name)
    if organisations.by_name(db, name) is not None:
        raise Conflict(f"there is an organisation {name!r} already", code="organisation-exists")
    made = organisations.create(db, name)
    audit.append(db, who.login, "organisation.create", f"organisation/{name}")
    return made


@post("/orgs", summary="Add an organisation")
async def create_organisation(
    *, services: Svc, who: Who, data: JSONBody[wire.OrganisationCreate]
) -> wire.Organisation:
    """For admins."""
    require_admin(who)
    made = await services.database.write(_new_organisation, who, data.name)
    return shown.organisation(made, 0)


def _tokens(
    db: Connection, who: Identity, *, after: int, limit: int
) -> tuple[list[Token], dict[int, tuple[str, str]]]:
    found = tokens.listing(db, scope_of(who), after=after, limit=limit)
    return found, views.names_of_tokens(db, [one.id for one in found])


@get("/tokens", summary="List tokens")
async def list_tokens(
    *, services: Svc, who: Who, limit: Limit = 50, cursor: Cursor = ""
) -> Page[wire.Token]:
    """One's own; all for admins. Never their values."""
    _may_see_tokens(who)
    after = cursors.decode_int(cursor) or 0
    found, names = await services.database.read(_tokens, who, after=after, limit=limit)
    items = [shown.token(one, *names[one.id]) for one in found]
    return cursors.page(items, limit, found[-1].id if found else None)


def _may_see_tokens(who: Identity) -> None:
    guard.signed_in(who)
    if who.build is not None or not who.holds(TokenScope.ADMIN):
        raise Forbidden(
            "this needs a token of scope admin",
            code="token-scope",
            remedy="`fairway login` with a token of that scope",
        )


def _owner(db: Connection, who: Identity, data: wire.TokenCreate) -> tuple[int, int | None]:
    """(user, repository or None) of a token to be."""
    repository = None
    if data.repository:
        repository = require(db, who, Action.READ_REPOSITORY, data.repository).id
    if who.only is not None and repository != who.only:
        raise Forbidden(
            "this token is bound to one repository, and so is what it makes",
            code="token-bound",
            remedy="name that repository",
        )
    if not data.user or data.user == who.login:
        return who.user_id or 0, repository
    require_admin(who)
    found = users.by_login(db, data.user)
    if found is None:
        raise NotFound(f"there is no user {data.user[:100]!r}", code="no-user")
    return found.id, repository


@post("/tokens", summary="Make a token")
async def create_token(
    *, services: Svc, who: Who, data: JSONBody[wire.TokenCreate]
) -> wire.NewToken:
    """The value is shown this once."""
    _may_see_tokens(who)
    scopes = [_scope(word) for word in data.scopes]
    if data.expires_s < 0 or data.expires_s > 10 * 366 * 86_400:
        raise InvalidInput("not between 0 and ten years", where="body.expires_s")
    owner, repository = await services.database.read(_owner, who, data)
    expires = clock.now() + data.expires_s * 1000 if data.expires_s else None
    made = await services.tokens.mint(
        owner,
        name=data.name,
        scopes=scopes,
        repository_id=repository,
        expires=expires,
        actor=who.login,
    )
    return _shown_token(made)


def _shown_token(made: Minted) -> wire.NewToken:
    return wire.NewToken(
        id=made.id,
        name=made.name,
        token=made.value.reveal(),
        scopes=[str(one) for one in made.scopes],
        expires=clock.text(made.expires),
    )


def _scope(word: str) -> TokenScope:
    try:
        return TokenScope(word)
    except ValueError:
        raise InvalidInput(
            f"{word[:40]!r} is no scope",
            code="bad-scope",
            where="body.scopes",
            remedy="one of: " + ", ".join(TokenScope),
        ) from None


@delete("/tokens/{token:int}", summary="Revoke a token")
async def revoke_token(*, services: Svc, who: Who, token: Number) -> None:
    """At once. One's own, or any for admins."""
    _may_see_tokens(who)
    if await services.database.read(tokens.by_id, scope_of(who), token) is None:
        raise NotFound(f"there is no token {token}", code="no-token-of-that-id")
    await services.tokens.revoke(token, actor=who.login)


ROUTES = [
    show_me,
    list_users,
    create_user,
    set_password,
    sign_in,
    list_organisations,
    create_organisation,
    list_tokens,
    create_token,
    revoke_token,
]
