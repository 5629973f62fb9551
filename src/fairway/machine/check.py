"""What a check comes to."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from msgspec import Struct


class Health(StrEnum):
    """`warn` works, with a risk; `missing` and `old` keep the part named from working."""

    OK = "ok"
    WARN = "warn"
    MISSING = "missing"
    OLD = "too old"


class Check(Struct, frozen=True):
    """`found` says what is here; `mend` is the exact command or step, "" when all is well."""

    name: str
    health: Health
    found: str
    mend: str = ""

    @property
    def is_bad(self) -> bool:
        """Whether something does not work because of it."""
        return self.health in (Health.MISSING, Health.OLD)


class Wanted(Struct, frozen=True):
    """What Fairway was told to use here: composed from the settings by whoever asks."""

    data: Path
    docker_hosts: tuple[str, ...] = ("unix:///var/run/docker.sock",)
    may_start_docker: bool = True
    port: int = 0  # 0: nothing will listen
    is_running: bool = False  # Fairway itself holds the port
    database_url: str = ""
    free_bytes: int = 2 * 1024**3
    proxies: dict[str, str] = {}  # HTTP_PROXY, HTTPS_PROXY, NO_PROXY as the environment has them
