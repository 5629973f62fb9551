"""Workspaces that are only remembered, for the simulated world."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class MemoryWorkspaces:
    """Knows which folders would exist. A folder exists once a stage ran in it."""

    def __init__(self) -> None:
        self.made: set[str] = set()
        self.marked: dict[str, tuple[str, set[int]]] = {}  # whose making, and what is made

    def folder(self, key: str) -> Path:
        """A path below nowhere."""
        self.made.add(key)
        return Path("/nowhere") / key

    async def whole(self, key: str) -> bool:
        """See the contract."""
        return key in self.made and key not in self.marked

    async def rebuilding(self, key: str, *, by: str) -> frozenset[int]:
        """See the contract."""
        if self.marked.get(key, ("",))[0] != by:
            self.marked[key] = (by, set())
        return frozenset(self.marked[key][1])

    async def remade(self, key: str, step: int) -> None:
        """See the contract."""
        self.marked[key][1].add(step)

    async def rebuilt(self, key: str) -> None:
        """See the contract."""
        self.marked.pop(key, None)

    async def prune(
        self,
        keep: Sequence[str],
        *,
        older_s: float,  # noqa: ARG002 no ages
        most_bytes: int = 0,  # noqa: ARG002 no sizes
    ) -> None:
        """Forget all others."""
        self.made &= set(keep)
