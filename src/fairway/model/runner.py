"""A runner: a process that carries out stages."""

from __future__ import annotations

from msgspec import Struct, field


class RunnerFacts(Struct, frozen=True, kw_only=True):
    """A runner as the system last saw it."""

    id: int
    name: str
    type: str = "docker"
    os: str = "linux"
    arch: str = "amd64"
    variant: str = ""
    kernel: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    capacity: int = 0
    version: str = ""
    paused: bool = False
    seen: int = 0
    created: int = 0
