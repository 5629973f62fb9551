"""An identity: who asks, and within which limits. `ANONYMOUS` is nobody."""

from __future__ import annotations

import base64
from typing import Final

from msgspec import Struct

from fairway.kit.secret import Secret
from fairway.model.errors import Unauthenticated
from fairway.model.token import TokenScope

NODE_LOGIN: Final = "fairway-node-"  # and the cluster's name: machine users of its nodes


class Identity(Struct, frozen=True, kw_only=True):
    """Who asks.

    `only` binds to a repository; a build's own credentials name its build, its repository and
    its organisation.
    """

    user_id: int | None = None
    login: str = ""
    admin: bool = False
    machine: bool = False
    scopes: frozenset[TokenScope] = frozenset()
    token_id: int | None = None
    only: int | None = None
    build: int | None = None
    build_repository: int | None = None
    build_organisation: int | None = None

    @property
    def anonymous(self) -> bool:
        """Whether nobody is signed in."""
        return self.user_id is None

    @property
    def node(self) -> bool:
        """Whether it is a cluster's nodes, which pull every image."""
        return self.machine and self.login.startswith(NODE_LOGIN)

    def holds(self, scope: TokenScope) -> bool:
        """Whether the token was made for this."""
        return scope in self.scopes or TokenScope.ADMIN in self.scopes


ANONYMOUS: Final = Identity()
SYSTEM: Final = Identity(
    user_id=0, login="fairway", admin=True, machine=True, scopes=frozenset({TokenScope.ADMIN})
)


def credentials(header: str | None) -> Secret | None:
    """The token in an `Authorization` header: Bearer, or Basic with the token as the password.

    With Basic the user name does not matter; a token in its place, with an empty password, does
    too. Returns None when there is no header. Raises `Unauthenticated` for anything else.
    """
    if not header:
        return None
    kind, _, rest = header.strip().partition(" ")
    match kind.lower():
        case "bearer" | "token":
            return Secret(rest.strip())
        case "basic":
            return _basic(rest.strip())
    raise _malformed()


def _basic(encoded: str) -> Secret:
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except ValueError:
        raise _malformed() from None
    name, colon, password = text.partition(":")
    if not colon:
        raise _malformed()
    return Secret(password or name)


def _malformed() -> Unauthenticated:
    return Unauthenticated(
        "the Authorization header is not understood",
        code="bad-authorization",
        remedy="send `Bearer TOKEN`, or Basic with the token as the password",
    )
