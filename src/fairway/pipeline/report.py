"""From a runner's report to the row that is kept: counts, every failure, the slowest."""

from __future__ import annotations

from typing import Any, Final

from msgspec import to_builtins

from fairway.pipeline.dispatch import CaseReport, StepReport

_KEPT: Final = 5_000
_MESSAGE: Final = 4_000


def saved_report(report: StepReport) -> dict[str, Any]:
    """The columns of a report's row. Bad cases come first, then the slowest, within a limit."""
    ordered = sorted(report.cases, key=_rank)[:_KEPT]
    return {
        **{word: _count(report, word) for word in ("passed", "failed", "errored", "skipped")},
        "lines_covered": report.lines_covered,
        "lines_total": report.lines_total,
        "cases": [{**to_builtins(case), "message": case.message[:_MESSAGE]} for case in ordered],
    }


def _rank(case: CaseReport) -> tuple[int, float]:
    return (0 if case.status in {"failed", "errored"} else 1, -case.seconds)


def _count(report: StepReport, word: str) -> int:
    return sum(1 for case in report.cases if case.status == word)
