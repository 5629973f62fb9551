"""Checks that several nouns share; the decisions themselves are `access/`'s."""

from __future__ import annotations

import functools
from typing import Any

from litestar import Request
from litestar.params import QueryParameter
from sqlalchemy import Connection

from fairway.access.authorise import Action, require, sign_in
from fairway.access.identity import Identity
from fairway.model.build import Build
from fairway.model.errors import Forbidden, InvalidInput, NotFound
from fairway.model.repository import Repository
from fairway.model.token import TokenScope
from fairway.store import builds


async def known_query(request: Request[Any, Any, Any]) -> None:
    """Refuse a parameter that the path does not take: a filter is never silently ignored."""
    if not request.query_params:
        return
    known = _names(request.route_handler)
    for name in request.query_params:
        if name not in known:
            raise InvalidInput(
                f"there is no parameter {name[:60]!r} here",
                code="bad-request",
                where=f"query.{name[:60]}",
                remedy="it takes " + (", ".join(sorted(known)) or "none"),
            )


@functools.cache
def _names(handler: Any) -> frozenset[str]:
    fields = handler.parsed_fn_signature.parameters
    return frozenset(
        name for name, field in fields.items() if isinstance(field.kwarg_definition, QueryParameter)
    )


def signed_in(who: Identity) -> None:
    """Raise `Unauthenticated` for nobody."""
    if who.anonymous:
        raise sign_in()


def holds(who: Identity, scope: TokenScope) -> None:
    """Raise `Forbidden` where a token was not made for this. Nobody sees what is public."""
    if not who.anonymous and not who.holds(scope):
        raise Forbidden(
            f"the token lacks the scope {scope}",
            code="token-scope",
            remedy=f"make a token with the scope {scope}",
        )


def build_at(
    db: Connection, who: Identity, action: Action, *, slug: str, number: int
) -> tuple[Repository, Build]:
    """A build on which `who` may do that. Raises as `require` does, and `NotFound`."""
    found = require(db, who, action, slug)
    build = builds.by_number(db, found.id, number)
    if build is None:
        raise NotFound(
            f"{slug} has no build {number}",
            code="build-not-found",
            remedy=f"`fairway get builds -R {slug}` lists them",
        )
    return found, build
