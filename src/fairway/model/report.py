"""A report: what a step's tests said, and what they covered."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field


class Report(Struct, frozen=True, kw_only=True):
    """The tests and the coverage of one attempt of a step."""

    id: int
    step: int
    attempt: int = 1
    passed: int = 0
    failed: int = 0
    errored: int = 0
    skipped: int = 0
    lines_covered: int = 0
    lines_total: int = 0
    cases: list[dict[str, Any]] = field(default_factory=list)

    @property
    def coverage(self) -> float | None:
        """Percent of lines, None when nothing was measured."""
        return 100.0 * self.lines_covered / self.lines_total if self.lines_total else None
