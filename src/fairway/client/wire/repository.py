"""Repositories, their cron jobs and what belongs to them."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

from fairway.client.wire.common import Request


class Repository(Struct, kw_only=True):
    """A repository with its settings."""

    slug: str
    default_branch: str = "main"
    visibility: str = "private"
    active: bool = True
    trusted: bool = False
    protected: bool = False
    config_path: str = ".drone.yml"
    timeout_s: int = 3600
    settings: dict[str, Any] = field(default_factory=dict)
    remote_url: str = ""
    poll_error: str = ""
    clone_url: str = ""
    builds: int = 0
    last_build: int = 0
    last_status: str = ""
    created: str = ""


class RepositoryCreate(Request):
    """A new repository; `remote_url` when its Git lives elsewhere."""

    repository: str  # ORGANISATION/NAME
    default_branch: str = "main"
    visibility: str = "private"
    remote_url: str = ""
    remote_user: str = ""
    remote_password: str = ""


class RepositoryChange(Request):
    """What shall be different; what is absent stays."""

    default_branch: str | UnsetType = UNSET
    visibility: str | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    trusted: bool | UnsetType = UNSET
    protected: bool | UnsetType = UNSET
    config_path: str | UnsetType = UNSET
    timeout_s: int | UnsetType = UNSET
    settings: dict[str, Any] | UnsetType = UNSET
    remote_url: str | UnsetType = UNSET
    remote_user: str | UnsetType = UNSET
    remote_password: str | UnsetType = UNSET


class HookSecret(Struct, kw_only=True):
    """Where a foreign repository's hook goes, and its secret, shown this once."""

    url: str
    secret: str


class SignRequest(Request):
    """A pipeline file to sign."""

    data: str


class Signed(Struct, kw_only=True):
    """The file with its signature document, and the signature alone."""

    data: str
    hmac: str


class Cron(Struct, kw_only=True):
    """A cron job of a repository."""

    name: str
    expression: str
    timezone: str = "UTC"
    branch: str = ""
    missed: str = "once"
    disabled: bool = False
    next: str | None = None
    last: str | None = None
    error: str = ""


class CronSet(Request):
    """A cron job as it shall be."""

    expression: str
    timezone: str = "UTC"
    branch: str = ""
    missed: str = "once"
    disabled: bool = False
