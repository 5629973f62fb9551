"""A repository and its settings."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from msgspec import Struct, field


class Visibility(StrEnum):
    """Who may read: those with a role, everybody signed in, everybody."""

    PRIVATE = "private"
    INTERNAL = "internal"
    PUBLIC = "public"


Pusher = Literal["writer", "maintainer", "admin", "nobody"]


class RefRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule for refs whose short name matches `pattern` (a glob: `*` in a part, `**` across)."""

    pattern: str
    push: Pusher = "writer"  # the least role that may push
    force: bool = False  # whether history may be rewritten (a branch), or a tag moved
    delete: bool = False
    merge: Pusher | Literal[""] = ""  # least role that may merge into it; "": as `push`


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a repository says about itself beyond the columns of its own."""

    description: str = ""
    branches: list[RefRule] = field(default_factory=list)  # protected branches
    tags: list[RefRule] = field(default_factory=list)  # protected tags
    auto_cancel_pushes: bool = False
    auto_cancel_pull_requests: bool = False
    auto_cancel_running: bool = False
    ignore_pushes: bool = False
    ignore_tags: bool = False
    ignore_pull_requests: bool = False
    builtin_plugins: bool = True  # off: every plugin image runs as itself
    required_checks: list[str] = field(default_factory=list)  # pipelines; none: the whole build
    keep_workspace_s: int = 24 * 3600
    poll_s: int = 60  # how often a remote repository is looked at
    template_repository: str = ""  # where the organisation's templates are; "": its `templates`


class Repository(Struct, frozen=True, kw_only=True):
    """A repository: our own, or one that lives elsewhere (`remote_url`)."""

    id: int
    slug: str
    organisation: int
    name: str
    default_branch: str = "main"
    visibility: Visibility = Visibility.PRIVATE
    active: bool = True
    trusted: bool = False
    protected: bool = False
    config_path: str = ".drone.yml"
    timeout_s: int = 3600
    settings: Settings = field(default_factory=Settings)
    remote_url: str = ""
    polled: int | None = None
    poll_error: str = ""
    counter: int = 0
    created: int = 0
    version: int = 0

    @property
    def namespace(self) -> str:
        """The organisation's name."""
        return self.slug.partition("/")[0]
