"""A token: what a program shows to act as a user, within stated limits. Only its digest is kept."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class TokenScope(StrEnum):
    """What a token may be used for. The user's own rights still bound every use."""

    REPO_READ = "repo:read"  # see a repository, fetch from it
    REPO_WRITE = "repo:write"  # push
    REPO_ADMIN = "repo:admin"  # create, settings, cron jobs, deletion
    BUILD_READ = "build:read"  # builds, logs, reports
    BUILD_WRITE = "build:write"  # trigger, cancel, retry, approve
    REGISTRY_PULL = "registry:pull"
    REGISTRY_PUSH = "registry:push"
    SECRET_WRITE = "secret:write"  # noqa: S105 the name of a scope
    CLUSTER_READ = "cluster:read"  # look at what the user may see in clusters
    CLUSTER_WRITE = "cluster:write"  # change it, open shells, forward ports
    DELIVERY_READ = "delivery:read"  # releases, environments, what waits
    DELIVERY_WRITE = "delivery:write"  # promote, approve, roll back, as far as the user may
    RUNNER = "runner"  # lease work: a runner's own token
    ADMIN = "admin"  # all that the user may do


class Token(Struct, frozen=True, kw_only=True):
    """A token without its value, which nobody can show again."""

    id: int
    user: int
    name: str
    scopes: list[TokenScope]
    repository: int | None = None
    build: int | None = None
    expires: int | None = None
    revoked: int | None = None
    used: int | None = None
    created: int = 0


class TokenFacts(Struct, frozen=True, kw_only=True):
    """A token with what decides whether it holds now."""

    token: Token
    login: str
    admin: bool
    active: bool
    machine: bool
    build_status: str = ""  # of the build that it is bound to
    build_repository: int | None = None
    build_organisation: int | None = None
