"""Workspaces that are only remembered, for the simulated world."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class MemoryWorkspaces:
    """Knows which folders would exist. A folder exists once a stage ran in it."""

    def __init__(self) -> None:
        self.made: set[str] = set()
        self.marked: set[str] = set()

    def folder(self, key: str) -> Path:
        """A path below nowhere."""
        self.made.add(key)
        return Path("/nowhere") / key

    async def whole(self, key: str) -> bool:
        """See the contract."""
        return key in self.made and key not in self.marked

    async def rebuilding(self, key: str) -> None:
        """See the contract."""
        self.marked.add(key)

    async def rebuilt(self, key: str) -> None:
        """See the contract."""
        self.marked.discard(key)

    async def prune(
        self,
        keep: Sequence[str],
        *,
        older_s: float,  # noqa: ARG002 no ages
        most_bytes: int = 0,  # noqa: ARG002 no sizes
    ) -> None:
        """Forget all others."""
        self.made &= set(keep)
