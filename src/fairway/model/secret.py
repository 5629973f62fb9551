"""A secret: a value that pipelines may use and nobody may read."""

from __future__ import annotations

from msgspec import Struct, field


class Binding(Struct, frozen=True, kw_only=True):
    """What a secret is bound to. An empty list binds to nothing: all may have it."""

    pull_request: bool = False  # pull requests may have it at all
    pull_request_push: bool = False  # ... also those that push images
    events: list[str] = field(default_factory=list)
    branches: list[str] = field(default_factory=list)  # globs
    images: list[str] = field(default_factory=list)  # image names without tag, globs
    environments: list[str] = field(default_factory=list)  # globs


class SecretFacts(Struct, frozen=True, kw_only=True):
    """A secret without its value. Neither organisation nor repository: global."""

    id: int
    name: str
    organisation: int | None = None
    repository: int | None = None
    key_id: str = ""
    pull_request: bool = False
    pull_request_push: bool = False
    events: list[str] = field(default_factory=list)
    branches: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    environments: list[str] = field(default_factory=list)
    created: int = 0
    updated: int = 0
    used: int | None = None


class Sealed(Struct, frozen=True, kw_only=True):
    """A secret's facts with its sealed value."""

    facts: SecretFacts
    sealed: bytes
