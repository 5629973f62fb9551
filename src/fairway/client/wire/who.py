"""Users, organisations, tokens, audit entries and secrets (never their values)."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from fairway.client.wire.common import Request


class User(Struct, kw_only=True):
    """A person or a machine."""

    login: str
    name: str = ""
    email: str = ""
    admin: bool = False
    machine: bool = False
    active: bool = True
    created: str = ""


class Me(Struct, kw_only=True):
    """Who asks, and what the token may."""

    login: str
    admin: bool = False
    scopes: list[str] = field(default_factory=list)


class UserCreate(Request):
    """A new user."""

    login: str
    name: str = ""
    email: str = ""
    admin: bool = False
    machine: bool = False
    password: str = ""  # none: signs in with tokens only


class SignIn(Request):
    """A password to be exchanged for a token. `name` is the token's."""

    login: str
    password: str
    name: str = "session"


class PasswordSet(Request):
    """A new password; `current` is one's own so far (an admin needs none)."""

    password: str
    current: str = ""


class Team(Struct, kw_only=True):
    """A team and its members' logins."""

    name: str
    members: list[str] = field(default_factory=list)
    created: str = ""


class TeamCreate(Request):
    """A new team."""

    name: str


class Right(Struct, kw_only=True):
    """A right in an environment ("" for every one). `holder` is a login, or `team:NAME`."""

    holder: str
    action: str
    delivery: str
    environment: str = ""
    created: str = ""


class RightSet(Request):
    """A right to give or take. `place` is DELIVERY, or DELIVERY/ENVIRONMENT."""

    holder: str
    action: str
    place: str


class Organisation(Struct, kw_only=True):
    """An organisation: the first half of a repository's name."""

    name: str
    repositories: int = 0
    created: str = ""


class OrganisationCreate(Request):
    """A new organisation."""

    name: str


class Grant(Struct, kw_only=True):
    """A user's role in an organisation, or in one repository."""

    login: str
    role: str
    created: str = ""


class RoleSet(Request):
    """A role to give: reader, writer, maintainer or admin."""

    role: str


class Token(Struct, kw_only=True):
    """A token without its secret."""

    id: int
    user: str
    name: str = ""
    scopes: list[str] = field(default_factory=list)
    repository: str = ""
    expires: str | None = None
    revoked: str | None = None
    used: str | None = None
    created: str = ""


class TokenCreate(Request):
    """A new token; `expires_s` counts from now, 0 for no end."""

    name: str
    scopes: list[str] = field(default_factory=list)
    user: str = ""
    repository: str = ""
    expires_s: int = 0


class NewToken(Struct, kw_only=True):
    """A token with its secret, shown this once."""

    id: int
    name: str
    token: str
    scopes: list[str] = field(default_factory=list)
    expires: str | None = None


class Audit(Struct, kw_only=True):
    """Who did what to what."""

    id: int
    at: str
    actor: str
    action: str
    subject: str
    before: Any = None
    after: Any = None


class Secret(Struct, kw_only=True):
    """A secret's name and where it may be used. The value is never shown."""

    name: str
    scope: str  # repository slug, organisation name, or "" for the whole installation
    pull_request: bool = False
    pull_request_push: bool = False
    events: list[str] = field(default_factory=list)
    branches: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    environments: list[str] = field(default_factory=list)
    created: str = ""
    updated: str = ""
    used: str | None = None


class SecretSet(Request):
    """A secret as it shall be."""

    value: str
    pull_request: bool = False
    pull_request_push: bool = False
    events: list[str] = field(default_factory=list)
    branches: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    environments: list[str] = field(default_factory=list)
